"""Saliency that a light network learns from the task (method `lzu_learned`)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lzu.core.arguments import as_count, as_fraction, require_shape
from lzu.core.lattice import Size, as_size
from lzu.core.resample import require_images

_ROWS_AT_ONCE = 64


class LearnedSaliency(nn.Module):
    """Saliency of an image, from a small network on a low-resolution copy of it.

    S = (1 - floor) softmax(network(image)) + floor / (h w), with the softmax over all h w cells.
    LDS (Jin et al., 2022) learns its deformation from such a softmax; the floor is ours: no cell
    is below floor / (h w), whatever the weights, which bounds the magnification (see
    `magnification_bound`). The default 0.3 is the share of the constant in FOVEA's density (a = 1,
    31 x 51 cells).

    The image is resized to `input_size` (bilinear, antialiased), scaled to mean 0 and variance 1
    over pixels and channels, so that its range and brightness do not matter, and goes through
    five 3x3 convolutions (strides 2, 2, 1, 1, 1; the last two dilated by 2 and 4, so that a cell
    sees 63 x 63 of the pixels), each with a group normalisation and a ReLU, and a 1x1 convolution
    to the logits. These are resized to the lattice with aligned corners, which is the warp's
    frame. That takes 15.6 million multiply-adds an image by default, 1/200 of LDS's saliency
    generator (3.1 GMAC), besides the resizing. Batch items are independent.

    The last convolution starts at zero, so training starts from uniform saliency: the warp is
    then the identity. It works as a source for `lzu.ZoomUnzoom`, `lzu.saliency.Composed` or alone.

    Args:
        lattice: (h, w) cells.
        input_size: (height, width) of the low-resolution copy, multiples of 4 plus 1: then the
            corners of the network's output (stride 4) lie on those of its input.
        in_channels: of the images.
        channels: of the network, a multiple of 16.
        floor: above 0, at most 1.

    Raises:
        ValueError: a setting is not allowed.

    >>> lens = lzu.ZoomUnzoom(LearnedSaliency(lattice=(31, 51)), size=(60, 96))
    >>> zoomed, warp = lens.zoom(torch.rand(2, 3, 120, 192))
    >>> zoomed.shape, warp.lattice
    (torch.Size([2, 3, 60, 96]), (31, 51))
    """

    def __init__(
        self,
        lattice: Sequence[int] = (31, 51),
        *,
        input_size: Sequence[int] = (65, 105),
        in_channels: int = 3,
        channels: int = 32,
        floor: float = 0.3,
    ) -> None:
        super().__init__()
        self.lattice = as_size(lattice, "lattice")
        self.input_size = as_size(input_size, "input_size", 5)
        if any(side % 4 != 1 for side in self.input_size):
            nearest = tuple(round((side - 1) / 4) * 4 + 1 for side in self.input_size)
            raise ValueError(
                f"input_size must be multiples of 4 plus 1, got {self.input_size}; "
                f"the nearest is {nearest}"
            )
        in_channels, channels = as_count(in_channels, "in_channels"), as_count(channels, "channels")
        if channels % 16:
            raise ValueError(f"channels must be a multiple of 16, got {channels}")
        self.in_channels, self.floor = in_channels, as_fraction(floor, "floor")
        self.body = nn.Sequential(
            *_convolution(in_channels, channels // 2, stride=2),
            *_convolution(channels // 2, channels, stride=2),
            *_convolution(channels, channels),
            *_convolution(channels, channels, dilation=2),
            *_convolution(channels, channels, dilation=4),
        )
        # Without a bias, to which the softmax is blind.
        self.head = nn.Conv2d(channels, 1, 1, bias=False)
        nn.init.zeros_(self.head.weight)

    def forward(self, images: Tensor) -> Tensor:
        """Return saliency (B, 1, h, w) of images (B, C, H, W).

        It is float32, or float64 if the weights are; images, floating point of any width or uint8,
        are cast to the weights'.

        Raises:
            TypeError: images are neither floating point nor uint8.
            ValueError: images are not (B, C, H, W) with C = `in_channels`, or have a side of 0.
        """
        require_shape(images, "images", ("B", self.in_channels, "H", "W"))
        require_images(images, eight_bit=True)
        as_size(images.shape[2:], "images' size", 1)
        small = _shrink(images, self.input_size)
        small = F.group_norm(small, 1).to(self.head.weight.dtype)
        logits = _widen(self.head(self.body(small)))
        logits = F.interpolate(logits, self.lattice, mode="bilinear", align_corners=True)
        density = logits.flatten(1).softmax(1).view_as(logits)
        return (1 - self.floor) * density + self.floor / (self.lattice[0] * self.lattice[1])

    def extra_repr(self) -> str:
        return f"lattice={self.lattice}, input_size={self.input_size}, floor={self.floor:g}"


def _convolution(
    in_channels: int, out_channels: int, *, stride: int = 1, dilation: int = 1
) -> list[nn.Module]:
    convolution = nn.Conv2d(
        in_channels,
        out_channels,
        3,
        stride=stride,
        padding=dilation,
        dilation=dilation,
        bias=False,
    )
    return [convolution, nn.GroupNorm(8, out_channels), nn.ReLU()]


def _shrink(images: Tensor, size: Size) -> Tensor:
    """Return images resized, antialiased; uint8 with no floating-point copy of the whole."""
    if images.dtype == torch.uint8:
        # The filter is separable: the widths first, of some rows at a time.
        parts = [
            F.interpolate(part.float(), (part.shape[2], size[1]), mode="bilinear", antialias=True)
            for part in images.split(_ROWS_AT_ONCE, dim=2)
        ]
        images = torch.cat(parts, dim=2)
    return F.interpolate(_widen(images), size, mode="bilinear", antialias=True)


def _widen(values: Tensor) -> Tensor:
    return values if values.dtype.itemsize >= 4 else values.float()
