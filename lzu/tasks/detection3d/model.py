"""LZU in mmdet3d's monocular detectors: one adapter for FCOS3D and PGD, chosen by configuration.

Everything between the image and the detections is in the network's frame (`lzu.models.frames`),
intrinsics among it: a head decodes what it finds there by the `cam2img` of that frame, and so to
the same boxes in metres at every scale. Nothing is rescaled afterwards: `FCOSMono3D.predict` would
divide centres by the scale once more.

The points of a level lie at stride * i + stride // 2 in the network's pixels, as the heads have it
(they have no prior_generator), where a ResNet's cells lie at stride * i: a constant that the head
learns, of all methods alike.
"""

from typing import Any

from torch import Tensor, nn

from lzu.errors import UserError
from lzu.models.detectors import FramePreprocessorMixin, ResampledDetectorMixin
from lzu.models.pixels import stacked
from lzu.models.resamplers import CameraWarpResampler
from lzu.tasks.detection3d.bridge import (
    MODELS,
    Det3DDataPreprocessor,
    FCOSMono3DHead,
    SingleStageMono3DDetector,
)


@MODELS.register_module(name="LZUMono3DPreprocessor")
class Mono3DPreprocessor(FramePreprocessorMixin, Det3DDataPreprocessor):
    """mmdet3d's preprocessor, of images alone, with its work on pixels put off; see the mixin."""

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """Stack a batch; every sample gets the `pad_shape` that the network will see.

        Raises:
            ValueError: the images differ in size.
        """
        data = self.cast_data(data)
        images = stacked(data["inputs"]["img"])
        self.tell_padding(data["data_samples"])
        return {"inputs": {"imgs": images}, "data_samples": data["data_samples"]}


@MODELS.register_module(name="LZUMono3DDetector")
class ResampledMono3DDetector(ResampledDetectorMixin, SingleStageMono3DDetector):
    """A monocular 3-D detector of mmdet3d with a resampler around its backbone and neck.

    What it takes beside mmdet3d's own arguments says the mixin. The head is a `FCOSMono3DHead`, or
    one that is made of it, as `PGDHead`. Samples have `cam2img`, boxes and centres in the network's
    frame (see `lzu.tasks.detection3d.transforms`); boxes in metres are in the camera's.

    Raises:
        UserError: as the mixin, or the head is another.
    """

    @property
    def strides(self) -> list[int]:
        """The stride of every level of the pyramid, in network pixels."""
        _require_head(self.bbox_head)
        return list(self.bbox_head.strides)

    def resampler_inputs(self, batch_data_samples: Any) -> tuple[Any, ...]:
        """The images' cameras, where each has a warp of its own."""
        if not isinstance(self.resampler, CameraWarpResampler):
            return ()
        return ([sample.camera for sample in batch_data_samples],)

    def loss(
        self, batch_inputs: dict[str, Tensor], batch_data_samples: Any, **kwargs: Any
    ) -> dict[str, Any]:
        """The head's losses on images as loaded and samples in the network's frame."""
        features = self._features(batch_inputs, batch_data_samples)
        own = [_with_own_boxes(sample) for sample in batch_data_samples]
        losses: dict[str, Any] = self.bbox_head.loss(features, own, **kwargs)
        return losses

    def _forward(self, batch_inputs: dict[str, Tensor], batch_data_samples: Any = None) -> Any:
        """What the head makes of images as loaded: mode "tensor", as tools for FLOPs call it."""
        return self.bbox_head.forward(self._features(batch_inputs, batch_data_samples))

    def predict(
        self, batch_inputs: dict[str, Tensor], batch_data_samples: Any, rescale: bool = True
    ) -> Any:
        """Detect: `pred_instances_3d` are in metres, in the camera's frame, at any scale.

        2-D boxes, of a head that finds them (`pred_instances`), are in the native frame; without
        `rescale`, in the network's.
        """
        features = self._features(batch_inputs, batch_data_samples)
        found = self.bbox_head.predict(features, batch_data_samples, rescale=False)
        samples = self.add_pred_to_datasample(batch_data_samples, *found)
        for sample in samples:
            if rescale and "bboxes" in sample.pred_instances:
                sample.pred_instances.bboxes = self._in_native(sample.pred_instances.bboxes)
        return samples

    def _features(self, inputs: dict[str, Tensor], samples: Any) -> tuple[Tensor, ...]:
        return self.extract_feat(inputs["imgs"], *self.resampler_inputs(samples))

    def _in_native(self, boxes: Tensor) -> Tensor:
        height, width = self.frames.native
        limit = boxes.new_tensor([width, height, width, height])
        return self.frames.to_native(boxes).clamp(min=0).minimum(limit)


def _with_own_boxes(sample: Any) -> Any:
    """A sample whose 3-D boxes a head may write to: it turns their yaw to the line of sight, and
    samples that serve twice would be turned twice."""
    own, instances = sample.new(), sample.gt_instances_3d.clone()
    instances.bboxes_3d = instances.bboxes_3d.clone()
    own.gt_instances_3d = instances
    return own


def _require_head(head: nn.Module) -> None:
    """Raise a UserError for a head that decodes, or tells its strides, in another way."""
    name = type(head).__name__
    if not isinstance(head, FCOSMono3DHead):
        raise UserError(
            f"model.bbox_head.type: {name} decodes boxes in a way of its own, by other things than "
            "the intrinsics of the network's frame; use FCOSMono3DHead or PGDHead"
        )
    for key in ("pred_attrs", "pred_velo"):
        if not getattr(head, key):
            raise UserError(
                f"model.bbox_head.{key}: nuScenes scores attributes and velocities, and boxes are "
                "learned and told with both; set it to true"
            )
    if not all(isinstance(stride, int) for stride in head.strides):
        raise UserError(
            f"model.bbox_head.strides: {name} needs one number for each level, got {head.strides}"
        )
