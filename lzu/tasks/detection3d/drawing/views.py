"""What a monocular 3-D detector sees of an image: its warp, and the zoomed image."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lzu.core.warp import Warp
from lzu.engine.pictures import rgb
from lzu.errors import UserError


@dataclass(frozen=True)
class View:
    """An image as the detector takes it.

    `image` (H, W, 3), at the `from` scale, and `zoomed` (H', W', 3), at the `to` scale, are uint8
    RGB; `warp` is that between them.
    """

    image: NDArray[np.uint8]
    zoomed: NDArray[np.uint8]
    warp: Warp


@torch.inference_mode()
def view(model: Any, data: dict[str, Any], method: str) -> View:
    """View an image as `model` does when it predicts on it.

    Args:
        data: an item of the run's data set; its `inputs` are `img` (3, H, W) uint8, BGR.
        method: that of the run, for the message.

    Raises UserError for a method that does not zoom.
    """
    pixels = data["inputs"]["img"][None].to(model.data_preprocessor.device).float()
    given = model.resampler_inputs([data["data_samples"]])
    zoomed, unzoom = model.resampler(pixels, *given)
    if unzoom.warp is None:
        raise UserError(
            f"--method: {method} does not zoom, so there is no warp to show; name another"
        )
    nodes = unzoom.warp.nodes.map(lambda nodes: nodes.detach().cpu())
    return View(rgb(pixels), rgb(zoomed), Warp(nodes))
