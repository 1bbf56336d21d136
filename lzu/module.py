"""Zoom and unzoom as a module, to put around the spatial part of a model."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeVar, get_args

import torch
from torch import Tensor, nn

from lzu.core import fused
from lzu.core.containers import tensors_of, with_tensors
from lzu.core.lattice import Region, as_buffer, as_size, content_region, restore_precision
from lzu.core.memory import has_values, is_eager
from lzu.core.pyramid import unzoom_levels
from lzu.core.warp import Warp

Features = TypeVar("Features", bound=Tensor | Sequence[Any] | Mapping[Any, Any])
Offset = float | tuple[float, float]
Offsets = Offset | list[Offset]
Levels = Literal["exact", "downsampled"]
Backend = Literal["torch", "triton"]


class ZoomUnzoom(nn.Module):
    """Zooms images to a target size, and unzooms the features made from them.

    Args:
        saliency: where to zoom. A tensor (1 or B, 1, h, w) is a fixed prior: copied to a buffer,
            in the state dict, whose warp and grids are computed once for as long as its values
            stay the same, however they are changed. A `torch.nn.Parameter` is learned as it stands.
            A callable or module, called with what `zoom` is given after the images, or with the
            images if nothing is, returns (B, 1, h, w) for each batch.
        size: (H, W) of the zoomed images.
        fwhm, separable, anti_crop, check: as in `Warp.from_saliency`. A fixed prior is checked
            when it is set, whatever `check` says; later, on a GPU, `check` decides whether each
            batch waits for a look at the buffer, or its warp and grids are computed anew.
        levels: "exact" inverts the warp at the cells of every feature map; "downsampled" inverts
            it on a grid of `size` and interpolates, as the paper does (4.2): see
            `lzu.core.pyramid`.
        backend: "triton" runs the kernels of `lzu.kernels`, on a GPU, in float32, float16 and
            bfloat16, where no gradient is wanted; elsewhere, and with "torch", PyTorch's operators.
            With `check=False`, here and there, `functools.partial(lzu.saliency.from_boxes, ...)`
            goes from boxes to the warp in one launch.

    Raises:
        TypeError, ValueError: as `Warp.from_saliency`; or a fixed prior requires a gradient, or
            `levels` or `backend` is neither, or the kernels are wanted for downsampled levels.

    >>> lens = ZoomUnzoom(torch.rand(1, 1, 31, 51) + 0.1, size=(60, 96), fwhm=10)
    >>> zoomed, warp = lens.zoom(torch.rand(2, 3, 120, 192))
    >>> levels = [torch.rand(2, 8, 8, 12), torch.rand(2, 8, 4, 6)]  # strides 8 and 16, padded
    >>> [tuple(level.shape) for level in lens.unzoom(levels, warp, strides=(8, 16))]
    [(2, 8, 8, 12), (2, 8, 4, 6)]
    """

    saliency: Any

    def __init__(
        self,
        saliency: Tensor | Callable[..., Tensor],
        size: Sequence[int],
        *,
        fwhm: float = 22.0,
        separable: bool = True,
        anti_crop: bool = True,
        check: bool = True,
        levels: Levels = "exact",
        backend: Backend = "torch",
    ) -> None:
        super().__init__()
        if levels not in get_args(Levels):
            raise ValueError(f'levels must be "exact" or "downsampled", got {levels!r}')
        if backend not in get_args(Backend):
            raise ValueError(f'backend must be "torch" or "triton", got {backend!r}')
        if backend == "triton" and levels == "downsampled":
            raise ValueError(
                'the kernels invert every level: use levels="exact", or backend="torch"'
            )
        self.size, self.levels, self.backend = as_size(size), levels, backend
        self.fwhm, self.separable, self.anti_crop, self.check = fwhm, separable, anti_crop, check
        self._fixed: tuple[Tensor, tuple[float, ...], Warp] | None = None
        if isinstance(saliency, Tensor) and not isinstance(saliency, nn.Parameter):
            self.register_buffer("saliency", as_buffer(saliency))
        elif isinstance(saliency, nn.Parameter) or callable(saliency):
            self.saliency = saliency
        else:
            raise TypeError(f"saliency must be a tensor or callable, got {type(saliency).__name__}")
        if isinstance(saliency, Tensor):
            self._make_warp(self.saliency, check=True)

    @property
    def is_fixed(self) -> bool:
        """Whether the saliency is a fixed prior."""
        return "saliency" in self._buffers

    def warp(self, *inputs: Any) -> Warp:
        """Return the warp; `inputs` go to a callable saliency."""
        if isinstance(self.saliency, Tensor):
            if inputs:
                raise TypeError("the saliency is a tensor, and takes no inputs")
            return self._fixed_warp() if self.is_fixed else self._make_warp(self.saliency)
        if self.backend == "triton":
            return fused.from_source(self.saliency, inputs, **self._settings(self.check))
        return self._make_warp(self.saliency(*inputs))

    def zoom(self, images: Tensor, *inputs: Any) -> tuple[Tensor, Warp]:
        """Return images (B, C, H, W) zoomed to `size`, and the warp that did it.

        `inputs` go to a callable saliency; without any it is given the images.
        """
        if not inputs and not isinstance(self.saliency, Tensor):
            inputs = (images,)
        warp = self.warp(*inputs)
        if self.backend == "triton":
            return fused.zoom(warp, images, self.size), warp
        return warp.zoom(images, self.size), warp

    def unzoom(
        self,
        features: Features,
        warp: Warp,
        *,
        strides: float | Sequence[float] | None = None,
        offsets: Offsets = 0.0,
    ) -> Features:
        """Return the features of zoomed images in uniform geometry, each of its own size.

        Args:
            features: (B, C, H, W), or a list, tuple or mapping of such, or of such containers.
            warp: what `zoom` returned.
            strides: pixels of the zoomed image per cell of each map, in their order: content ends
                at cell (size - 1) / stride, and padding beyond stays in its place. If None, the
                corners of every map lie on those of the zoomed image.
            offsets: the pixel of the zoomed image at which cell 0 sits, so that cell i sits at
                stride * i + offset: a number; two (y, x), for all maps; or a list with one or the
                other for each map, which two maps need. 0 for a ResNet's, (stride - 1) / 2 for
                patches and unpadded pooling: `lzu.core.lattice.content_region` says how to find
                one's own, and why it matters.

        Returns:
            The same kind of container, with the same keys: see `lzu.core.containers`.

        Raises:
            TypeError: something in a container is neither tensor nor container.
            ValueError: as many strides, and offsets in a list, as feature maps are needed; offsets
                need strides, and are a pair for two maps; else as `Warp.unzoom`.
        """
        levels = tensors_of(features)
        regions = self._regions(len(levels), strides, offsets)
        if self.backend == "triton":
            unzoomed = fused.unzoom(warp, levels, regions)
        else:
            finest = self.size if self.levels == "downsampled" else None
            unzoomed = unzoom_levels(levels, warp, extents=regions, finest=finest)
        restored: Features = with_tensors(features, iter(unzoomed))
        return restored

    def forward(self, images: Tensor, *inputs: Any) -> tuple[Tensor, Warp]:
        """Do as `zoom`."""
        return self.zoom(images, *inputs)

    def wrap(
        self,
        model: nn.Module,
        *,
        strides: float | Sequence[float] | None = None,
        offsets: Offsets = 0.0,
    ) -> "Zoomed":
        """Return unzoom(model(zoom(images))) as a module; see `Zoomed`."""
        return Zoomed(self, model, strides=strides, offsets=offsets)

    def extra_repr(self) -> str:
        kind = "fixed" if self.is_fixed else "learned" if self._parameters else "adaptive"
        return (
            f"{kind}, size={self.size}, fwhm={self.fwhm:g}, separable={self.separable}, "
            f"anti_crop={self.anti_crop}, levels={self.levels}, backend={self.backend}"
        )

    def _regions(
        self, count: int, strides: float | Sequence[float] | None, offsets: Offsets
    ) -> list[Region | None]:
        """Return the content region of each of `count` maps, as `unzoom` is told of it."""
        if isinstance(offsets, tuple) and len(offsets) == count == 2:
            raise ValueError(
                f"offsets {offsets} of two feature maps could be one a map or (y, x) of both: give "
                "a list with one for each map, such as [(y, x), (y, x)]"
            )
        by_map = list(offsets) if isinstance(offsets, list) else [offsets] * count
        if len(by_map) != count:
            raise ValueError(f"{count} feature maps, but {len(by_map)} offsets")
        if strides is None:
            if offsets != 0:
                raise ValueError("offsets are in pixels of the zoomed image, and need strides")
            return [None] * count
        several = isinstance(strides, Sequence) or getattr(strides, "ndim", 0) > 0
        strides = list(strides) if several else [strides]  # type: ignore[arg-type,list-item]
        if len(strides) != count:
            raise ValueError(f"{count} feature maps, but {len(strides)} strides")
        return [content_region(self.size, *one) for one in zip(strides, by_map, strict=True)]

    def _make_warp(self, saliency: Tensor, check: bool | None = None) -> Warp:
        make = fused.from_saliency if self.backend == "triton" else Warp.from_saliency
        return make(saliency, **self._settings(self.check if check is None else check))

    def _settings(self, check: bool) -> dict[str, Any]:
        return {
            "fwhm": self.fwhm,
            "separable": self.separable,
            "anti_crop": self.anti_crop,
            "check": check,
        }

    def _fixed_warp(self) -> Warp:
        """Return the warp of the buffer as it is now.

        Only its values tell whether it is as before. PyTorch counts what is written to a tensor,
        but not writes through `.data` (an averaged model's), by a broadcast of
        `DistributedDataParallel`, or through a NumPy view; and swapping tensors swaps the counts.
        On a CPU to compare 31 x 51 cells with a copy takes 1 us of the 4 ms of a zoom. On
        a GPU it waits for all work before, and a decision without waiting there is none: so where
        nothing may wait, the warp is computed each time, of a dozen small operations, and the
        grids of fifty if it is separable, of several hundred if not (with the kernels, one launch).
        """
        saliency = self.saliency
        if not _is_comparable(saliency):
            # Computed from the buffer, and so following it: in a recorded program at every run.
            return self._make_warp(saliency)
        if _waits(saliency.device) and (not self.check or _is_captured(saliency.device)):
            return self._make_warp(saliency, check=False)
        settings = (self.fwhm, self.separable, self.anti_crop)
        kept = self._fixed
        if kept is None or kept[1] != settings or not _are_same(kept[0], saliency):
            # The warp is that of the copy, whatever other threads do to the buffer meanwhile.
            copied = as_buffer(saliency.detach())
            kept = (copied, settings, self._make_warp(copied, check=True).fixed())
            self._fixed = kept
        return kept[2]

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "ZoomUnzoom":
        kept = self._buffers.get("saliency")
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]  # torch gives no types here
        if kept is not None:
            restore_precision(self, "saliency", kept)
        return self

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_fixed": None}


class Zoomed(nn.Module):
    """A model that sees zoomed images and returns its features in uniform geometry.

    Args:
        lens: the zoom.
        model: maps images (B, C, H, W) to features: a tensor, or a list, tuple or mapping of
            tensors (B, C', H', W').
        strides, offsets: as in `ZoomUnzoom.unzoom`.

    >>> backbone = nn.Conv2d(3, 8, 3, stride=4, padding=1)
    >>> lens = ZoomUnzoom(torch.rand(1, 1, 31, 51) + 0.1, size=(64, 96))
    >>> tuple(lens.wrap(backbone, strides=4)(torch.rand(2, 3, 128, 192)).shape)
    (2, 8, 16, 24)
    """

    def __init__(
        self,
        lens: ZoomUnzoom,
        model: nn.Module,
        *,
        strides: float | Sequence[float] | None = None,
        offsets: Offsets = 0.0,
    ) -> None:
        super().__init__()
        self.lens, self.model, self.strides, self.offsets = lens, model, strides, offsets

    def forward(self, images: Tensor, *inputs: Any) -> Any:
        """Return unzoom(model(zoom(images))); `inputs` go to a callable saliency."""
        zoomed, warp = self.lens.zoom(images, *inputs)
        return self.lens.unzoom(
            self.model(zoomed), warp, strides=self.strides, offsets=self.offsets
        )


def _is_comparable(saliency: Tensor) -> bool:
    """Return whether the values of a buffer can be looked at, and are all that it gives."""
    return (
        type(saliency) is Tensor
        and is_eager()
        and has_values(saliency)
        and not (saliency.requires_grad and torch.is_grad_enabled())
    )


def _waits(device: torch.device) -> bool:
    """Return whether to look at a value of `device` waits for other work there."""
    return device.type != "cpu"


def _is_captured(device: torch.device) -> bool:
    """Return whether a CUDA graph records, which no look at a value may interrupt."""
    return device.type == "cuda" and torch.cuda.is_current_stream_capturing()


def _are_same(kept: Tensor, saliency: Tensor) -> bool:
    alike = kept.dtype == saliency.dtype and kept.device == saliency.device
    return alike and torch.equal(kept, saliency)
