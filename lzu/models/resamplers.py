"""What turns the image given into what the network sees, and its features back.

A resampler is the only thing in which the methods differ from the uniform baseline.
"""

from collections.abc import Sequence
from typing import Protocol

import torch.nn.functional as F
from torch import Tensor, nn

import lzu


class Unzoom(Protocol):
    """Maps the features of one batch back to uniform geometry."""

    def __call__(self, features: Sequence[Tensor], strides: Sequence[int]) -> list[Tensor]: ...


class UniformResampler(nn.Module):
    """The baseline: bilinear resizing with `align_corners=True`; features stay as they are.

    This is what a zoom by the identity warp computes, so nothing but the warp sets the methods
    apart: not the filter, not the pixel grid.

    `size` is (height, width) of the network's frame in pixels.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__()
        self.size = tuple(size)

    def forward(self, images: Tensor) -> tuple[Tensor, Unzoom]:
        """Resize (B, 3, H, W) images to `size`; return them and an unzoom that does nothing."""
        if images.shape[-2:] != self.size:
            images = F.interpolate(images, self.size, mode="bilinear", align_corners=True)
        return images, lambda features, strides: list(features)


class WarpResampler(nn.Module):
    """LZU with a fixed warp (4.2, 5.1): zoom the image, unzoom every level of the pyramid.

    `saliency` is (1, 1, h, w); `size` is (height, width) of the network's frame in pixels; `fwhm`
    of the attraction kernel is in cells.
    """

    def __init__(self, saliency: Tensor, size: tuple[int, int], fwhm: float) -> None:
        super().__init__()
        self.lens = lzu.ZoomUnzoom(saliency, size=size, fwhm=fwhm)

    def forward(self, images: Tensor) -> tuple[Tensor, Unzoom]:
        """Zoom (B, 3, H, W) images to `size`; return them and the unzoom of their features."""
        zoomed, warp = self.lens.zoom(images)

        def unzoom(features: Sequence[Tensor], strides: Sequence[int]) -> list[Tensor]:
            return self.lens.unzoom(list(features), warp, strides=strides)

        return zoomed, unzoom
