"""What is timed of a detector at batch 1 (5.1): the network, what a method adds, and the whole.

What a method adds is all that it does besides the uniform network: making its saliency (from the
previous frame's detections, or by a network), the warp, the zoom, its inverse, the unzoom; FOVEA
has no unzoom and unwarps boxes. A fixed warp and its grids are computed once, before the rounds.
"""

from collections.abc import Callable
from typing import Any

import torch
from mmengine.dataset import pseudo_collate
from mmengine.structures import InstanceData

from lzu.datasets.objects import objects
from lzu.engine.time import Operation, Timed, typical, with_part
from lzu.experiments.context import Context
from lzu.experiments.run import Run
from lzu.files import read_json
from lzu.models.resamplers import UniformResampler
from lzu.tasks.detection2d.build import validation_set
from lzu.tasks.detection2d.fovea.detector import FOVEADetector


def typical_detections(context: Context) -> InstanceData:
    """The validation objects of a frame with a median number of them, as sure detections.

    `bboxes` (n, 4) are in native pixels. Of several such frames it is the first listed.
    """
    content = read_json(context.paths.annotations("val"))
    boxes: dict[int, list[list[float]]] = {image["id"]: [] for image in content["images"]}
    for annotation in objects(content["annotations"]):
        left, top, width, height = annotation["bbox"]
        boxes[annotation["image_id"]].append([left, top, left + width, top + height])
    chosen = typical(list(boxes.values()))
    return InstanceData(bboxes=torch.tensor(chosen).reshape(-1, 4), scores=torch.ones(len(chosen)))


def operations(context: Context, run: Run, model: Any) -> Timed:
    """What is timed of one detector, on the first validation image.

    The previous frame's detections, of which adaptive saliency is made, are the annotated boxes of
    a frame with a median number of them (see `typical_detections`): a model's own would depend on
    how well it was trained. Their number is in the `shapes`.
    """
    previous = typical_detections(context)
    data = pseudo_collate([validation_set(context, run)[0]])
    for sample in data["data_samples"]:
        sample.previous_instances = previous
    data = model.data_preprocessor(data)
    image, samples = data["inputs"], data["data_samples"]
    pixels = image.float()
    own = model.resampler
    uniform = UniformResampler(model.frames.network).to(image.device)
    network_input, unzoom = model.zoom(image, *model.resampler_inputs(samples))
    levels = model.pyramid(network_input)
    features = unzoom(levels, model.strides)
    unwarp = _unwarping(model, features, samples)

    def network() -> Any:
        # The head is given the unzoomed features, on which it finds what it would find.
        model.pyramid(network_input)
        return model.bbox_head.predict(features, samples, rescale=False)

    def added() -> Any:
        _, unzoom = own(pixels, *model.resampler_inputs(samples))
        return unwarp(unzoom(levels, model.strides))

    def whole(resampler: Any) -> Operation:
        return with_part(model, "resampler", resampler, lambda: model.predict(image, samples))

    timed = {
        "baseline": network,
        "added": added,
        "end_to_end": whole(own),
        "end_to_end_baseline": whole(uniform),
    }
    return Timed(timed, _shapes(model, run, len(previous)), [image, *levels])


def _unwarping(model: Any, features: Any, samples: Any) -> Callable[[Any], Any]:
    """What follows the unzoom: FOVEA unwarps the boxes that suppression chooses from."""
    if not isinstance(model, FOVEADetector):
        return lambda unzoomed: unzoomed
    metas = [sample.metainfo for sample in samples]
    found = model.bbox_head.predict_by_feat(
        *model.bbox_head(features), batch_img_metas=metas, with_nms=False
    )
    boxes = found[0].bboxes.unsqueeze(0)
    return lambda zoomed: zoomed.frame.unwarp(boxes)


def _shapes(model: Any, run: Run, previous: int) -> dict[str, Any]:
    """The sizes that a timing depends on."""
    shapes = {
        "image": [1, 3, *model.frames.given],
        "network_input": [1, 3, *model.frames.padded],
        "strides": model.strides,
    }
    if run.about.follows_frames:
        shapes["previous_boxes"] = previous
    return shapes
