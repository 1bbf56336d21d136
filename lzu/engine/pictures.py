"""A frame of the dataset, zoomed and unzoomed, with its warp grid."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import lzu
from lzu.experiments.context import Context
from lzu.experiments.settings import frame_size
from lzu.experiments.task import PriorSpec
from lzu.report.pictures.warps import write_zoom_picture
from lzu.results.prior import load_prior

INVERSE_LINES = (97, 129)
"""T^-1 is drawn through so many points each way."""


@dataclass(frozen=True)
class Frame:
    """A frame (H, W, 3) uint8 RGB, and what is salient in it.

    `saliency` maps a lattice (h, w) to the frame's own saliency (1, 1, h, w), float64; `camera` is
    whose map of a prior it is zoomed by, where there are several.
    """

    image: np.ndarray
    saliency: Callable[[tuple[int, int]], Tensor]
    camera: str | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.image.shape[0], self.image.shape[1]

    def zoomed(self, warp: lzu.Warp) -> np.ndarray:
        """Return the frame under `warp`, of its own size, uint8."""
        pixels = torch.from_numpy(self.image).permute(2, 0, 1)[None].float()
        return as_image(warp.zoom(pixels, self.size))


def draw_zoom(context: Context, spec: PriorSpec, scale: float, out: Path) -> None:
    """Draw what the fixed warp does to the task's typical frame at a `to` scale."""
    native = context.settings.dataset.frame
    prior = load_prior(context.paths.prior(spec), native_size=native)
    frame = context.task.step("frame")(context)
    image, saliency = frame.image, torch.from_numpy(prior.map_of(frame.camera))
    warp = lzu.Warp.from_saliency(saliency, fwhm=spec.settings.fwhm)
    pixels = torch.from_numpy(image).permute(2, 0, 1)[None].float()
    zoomed = warp.zoom(pixels, frame_size(native, scale))
    unzoomed = warp.unzoom(zoomed, size=native)
    write_zoom_picture(
        out,
        image,
        as_image(zoomed),
        as_image(unzoomed),
        warp.x[0].numpy(),
        warp.y[0].numpy(),
    )


def inverse_nodes(warp: lzu.Warp) -> np.ndarray:
    """T^-1 of a warp (of one image) at Grid(*INVERSE_LINES): (m, n, 2), (x, y) in [0, 1].

    Drawn on the zoomed image, its lines are straight and evenly spaced in the image.
    """
    m, n = INVERSE_LINES
    y, x = (torch.linspace(0, 1, k, dtype=warp.dtype) for k in (m, n))
    y, x = torch.meshgrid(y, x, indexing="ij")
    points = torch.stack((x, y), dim=-1).reshape(1, -1, 2)
    return warp.inverse(points)[0].reshape(m, n, 2).numpy()


def as_image(images: Tensor) -> np.ndarray:
    """Return the first of images (B, 3, H, W) in [0, 255] as (H, W, 3) uint8."""
    return images[0].round().clamp(0, 255).byte().permute(1, 2, 0).numpy()


def rgb(images: Tensor) -> np.ndarray:
    """Return the first of images (B, 3, H, W), BGR in [0, 255], as (H, W, 3) uint8 RGB."""
    return as_image(images.flip(1).cpu())
