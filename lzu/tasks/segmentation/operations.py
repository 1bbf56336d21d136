"""What is timed of a segmenter at batch 1 (5.1): the network, what a method adds, and the whole.

What a method adds is all that it does beside the uniform network: making its saliency or its
locations, sampling, and unzooming; or sending predictions back to the whole crop (LDS, ES), of
which the uniform network's resizing is a part of both. A fixed warp and its grids are computed
once, before the rounds.
"""

from collections.abc import Callable
from typing import Any

import torch
from mmengine.dataset import pseudo_collate
from torch.utils.flop_counter import FlopCounterMode

from lzu.engine.time import Operation, Timed, with_part
from lzu.experiments.context import Context
from lzu.experiments.run import Run
from lzu.models.resamplers import UniformResampler
from lzu.tasks.segmentation.build import listed
from lzu.tasks.segmentation.model import context_end, levels_of
from lzu.tasks.segmentation.sampling import Uniform, View, whole


def operations(context: Context, run: Run, model: Any) -> Timed:
    """What is timed of one segmenter, on the first validation image.

    The `shapes` tell `gmac`, too: the multiply-accumulates of one image from the crop to its map,
    as `torch.utils.flop_counter` counts them (of convolutions and products of matrices, the
    sampler's among them; not of interpolation).
    """
    data = model.data_preprocessor(pseudo_collate([listed(context, run.split("val"))[0]]))
    image = data["inputs"]
    own = model.sampler
    uniform = Uniform(UniformResampler(model.network)).to(image.device)
    level = levels_of([model.decode_head])
    view, plain = own(image.float()), uniform(image.float())
    maps = model.features(plain, level)
    logits = model.logits(plain, maps)
    given, follow = _following(model, view, maps, logits)

    def network() -> Any:
        return model.logits(plain, model.features(plain, level))

    def added() -> Any:
        return follow(own(image.float()))

    def complete(sampler: Any) -> Operation:
        return with_part(model, "sampler", sampler, lambda: model.segment(image).classes)

    timed = {
        "baseline": network,
        "added": added,
        "end_to_end": complete(own),
        "end_to_end_baseline": complete(uniform),
    }
    return Timed(timed, _shapes(model, view, maps, gmac(complete(own))), [image, *given])


def _following(
    model: Any, view: View, maps: list[torch.Tensor], logits: torch.Tensor
) -> tuple[list[torch.Tensor], Callable[[View], Any]]:
    """What a method does once it has sampled, with the maps or logits that it is given."""
    if view.unzoom is None:
        return [logits], lambda view: whole(view, logits, model.frame)
    if view.unzoom.warp is None:
        return [], lambda view: view.pixels
    level = levels_of([model.decode_head])
    if model.unzoom_at == "backbone":
        taken = [maps[index] for index in level]
        return taken, lambda view: model.unzoomed(view, maps, level)
    inside = _in_head(model, maps[level[0]])
    place = model.decode_head.in_index
    return [inside], lambda view: model.unzoomed_in_head(view, inside, place)


def _in_head(model: Any, map_: torch.Tensor) -> torch.Tensor:
    """A map of the size that the decode head unzooms, where that is its business."""
    channels = model.decode_head.out_channels
    if model.unzoom_at == "context":
        channels = getattr(context_end(model.decode_head), "in_channels", map_.shape[1])
    return map_.new_zeros((1, channels, *map_.shape[-2:]))


def gmac(operation: Operation) -> float:
    """10^9 multiply-accumulates of what `operation` does."""
    with FlopCounterMode(display=False) as counter:
        operation()
    return round(counter.get_total_flops() / 2e9, 6)


def _shapes(model: Any, view: Any, maps: list[torch.Tensor], count: float) -> dict[str, Any]:
    """The sizes that a timing depends on."""
    return {
        "image": [1, 3, *model.frame],
        "network_input": [1, 3, *view.size],
        "maps": [list(one.shape[-2:]) for one in maps],
        "gmac": count,
    }
