"""FOVEA for anchor heads (Thavamani et al., ICCV 2021): learn and detect in the zoomed frame.

The head sees features of zoomed images, with its anchors regular among them. It meets ground truth
in the uniform frame:

- *Assignment.* Anchors are unwarped by T, and overlaps are taken there. Where the zoom magnifies,
  anchors are smaller and denser, so that small objects find anchors that fit them.
  An object smaller than all anchors has the same overlap with each that holds it entirely, and the
  assigner takes them all; unwarped they differ in size, and it takes one. That is the method's.
- *Regression loss.* Predicted deltas are decoded by the anchors to zoomed boxes, and these are
  unwarped; the gradient flows through both. A loss on boxes (`reg_decoded_bbox`, as IoU losses
  need) compares them with the ground truth. A loss on deltas compares them as deltas from the
  *unwarped* anchor, and so counts errors relative to the anchor's size in the uniform frame. Both
  are the plain detector's loss if the warp is the identity. (The authors' code, for Faster R-CNN,
  takes the L1 distance of corners in native pixels, which is not.)
- *Detections* are unwarped before non-maximum suppression: its threshold is an overlap of boxes,
  and in the uniform frame overlap means what it means in assignment, in evaluation and to the
  methods compared with. In the zoomed frame what is magnified would count more. (The authors' code
  suppresses first. Where the warp is nearly affine over the boxes, that is the same.)
"""

import copy
from typing import Any

import torch
from mmdet.models.dense_heads import AnchorHead, RetinaHead
from mmdet.models.utils import multi_apply, unpack_gt_instances
from mmdet.registry import MODELS
from mmdet.structures.bbox import get_box_tensor
from mmengine.structures import InstanceData
from torch import Tensor

from lzu.tasks.detection2d.fovea.frame import ZoomedFeatures, ZoomedFrame

_NEEDED = ("get_anchors", "get_targets", "loss_by_feat", "loss_by_feat_single")


class FOVEAHeadMixin:
    """Makes an anchor head of mmdet a FOVEA head; name it before the head among the bases.

    `loss` and `predict` take `ZoomedFeatures`. No parameter is added or renamed. Ground truth and
    detections are in the uniform network frame.

    Raises:
        TypeError: on definition, if the head has a way of its own to make anchors, targets or
            losses, in place of which this would put that of `AnchorHead`.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name in _NEEDED:
            if getattr(super(), name, None) is not getattr(AnchorHead, name):
                raise TypeError(f"{cls.__name__}: FOVEA needs the {name} of mmdet's AnchorHead")

    def loss(self, x: ZoomedFeatures, batch_data_samples: list[Any]) -> dict[str, list[Tensor]]:
        """Return the losses, a list over levels each, of a batch with ground truth."""
        frame = _frame(x)
        instances, ignored, metas = unpack_gt_instances(batch_data_samples)
        return self.loss_by_feat(*self(x), instances, metas, ignored, frame=frame)

    def loss_by_feat(
        self,
        cls_scores: list[Tensor],
        bbox_preds: list[Tensor],
        batch_gt_instances: list[InstanceData],
        batch_img_metas: list[dict[str, Any]],
        batch_gt_instances_ignore: list[InstanceData] | None = None,
        *,
        frame: ZoomedFrame,
    ) -> dict[str, list[Tensor]]:
        """Return the losses of what the head predicted in the zoomed `frame`.

        Ground truth of which the content shows nothing is left out: by `min_pos_iou=0` the
        assigner would give it every anchor that does not overlap it, which is all of them.
        """
        images = len(batch_img_metas)
        sizes = [scores.shape[-2:] for scores in cls_scores]
        priors, valid = self.get_anchors(sizes, batch_img_metas, device=cls_scores[0].device)
        # they are the same in every image: regular in the zoomed frame
        anchors = [get_box_tensor(level).unsqueeze(0) for level in priors[0]]
        unwarped = [frame.unwarp_anchors(level).expand(images, -1, -1) for level in anchors]
        *targets, avg_factor = self.get_targets(
            [[level[image] for level in unwarped] for image in range(images)],
            valid,
            [_shown(instances, frame.size) for instances in batch_gt_instances],
            batch_img_metas,
            batch_gt_instances_ignore=batch_gt_instances_ignore,
        )
        losses_cls, losses_bbox = multi_apply(
            self._loss_of_level,
            cls_scores,
            bbox_preds,
            [level.expand(images, -1, -1) for level in anchors],
            unwarped,
            *targets,
            avg_factor=avg_factor,
            frame=frame,
        )
        return {"loss_cls": losses_cls, "loss_bbox": losses_bbox}

    def _loss_of_level(
        self,
        cls_score: Tensor,
        bbox_pred: Tensor,
        anchors: Tensor,
        unwarped: Tensor,
        labels: Tensor,
        label_weights: Tensor,
        bbox_targets: Tensor,
        bbox_weights: Tensor,
        *,
        avg_factor: int,
        frame: ZoomedFrame,
    ) -> tuple[Tensor, Tensor]:
        loss_cls = self.loss_cls(
            cls_score.permute(0, 2, 3, 1).reshape(-1, self.cls_out_channels),
            labels.reshape(-1),
            label_weights.reshape(-1),
            avg_factor=avg_factor,
        )
        # Only positives: a wild box of another anchor may have no size left once it is unwarped,
        # and its weight of zero would not undo the infinity.
        image, index = (bbox_weights > 0).any(dim=-1).nonzero(as_tuple=True)
        deltas = bbox_pred.permute(0, 2, 3, 1).reshape(*anchors.shape[:2], -1)[image, index]
        boxes = self.bbox_coder.decode(anchors[image, index], deltas.float())
        boxes = frame.unwarp_each(get_box_tensor(boxes), image)
        if not self.reg_decoded_bbox:
            boxes = self.bbox_coder.encode(unwarped[image, index], boxes)
        loss_bbox = self.loss_bbox(
            boxes,
            bbox_targets[image, index],
            bbox_weights[image, index],
            avg_factor=avg_factor,
        )
        return loss_cls, loss_bbox

    def predict(
        self, x: ZoomedFeatures, batch_data_samples: list[Any], rescale: bool = False
    ) -> list[InstanceData]:
        """Return the detections of each image: bboxes (n, 4), scores and labels.

        Boxes are in the uniform network frame, or divided by `scale_factor` if `rescale`.
        """
        frame = _frame(x)
        metas = [sample.metainfo for sample in batch_data_samples]
        # A smallest size is one in the uniform frame, where suppression applies it.
        candidates_cfg = copy.deepcopy(self.test_cfg)
        candidates_cfg["min_bbox_size"] = -1
        candidates = self.predict_by_feat(
            *self(x), batch_img_metas=metas, cfg=candidates_cfg, with_nms=False
        )
        for image, found in enumerate(candidates):
            boxes = get_box_tensor(found.bboxes)
            found.bboxes = frame[image].unwarp(boxes.unsqueeze(0)).squeeze(0)
        return [
            self._bbox_post_process(found, self.test_cfg, rescale=rescale, img_meta=meta)
            for found, meta in zip(candidates, metas, strict=True)
        ]


@MODELS.register_module(name="FOVEARetinaHead")
class FOVEARetinaHead(FOVEAHeadMixin, RetinaHead):
    """RetinaNet's head in the zoomed frame; see `FOVEAHeadMixin`."""


def _frame(x: Any) -> ZoomedFrame:
    if not isinstance(x, ZoomedFeatures):
        raise TypeError(f"a FOVEA head needs ZoomedFeatures, got {type(x).__name__}")
    return x.frame


def _shown(instances: InstanceData, size: tuple[int, int]) -> InstanceData:
    """Return the instances of which some area lies in the content of `size` (H, W)."""
    boxes = get_box_tensor(instances.bboxes)
    height, width = size
    low = boxes[:, :2].clamp(min=0)
    high = torch.minimum(boxes[:, 2:], boxes.new_tensor([width, height]))
    return instances[(high > low).all(dim=1)]
