"""The sampler of each method: the only thing in which the methods differ from the baseline."""

from collections.abc import Callable
from typing import Any

from torch import nn

from lzu.models.frames import Frames
from lzu.models.resamplers import build_resampler
from lzu.tasks.segmentation.es.sampler import EsSampler
from lzu.tasks.segmentation.lds.sampler import LdsSampler
from lzu.tasks.segmentation.sampling import Size, Uniform

OWN: dict[str, Callable[..., nn.Module]] = {"lds": LdsSampler, "es": EsSampler}


def build_sampler(kind: str, frame: Size, network: Size, **settings: Any) -> nn.Module:
    """Build the sampler of a method: one of `OWN`, or of a kind of `lzu.models.resamplers`.

    Args:
        kind: its name.
        frame, network: (height, width) of the crop and of the network's input in pixels.
        settings: of the kind.
    """
    if kind in OWN:
        return OWN[kind](network, **settings)
    return Uniform(build_resampler(kind, Frames(frame, frame, network), **settings))
