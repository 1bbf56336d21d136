"""What FOVEA ought to do, corner by corner in float64, and hand-made batches."""

import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

import lzu
from lzu.tasks.detection2d.fovea.frame import ZoomedFrame

# The last two are smaller than any anchor, of which many hold them entirely.
BOXES = (
    [[20.0, 30.0, 50.0, 60.0], [80.0, 40.0, 110.0, 60.0], [62.0, 12.0, 66.0, 15.0]],
    [[3.5, 2.25, 30.0, 70.0], [100.0, 66.0, 104.0, 69.0]],
)
# Large enough that all anchors assigned to one overlap it best.
LARGE = ([[12.0, 20.0, 48.0, 60.0], [70.0, 10.0, 104.0, 50.0]], [[30.0, 8.0, 77.0, 70.0]])


def peaked(row=15, column=25):
    rows, columns = np.mgrid[0:31, 0:51]
    return 0.05 + np.exp(-((rows - row) ** 2) / 20 - ((columns - column) ** 2) / 60)


def frame(*saliency, size=(80, 128), fwhm=22.0):
    maps = torch.stack([torch.from_numpy(s) for s in saliency]).float().unsqueeze(1)
    return ZoomedFrame(lzu.Warp.from_saliency(maps, fwhm=fwhm), size)


def moved(boxes, zoomed, image=0, back=False):
    """The oracle: every coordinate of boxes (N, 4), one by one, in float64; `back` by T^-1."""
    boxes = np.asarray(boxes, dtype=np.float64)
    result = np.empty_like(boxes)
    for axis, (nodes, n) in enumerate(
        ((zoomed.warp.x, zoomed.size[1]), (zoomed.warp.y, zoomed.size[0]))
    ):
        values = nodes[image].double().numpy()
        places = np.arange(len(values)) / (len(values) - 1)
        source, target = (values, places) if back else (places, values)
        for column in (axis, axis + 2):
            at = (boxes[:, column] - 0.5) / (n - 1)
            inside = np.clip(at, 0, 1)
            result[:, column] = (np.interp(inside, source, target) + at - inside) * (n - 1) + 0.5
    return result


def anchors_of(head, sizes):
    return [a.double().numpy() for a in head.prior_generator.grid_priors(sizes, device="cpu")]


def sizes_of(model):
    return [tuple(-(-n // s) for n in model.frames.padded) for s in model.strides]


def samples_with(model, *boxes):
    """A batch with ground truth boxes (n, 4), in the uniform network frame, for each image."""
    samples = []
    for own in boxes:
        own = torch.as_tensor(own, dtype=torch.float32).reshape(-1, 4)
        sample = DetDataSample(
            metainfo={
                "img_shape": model.frames.network,
                "pad_shape": model.frames.padded,
                "scale_factor": (1.0, 1.0),
            }
        )
        sample.gt_instances = InstanceData(
            bboxes=own, labels=torch.arange(len(own)) % model.bbox_head.num_classes
        )
        samples.append(sample)
    return samples


def overlaps(anchors, boxes):
    """IoU (anchors, boxes) in float64."""
    low = np.maximum(anchors[:, None, :2], boxes[None, :, :2])
    high = np.minimum(anchors[:, None, 2:], boxes[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(-1)
    area = [np.prod(b[:, 2:] - b[:, :2], axis=-1) for b in (anchors, boxes)]
    return shared / (area[0][:, None] + area[1][None] - shared)


def deltas_to(anchors, boxes):
    size, own = anchors[:, 2:] - anchors[:, :2], boxes[:, 2:] - boxes[:, :2]
    shift = (boxes[:, :2] + boxes[:, 2:] - anchors[:, :2] - anchors[:, 2:]) / 2 / size
    return np.concatenate([shift, np.log(own / size)], axis=1)


def as_maps(values, sizes):
    """Per level and image (N, C) to (B, A * C, H, W), as a head puts them out."""
    maps = []
    for level, (height, width) in zip(values, sizes, strict=True):
        stacked = torch.from_numpy(np.stack(level)).float()
        maps.append(stacked.reshape(len(level), height, width, -1).permute(0, 3, 1, 2))
    return maps


def total(losses):
    return {name: float(sum(levels).detach()) for name, levels in losses.items()}


def perfect(model, zoomed, boxes, *, naive=False):
    """Maps by which every anchor predicts its best box exactly; `naive`: in the wrong frame."""
    sizes = sizes_of(model)
    levels = []
    for own in anchors_of(model.bbox_head, sizes):
        level = []
        for image, truth in enumerate(boxes):
            truth = np.asarray(truth, dtype=np.float64)
            best = overlaps(moved(own, zoomed, image), truth).argmax(axis=1)
            target = truth if naive else moved(truth, zoomed, image, back=True)
            level.append(deltas_to(own, target[best]))
        levels.append(level)
    return as_maps(levels, sizes)


def bbox_loss(model, zoomed, boxes, bbox_preds):
    """The box loss of what the head would have put out."""
    head = model.bbox_head
    scores = [
        torch.zeros(len(boxes), head.num_base_priors * head.num_classes, *p.shape[-2:])
        for p in bbox_preds
    ]
    samples = samples_with(model, *boxes)
    losses = head.loss_by_feat(
        scores,
        bbox_preds,
        [s.gt_instances for s in samples],
        [s.metainfo for s in samples],
        frame=zoomed,
    )
    return sum(losses["loss_bbox"])


def frame_for_each(zoomed, images):
    warp = zoomed.warp[torch.arange(images) % zoomed.warp.batch]
    return ZoomedFrame(warp, zoomed.size)
