"""What is timed of a 3-D detector at batch 1 (5.1): the network, what a method adds, the whole.

What a method adds is all that it does besides the uniform network: the warp, the zoom and the
unzoom. A fixed warp and its grids are computed once, before the rounds.
"""

from typing import Any

from mmengine.dataset import pseudo_collate

from lzu.engine.time import Operation, Timed
from lzu.experiments.context import Context
from lzu.experiments.run import Run
from lzu.models.resamplers import UniformResampler
from lzu.tasks.detection3d.build import validation_set


def operations(context: Context, run: Run, model: Any) -> Timed:
    """What is timed of one detector, on the first validation image."""
    data = model.data_preprocessor(pseudo_collate([validation_set(context, run)[0]]))
    inputs, samples = data["inputs"], data["data_samples"]
    image = inputs["imgs"]
    pixels = image.float()
    own = model.resampler
    uniform = UniformResampler(model.frames.network).to(image.device)
    given = model.resampler_inputs(samples)
    network_input, unzoom = model.zoom(image, *given)
    levels = model.pyramid(network_input)
    features = tuple(unzoom(levels, model.strides))

    def network() -> Any:
        # The head is given the unzoomed features, on which it finds what it would find.
        model.pyramid(network_input)
        return model.bbox_head.predict(features, samples, rescale=False)

    def added() -> Any:
        _, unzoom = own(pixels, *given)
        return unzoom(levels, model.strides)

    def whole(resampler: Any) -> Operation:
        def operation() -> Any:
            model.resampler = resampler
            try:
                return model.predict(inputs, samples)
            finally:
                model.resampler = own

        return operation

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
    return Timed(timed, shapes, [image, *levels])
