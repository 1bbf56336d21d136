"""What is timed of a 3-D detector at batch 1 (5.1): the network, what a method adds, the whole.

What a method adds is all that it does besides the uniform network: making its saliency (taking the
previous frame's detections to this one, and their density), the warp, the zoom and the unzoom. A
fixed warp and its grids are computed once, before the rounds.
"""

from typing import Any

import numpy as np
from mmengine.dataset import pseudo_collate

from lzu.engine.time import Operation, Timed, typical, with_part
from lzu.experiments.context import Context
from lzu.experiments.run import Run
from lzu.models.resamplers import UniformResampler
from lzu.tasks.detection3d.build import validation_set
from lzu.tasks.detection3d.data import data_root
from lzu.tasks.detection3d.dataset import Mono3DDataset
from lzu.tasks.detection3d.online import expected
from lzu.tasks.detection3d.rows import Found


def typical_detections(context: Context, run: Run, sample: Any) -> Found:
    """The validation objects of an image with a median number of them, as sure detections in an
    image that was taken where that of `sample` was."""
    dataset = context.settings.dataset
    images = Mono3DDataset(
        context.paths.annotations(run.split("val")),
        data_root(context, "val"),
        dataset.cameras,
        dataset.classes,
    )
    items = (images.get_data_info(index) for index in range(len(images)))
    boxes = typical([item["gt_bboxes_3d"] for item in items])
    none = np.zeros(len(boxes), dtype=np.int64)
    return Found(
        sample.camera,
        np.asarray(sample.cam2ego),
        np.asarray(sample.ego2global),
        boxes.tensor.double().numpy(),
        np.ones(len(boxes)),
        none,
        none,
    )


def operations(context: Context, run: Run, model: Any) -> Timed:
    """What is timed of one detector, on the first validation image.

    The previous frame's detections, of which adaptive saliency is made, are the annotated boxes of
    an image with a median number of them (see `lzu.engine.time.typical`). How many of them are seen
    in this one is in the `shapes`.
    """
    data = model.data_preprocessor(pseudo_collate([validation_set(context, run)[0]]))
    inputs, samples = data["inputs"], data["data_samples"]
    image = inputs["imgs"]
    pixels = image.float()
    own = model.resampler
    uniform = UniformResampler(model.frames.network).to(image.device)
    follows = run.about.follows_frames
    before = typical_detections(context, run, samples[0]) if follows else None

    def follow() -> None:
        if before is not None:
            samples[0].previous_instances = expected(before, 0.0, samples[0], model.frames)

    def given() -> tuple[Any, ...]:
        follow()
        inputs: tuple[Any, ...] = model.resampler_inputs(samples)
        return inputs

    network_input, unzoom = model.zoom(image, *given())
    levels = model.pyramid(network_input)
    features = tuple(unzoom(levels, model.strides))

    def network() -> Any:
        # The head is given the unzoomed features, on which it finds what it would find.
        model.pyramid(network_input)
        return model.bbox_head.predict(features, samples, rescale=False)

    def added() -> Any:
        _, unzoom = own(pixels, *given())
        return unzoom(levels, model.strides)

    def whole(resampler: Any) -> Operation:
        def predicted() -> Any:
            if resampler is own:
                follow()
            return model.predict(inputs, samples)

        return with_part(model, "resampler", resampler, predicted)

    timed = {
        "baseline": network,
        "added": added,
        "end_to_end": whole(own),
        "end_to_end_baseline": whole(uniform),
    }
    shapes = {
        "image": [1, 3, *model.frames.given],
        "network_input": [1, 3, *model.frames.padded],
        "strides": model.strides,
    }
    if follows:
        shapes["previous_boxes"] = len(samples[0].previous_instances)
    return Timed(timed, shapes, [image, *levels])
