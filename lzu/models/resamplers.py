"""What turns the image given into what the network sees, and its features back.

A resampler is the only thing in which the methods differ from the uniform baseline.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import lzu
from lzu.errors import UserError
from lzu.models.frames import Frames, padded_size
from lzu.module import Offsets
from lzu.results.prior import load_prior


class Unzoom(Protocol):
    """Maps the features of one batch back to uniform geometry.

    `warp` is what the batch was zoomed by, None if by none. `offsets` are in place of those that
    the resampler has.
    """

    @property
    def warp(self) -> lzu.Warp | None: ...

    def __call__(
        self,
        features: Sequence[Tensor],
        strides: Sequence[int],
        offsets: Offsets | None = None,
    ) -> list[Tensor]: ...


class Untouched:
    """The unzoom of what was not zoomed."""

    warp = None

    def __call__(
        self,
        features: Sequence[Tensor],
        strides: Sequence[int],
        offsets: Offsets | None = None,
    ) -> list[Tensor]:
        """Return the features as they are."""
        return list(features)


@dataclass(frozen=True)
class Unzoomed:
    """The unzoom of a batch that `lens` zoomed by `warp`."""

    lens: lzu.ZoomUnzoom
    warp: lzu.Warp
    offsets: Offsets

    def __call__(
        self,
        features: Sequence[Tensor],
        strides: Sequence[int],
        offsets: Offsets | None = None,
    ) -> list[Tensor]:
        """Return the features in uniform geometry."""
        offsets = self.offsets if offsets is None else offsets
        return self.lens.unzoom(list(features), self.warp, strides=strides, offsets=offsets)


class UniformResampler(nn.Module):
    """The baseline: bilinear resizing with `align_corners=True`; features stay as they are.

    This is what a zoom by the identity warp computes, so nothing but the warp sets the methods
    apart: not the filter, not the pixel grid.

    `size` is (height, width) of the network's frame in pixels.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__()
        self.size = tuple(size)

    def forward(self, images: Tensor, *inputs: Any) -> tuple[Tensor, Unzoom]:
        """Resize (B, 3, H, W) images to `size`; return them and an unzoom that does nothing.

        `inputs`, from which another method's saliency would be made, are not looked at.
        """
        if images.shape[-2:] != self.size:
            images = F.interpolate(images, self.size, mode="bilinear", align_corners=True)
        return images, Untouched()


class WarpResampler(nn.Module):
    """LZU (4.2, 5.1): zoom the image, unzoom every level of the pyramid.

    `saliency` is a fixed prior (1, 1, h, w); or a module or callable that makes saliency
    (B, 1, h, w) of what is given after the images, or of the images if nothing is (see
    `lzu.ZoomUnzoom`). `size` is (height, width) of the network's frame in pixels; `fwhm` of the
    attraction kernel is in cells. `offsets` says where the cells of the features sit, as in
    `lzu.ZoomUnzoom.unzoom`.
    """

    offsets: Offsets = 0.0

    def __init__(
        self, saliency: Tensor | Callable[..., Tensor], size: tuple[int, int], fwhm: float
    ) -> None:
        super().__init__()
        self.lens = lzu.ZoomUnzoom(saliency, size=size, fwhm=fwhm)

    def forward(self, images: Tensor, *inputs: Any) -> tuple[Tensor, Unzoom]:
        """Zoom (B, 3, H, W) images to `size`; return them and the unzoom of their features."""
        zoomed, warp = self.zoom(images, *inputs)
        return zoomed, Unzoomed(self.lens, warp, self.offsets)

    def zoom(self, images: Tensor, *inputs: Any) -> tuple[Tensor, lzu.Warp]:
        """Zoom images as given; return them and the warp."""
        return self.lens.zoom(images, *inputs)


@dataclass(frozen=True)
class UnzoomedWhole:
    """The unzoom of a batch that `PaddedWarpResampler` zoomed: over whole maps, padding and all."""

    lens: lzu.ZoomUnzoom
    warp: lzu.Warp

    def __call__(
        self,
        features: Sequence[Tensor],
        strides: Sequence[int],
        offsets: Offsets | None = None,
    ) -> list[Tensor]:
        """Return the features in what the official release takes for uniform geometry; a map of one
        row or column, which spans nothing, as it is."""
        return [
            level if min(level.shape[-2:]) < 2 else self.lens.unzoom(level, self.warp)
            for level in features
        ]


class PaddedWarpResampler(WarpResampler):
    """LZU in the frame of the official release, to measure what that slip costs.

    There an image is padded to multiples of 32 at the bottom and right, and the warp stretches all
    of that, as if it were content, into the network's frame; which is padded again, and the unzoom
    takes the whole padded map for what the warp spans. So what a cell gets lies elsewhere than the
    labels say: at stride 8 by 16 to 20 pixels of the full image on average, by up to 116.

    `padding` returns the pixel (3,) as loaded that padding is made of; black if it is not set.
    """

    padding: Callable[[], Tensor] | None = None

    def forward(self, images: Tensor, *inputs: Any) -> tuple[Tensor, Unzoom]:
        """Pad (B, 3, H, W) images and zoom all of them to `size`; return them and the unzoom."""
        height, width = images.shape[-2:]
        pixel = images.new_zeros(3) if self.padding is None else self.padding()
        batch, rows, columns = len(images), *padded_size((height, width))
        padded = pixel.to(images).view(1, 3, 1, 1).repeat(batch, 1, rows, columns)
        padded[..., :height, :width] = images
        zoomed, warp = self.zoom(padded, *inputs)
        return zoomed, UnzoomedWhole(self.lens, warp)


class CameraWarpResampler(WarpResampler):
    """LZU with a fixed prior for each camera.

    `saliency` is (n, 1, h, w), one for each of `names`. Called with the images and the names of
    their cameras.
    """

    def __init__(
        self, saliency: Tensor, names: Sequence[str], size: tuple[int, int], fwhm: float
    ) -> None:
        super().__init__(saliency, size, fwhm)
        self._places = {name: place for place, name in enumerate(names)}

    def zoom(self, images: Tensor, *inputs: Any) -> tuple[Tensor, lzu.Warp]:
        """Zoom (B, 3, H, W) images by the warps of the cameras named by the first of `inputs`.

        Raises:
            ValueError: a camera has no prior.
        """
        (cameras,) = inputs
        unknown = set(cameras) - set(self._places)
        if unknown:
            raise ValueError(
                f"the prior has no map of {', '.join(sorted(unknown))}, but of "
                f"{', '.join(self._places)}"
            )
        warp = self.lens.warp()[[self._places[camera] for camera in cameras]]
        return warp.zoom(images, self.lens.size), warp


class PaddedCameraWarpResampler(PaddedWarpResampler, CameraWarpResampler):
    """A prior for each camera, in the frame of the official release."""


def fixed(frames: Frames, *, prior: str, fwhm: float) -> WarpResampler:
    """LZU with the dataset's prior, from the file `prior`; refuses one of another image size."""
    return WarpResampler(_map_of_all(frames, prior), frames.network, fwhm)


def padded(frames: Frames, *, prior: str, fwhm: float) -> PaddedWarpResampler:
    """`fixed` in the frame of the official release: an ablation."""
    return PaddedWarpResampler(_map_of_all(frames, prior), frames.network, fwhm)


def _map_of_all(frames: Frames, prior: str) -> Tensor:
    found = load_prior(prior, native_size=frames.native)
    if found.names:
        raise UserError(
            f"{prior}: one map for each camera, where one of all is wanted; set prior.cameras to "
            "together"
        )
    return torch.from_numpy(found.saliency)


def by_camera(frames: Frames, *, prior: str, fwhm: float) -> CameraWarpResampler:
    """LZU with the prior of each image's camera, from the file `prior`, which has one for each."""
    return CameraWarpResampler(*_maps_by_name(frames, prior), frames.network, fwhm)


def padded_by_camera(frames: Frames, *, prior: str, fwhm: float) -> PaddedCameraWarpResampler:
    """`by_camera` in the frame of the official release."""
    return PaddedCameraWarpResampler(*_maps_by_name(frames, prior), frames.network, fwhm)


def _maps_by_name(frames: Frames, prior: str) -> tuple[Tensor, Sequence[str]]:
    found = load_prior(prior, native_size=frames.native)
    if not found.names:
        raise UserError(
            f"{prior}: one map of all cameras, where one for each is wanted; set prior.cameras to "
            "together, or make the prior again (an imported one is of all)"
        )
    return torch.from_numpy(found.saliency), found.names


def of_boxes(
    frames: Frames,
    *,
    fwhm: float,
    lattice: Sequence[int],
    amplitude: float,
    bandwidth: float,
) -> WarpResampler:
    """LZU with adaptive saliency (5.1, A.6): the kernel density of boxes, each image's own.

    Called with the images and a list of B tensors (n, 4) of boxes: left, top, right, bottom in
    native pixels. No boxes give uniform saliency; so do images (B, 3, H, W) alone.
    """

    def density(given: Tensor | Sequence[Tensor]) -> Tensor:
        if isinstance(given, Tensor):
            # For tools that trace a model to count its work: they may not trace boxes.
            return lzu.saliency.uniform(lattice, device=given.device)
        return lzu.saliency.from_boxes(
            given,
            image_size=frames.native,
            lattice=lattice,
            amplitude=amplitude,
            bandwidth=bandwidth,
        )

    return WarpResampler(density, frames.network, fwhm)


def learned(
    frames: Frames,
    *,
    fwhm: float,
    lattice: Sequence[int],
    input_size: Sequence[int],
    channels: int,
    floor: float,
) -> WarpResampler:
    """LZU with saliency from `lzu.saliency.LearnedSaliency`, trained by the detector's loss."""
    # The network's initial weights come from a copy of the generator, so that with one seed the
    # detector starts from the same weights under every method.
    with torch.random.fork_rng(devices=[]):
        network = lzu.saliency.LearnedSaliency(
            lattice, input_size=input_size, channels=channels, floor=floor
        )
    return WarpResampler(network, frames.network, fwhm)


def uniform(frames: Frames) -> UniformResampler:
    """The baseline's; it has no settings."""
    return UniformResampler(frames.network)


KINDS = {
    "uniform": uniform,
    "warp": fixed,
    "warp_padded": padded,
    "cameras": by_camera,
    "cameras_padded": padded_by_camera,
    "boxes": of_boxes,
    "learned": learned,
}


def build_resampler(kind: str, frames: Frames, **settings: Any) -> nn.Module:
    """Build the resampler of a method: a kind of `KINDS`, with its function's settings."""
    if kind not in KINDS:
        raise ValueError(f"no resampler {kind!r}; there are: {', '.join(KINDS)}")
    return KINDS[kind](frames, **settings)
