"""The warp T: zoom images by it, unzoom features by its inverse."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from lzu.core import construction
from lzu.core.arguments import as_count, require_floating, require_shape
from lzu.core.construction import Nodes
from lzu.core.indices import Index, batch_index
from lzu.core.lattice import Region, Size, as_region, as_size
from lzu.core.memory import Memory
from lzu.core.resample import broadcast_batch, require_images, sample
from lzu.core.separable import SeparableNodes

_GRIDS_KEPT = 64


@dataclass(frozen=True)
class Warp:
    """A batch of warps T of the unit square, from zoomed to source coordinates.

    Made by `from_saliency`, `from_nodes`, `from_node_grid` or `identity`. T is given at the nodes
    of a small lattice and runs linearly between them, or bilinearly if it is not separable: this
    piecewise map, the paper's T-tilde (Eq. 5), is the warp, and `zoom` and `unzoom` use it and
    its exact inverse.

    Convention: points are (x, y), sizes (height, width), coordinates run from 0 to 1 with the
    centres of the first and last sample at the ends (`align_corners=True`). Outside of the unit
    square T and its inverse go on with slope one. A batch of one warp serves any number of
    images, and one image any number of warps. All results are differentiable with respect to
    images, features, points and saliency. All are the caller's own, to be written to at will; of
    the warp itself `nodes` alone are not.

    >>> import torch
    >>> warp = Warp.from_saliency(torch.rand(1, 1, 31, 51) + 0.1, fwhm=10)
    >>> images = torch.rand(2, 3, 120, 192)
    >>> zoomed = warp.zoom(images, size=(60, 96))
    >>> features = torch.nn.functional.avg_pool2d(zoomed, 4)
    >>> tuple(zoomed.shape), tuple(warp.unzoom(features).shape)
    ((2, 3, 60, 96), (2, 3, 15, 24))
    """

    nodes: Nodes
    _grids: Memory | None = field(default=None, repr=False, compare=False)

    @classmethod
    def from_saliency(
        cls,
        saliency: Tensor,
        *,
        fwhm: float = 22.0,
        separable: bool = True,
        anti_crop: bool = True,
        check: bool = True,
    ) -> "Warp":
        """Return the Learning to Zoom warp of a saliency map (Eqs. 1-4).

        Args:
            saliency: (B, 1, h, w), positive; its scale does not matter.
            fwhm: full width at half maximum of the attraction kernel, in lattice cells. Wider
                kernels attract from farther away.
            separable: marginalise the saliency, so that the axes warp independently and
                rectangles stay rectangles (Eqs. 3-4), rather than warp the plane (Eqs. 1-2).
            anti_crop: reflect the saliency at the border, so that T maps the unit square onto
                itself; otherwise T crops the image.
            check: look for bad saliency and folds. On a GPU this waits for it, once. A traced
                program (`torch.compile`, `torch.export`) has no values yet and does not look.

        Returns:
            B warps, float64 if the saliency is, else float32.

        Raises:
            TypeError: saliency is not a floating point tensor.
            ValueError: saliency is not (B, 1, h, w) with h and w at least 2; or it has a NaN, an
                infinity, a zero or a negative value, or makes a warp that folds (`check`; batch
                item and cell are named); or a setting is not allowed.
        """
        return cls(
            construction.from_saliency(
                saliency, fwhm=fwhm, separable=separable, anti_crop=anti_crop, check=check
            )
        )

    @classmethod
    def from_nodes(
        cls, x: Tensor, y: Tensor, *, anti_crop: bool = True, check: bool = True
    ) -> "Warp":
        """Return the separable warp that runs linearly through the given nodes.

        Args:
            x: (B, w), T_x at j / (w - 1), strictly increasing; float32 or float64.
            y: (B, h), T_y at i / (h - 1), likewise, of the same dtype and device.
            anti_crop: the ends are exactly 0 and 1.
            check: look for folds, and for other ends if `anti_crop`.

        Raises:
            TypeError: not float32 or float64 tensors of one dtype.
            ValueError: wrong shapes or devices; or, with `check`, a fold or a wrong end.
        """
        return cls(construction.from_axes(x, y, anti_crop=anti_crop, check=check))

    @classmethod
    def from_node_grid(cls, grid: Tensor, *, anti_crop: bool = True, check: bool = True) -> "Warp":
        """Return the nonseparable warp that runs bilinearly through the given nodes.

        Args:
            grid: (B, h, w, 2), T = (x, y) at (j / (w - 1), i / (h - 1)); float32 or float64. T_x
                strictly increases along every row and T_y along every column, and no tile folds,
                as in all Learning to Zoom warps.
            anti_crop: the border nodes lie exactly on the border of the unit square.
            check: look for folds, and for other borders if `anti_crop`.

        Raises:
            TypeError: not a float32 or float64 tensor.
            ValueError: wrong shape; or, with `check`, a fold or a wrong border.
        """
        return cls(construction.from_grid(grid, anti_crop=anti_crop, check=check))

    @classmethod
    def identity(
        cls,
        lattice: Sequence[int] = (2, 2),
        *,
        batch: int = 1,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> "Warp":
        """Return the warp T(p) = p; to zoom by it is to resize with corners aligned."""
        h, w = as_size(lattice, "lattice")
        batch = as_count(batch, "batch")
        axes = (torch.linspace(0, 1, n, dtype=torch.float64, device="cpu") for n in (w, h))
        x, y = (axis.to(device, dtype).expand(batch, -1) for axis in axes)
        return cls.from_nodes(x, y)

    @property
    def batch(self) -> int:
        """The number of warps B."""
        return self.nodes.x.shape[0]

    @property
    def lattice(self) -> tuple[int, int]:
        """The lattice (h, w) of the nodes."""
        return self.nodes.lattice

    @property
    def dtype(self) -> torch.dtype:
        return self.nodes.x.dtype

    @property
    def device(self) -> torch.device:
        return self.nodes.x.device

    @property
    def x(self) -> Tensor:
        """T_x at the lattice points, (B, w), or (B, h, w) of a nonseparable warp; a copy."""
        return self.nodes.x.clone()

    @property
    def y(self) -> Tensor:
        """T_y at the lattice points, (B, h), or (B, h, w) of a nonseparable warp; a copy."""
        return self.nodes.y.clone()

    @property
    def is_separable(self) -> bool:
        """Whether the axes warp independently."""
        return isinstance(self.nodes, SeparableNodes)

    @property
    def crops(self) -> bool:
        """Whether the range of T may be other than the unit square."""
        return self.nodes.crops

    def __len__(self) -> int:
        return self.batch

    def __getitem__(self, index: Index) -> "Warp":
        """Return some of the warps, as `lzu.core.indices.batch_index` says; of one, a batch of one.

        Raises:
            IndexError: out of range.
            TypeError: no index.
        """
        which = batch_index(index, self.batch)
        return Warp(self.nodes.map(lambda nodes: nodes[which]))

    def to(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> "Warp":
        """Return the warp on another device, or in float32 or float64."""
        if dtype not in (None, torch.float32, torch.float64):
            raise TypeError(f"a warp is float32 or float64, not {dtype}")
        moved = self.nodes.map(lambda nodes: nodes.to(device=device, dtype=dtype))
        return Warp(moved, None if self._grids is None else Memory(_GRIDS_KEPT))

    def detach(self) -> "Warp":
        """Return the warp without its gradient."""
        return Warp(self.nodes.map(Tensor.detach))

    def fixed(self) -> "Warp":
        """Return the warp, detached, as one that remembers its grids.

        For a warp that serves many images: each grid, by size and extent, is then computed once.
        It has nodes of its own, and follows nothing that they came from.
        """
        with torch.inference_mode(False), torch.no_grad():
            nodes = self.nodes.map(lambda nodes: nodes.detach().clone())
        return Warp(nodes, Memory(_GRIDS_KEPT))

    def forward(self, points: Tensor) -> Tensor:
        """Return T(points): from zoomed to source coordinates.

        Args:
            points: (B, N, 2), (x, y) in [0, 1].

        Returns:
            (B, N, 2) in the wider dtype of points and warp.

        Raises:
            TypeError: points are not floating point.
            ValueError: wrong shape, device or batch size.
        """
        nodes, points = self._align(points)
        return nodes.forward(points)

    def inverse(self, points: Tensor) -> Tensor:
        """Return T^-1(points): from source to zoomed coordinates; as `forward` otherwise.

        inverse(forward(p)) = p up to rounding: float32 rounds T(p) by up to 6e-8, which the
        inverse multiplies by the magnification there.
        """
        nodes, points = self._align(points)
        return nodes.inverse(points)

    def zoom(self, images: Tensor, size: Sequence[int]) -> Tensor:
        """Return I'(p) = I(T(p)): what is salient, enlarged.

        Args:
            images: (B, C, H, W), floating point or uint8, the content without padding.
            size: (H', W') of the result, at least 2.

        Returns:
            (B, C, H', W') in the images' dtype and memory format, sampled bilinearly, in float32
            or wider. Of uint8 it is float32, of values from 0 to 255 as they are, not scaled; no
            floating-point copy of the whole image is made on the way.

        Raises:
            TypeError: images are neither floating point nor uint8.
            ValueError: wrong rank, size, device or batch size.
        """
        require_images(images, eight_bit=True)
        return sample(images, self._zoom_grid(as_size(size)), separable=self.is_separable)

    def unzoom(
        self,
        features: Tensor,
        size: Sequence[int] | None = None,
        extent: Sequence[float] | Region | None = None,
    ) -> Tensor:
        """Return F'(p) = F(T^-1(p)): features of zoomed images, back in uniform geometry (Eq. 6).

        Args:
            features: (B, C, H, W), floating point, of the zoomed images.
            size: (H', W') of the result; by default that of the features.
            extent: (ey, ex) in cells of the features: content coordinate 1 lies at this index
                down and right, perhaps between cells or past the last one. Beyond it is padding,
                where the axis is not warped, so that padding stays in its place. By default all
                of the map is content. See `lzu.core.lattice.content_extent`; and `content_region`
                there for features whose cell 0 is not at content coordinate 0.

        Returns:
            (B, C, H', W') in the features' dtype and memory format. Where a cropping warp shows
            nothing of the source (see `valid_mask`) it is zero.

        Raises:
            TypeError: features are not floating point.
            ValueError: wrong rank, size, extent, device or batch size.
        """
        require_images(features, "features")
        given = as_size(features.shape[2:], "features' size", 1)
        size = given if size is None else as_size(size, minimum=1)
        region = as_region(extent, given)
        if size != given:
            if min(given) < 2:
                raise ValueError(f"features of size {given} cannot be unzoomed to size {size}")
            (ey, ex), (oy, ox) = region
            y, x = (size[0] - 1) / (given[0] - 1), (size[1] - 1) / (given[1] - 1)
            region = Region((ey * y, ex * x), (oy * y, ox * x))
        unzoomed = sample(features, self._unzoom_grid(size, region), name="features")
        if not self.crops:
            return unzoomed
        return torch.where(self._valid_mask(size, region), unzoomed, 0)

    def zoom_grid(self, size: Sequence[int]) -> Tensor:
        """Return T over a map of `size` = (H, W) as `grid_sample`'s grid.

        Returns:
            (B, H, W, 2), (x, y) in [-1, 1], `align_corners=True`, in the warp's dtype.
        """
        return self._handed_out(self._zoom_grid(as_size(size)))

    def unzoom_grid(
        self, size: Sequence[int], extent: Sequence[float] | Region | None = None
    ) -> Tensor:
        """Return T^-1 over a map of `size` = (H, W) as `grid_sample`'s grid (Eq. 7).

        Args:
            size: (H, W), the size of the map, padding included.
            extent: (ey, ex), the map's content region in its cells, as in `unzoom`.

        Returns:
            (B, H, W, 2), (x, y) in [-1, 1] of the whole map, `align_corners=True`, in the warp's
            dtype. Where a cropping warp shows nothing, T^-1 goes on past the border.
        """
        return self.unzoom_grids([(size, extent)])[0]

    def unzoom_grids(
        self, maps: Sequence[tuple[Sequence[int], Sequence[float] | Region | None]]
    ) -> list[Tensor]:
        """Return `unzoom_grid` of several maps, (size, extent) each, as the levels of a pyramid.

        For a separable warp that costs little more than the grid of one.
        """
        sizes = [as_size(size, minimum=1) for size, _ in maps]
        regions = [as_region(extent, size) for size, (_, extent) in zip(sizes, maps, strict=True)]
        grids = self._unzoom_grids(list(zip(sizes, regions, strict=True)))
        return [self._handed_out(grid) for grid in grids]

    def valid_mask(
        self, size: Sequence[int], extent: Sequence[float] | Region | None = None
    ) -> Tensor:
        """Return which cells of an unzoomed map the zoom has shown, (B, 1, H, W) bool.

        All, unless the warp crops. Padding beyond `extent` counts as valid.
        """
        size = as_size(size, minimum=1)
        return self._handed_out(self._valid_mask(size, as_region(extent, size)))

    def magnification(
        self, size: Sequence[int], *, frame: str = "source", per_axis: bool = False
    ) -> Tensor:
        """Return how much larger the zoom shows each place than uniform resizing would.

        In a separable warp it is constant within a tile; where it jumps, on an edge, it is that of
        the right or lower tile.

        Args:
            size: (H, W) of the map of magnifications.
            frame: "source", places in the source image, or "zoomed", in the zoomed one.
            per_axis: give the two factors of a separable warp rather than their product.

        Returns:
            (B, H, W), the magnification of areas; or (B, H, W, 2), of lengths along x and y.
            It is zero where a cropping warp shows nothing.

        Raises:
            ValueError: an unknown frame, a size below 2, or `per_axis` of a nonseparable warp.
        """
        if frame not in ("source", "zoomed"):
            raise ValueError(f'frame must be "source" or "zoomed", got {frame!r}')
        return self.nodes.magnification(as_size(size), frame, per_axis)

    # What these return a `fixed` warp has itself, and gives to all who ask. So it is never written
    # to, and goes to a caller by `_handed_out` alone; zooming and unzooming spare the copy.

    def _zoom_grid(self, size: Size) -> Tensor:
        return self._remembered(("zoom", size), lambda: self.nodes.zoom_grid(size))

    def _unzoom_grids(self, maps: Sequence[tuple[Size, Region]]) -> list[Tensor]:
        if self._grids is None:
            return self.nodes.unzoom_grids(maps) if maps else []
        return [self._unzoom_grid(*one) for one in maps]

    def _unzoom_grid(self, size: Size, region: Region) -> Tensor:
        build = self.nodes.unzoom_grids
        return self._remembered(("unzoom", size, region), lambda: build([(size, region)])[0])

    def _valid_mask(self, size: Size, region: Region) -> Tensor:
        key = ("valid", size, region)
        return self._remembered(key, lambda: self.nodes.valid_mask(size, region))

    def _remembered(self, key: Hashable, build: Callable[[], Tensor]) -> Tensor:
        """Return what `build` makes; a `fixed` warp makes it once for a key."""
        return build() if self._grids is None else self._grids.get(key, build)

    def _handed_out(self, kept: Tensor) -> Tensor:
        return kept if self._grids is None else kept.clone()

    def _align(self, points: Tensor) -> tuple[Nodes, Tensor]:
        """Return nodes and points of one batch size and dtype."""
        require_shape(points, "points", ("B", "N", 2))
        require_floating(points, "points")
        if points.device != self.device:
            raise ValueError(f"points are on {points.device}, the warp is on {self.device}")
        batch = broadcast_batch(points.shape[0], self.batch, "points")
        dtype = torch.promote_types(points.dtype, self.dtype)
        nodes = self.nodes.map(lambda nodes: nodes.to(dtype).expand(batch, *nodes.shape[1:]))
        return nodes, points.to(dtype).expand(batch, -1, -1)


def require_warp(warp: object) -> None:
    """Raise a TypeError unless `warp` is a `Warp`."""
    if not isinstance(warp, Warp):
        raise TypeError(f"warp must be an lzu.Warp, got {type(warp).__name__}")
