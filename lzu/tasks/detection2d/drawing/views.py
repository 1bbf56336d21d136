"""What a detector sees in a frame: its saliency, its warp, and the zoomed image."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lzu.core.warp import Warp
from lzu.engine.pictures import rgb
from lzu.errors import UserError
from lzu.module import ZoomUnzoom

SHOWN_SCORE = 0.3
"""Pictures show detections from this score on, if nothing else is asked for."""


@dataclass(frozen=True)
class View:
    """A frame as the detector takes it.

    `image` (H, W, 3), at the `from` scale, and `zoomed` (H', W', 3), at the `to` scale, are uint8
    RGB; `saliency` is (h, w) float32, and `warp` the one made from it. `boxes` (n, 4) are what an
    adaptive method made the saliency of: left, top, right, bottom in native pixels; else None.
    """

    image: np.ndarray
    zoomed: np.ndarray
    saliency: np.ndarray
    warp: Warp
    boxes: np.ndarray | None


def lens_of(model: Any, method: str) -> ZoomUnzoom:
    """The zoom of a detector; UserError for a method that has none."""
    lens = getattr(model.resampler, "lens", None)
    if lens is None:
        raise UserError(
            f"--method: {method} does not zoom, so there is no saliency to show; name another"
        )
    return lens


@torch.inference_mode()
def view(model: Any, data: Any, sample: Any) -> View:
    """View a frame as `model` does when it predicts on it.

    Args:
        data: the frame in an mmdet dataset; its `inputs` are (3, H, W) uint8, BGR.
        sample: its data sample; an adaptive detector needs its `previous_instances`.

    The saliency is made anew, of the same inputs by the same functions as in prediction, so it is
    the same.
    """
    lens = model.resampler.lens
    pixels = data["inputs"][None].to(model.data_preprocessor.device).float()
    inputs = model.resampler_inputs([sample])
    given = inputs or (pixels,)
    saliency = lens.saliency if isinstance(lens.saliency, Tensor) else lens.saliency(*given)
    zoomed, warp = lens.zoom(pixels, *inputs)
    return View(
        rgb(pixels),
        rgb(zoomed),
        saliency[0, 0].float().cpu().numpy(),
        Warp(warp.nodes.map(lambda nodes: nodes.detach().cpu())),
        inputs[0][0].cpu().numpy() if inputs else None,
    )
