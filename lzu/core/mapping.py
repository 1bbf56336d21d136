"""From saliency to the nodes of the warp T: the Learning to Zoom mapping (Eqs. 1-4)."""

import math

import torch
from torch import Tensor

from lzu.core.arguments import as_positive, require_floating, require_shape
from lzu.core.lattice import as_size, coordinates
from lzu.core.memory import constant


def separable_nodes(
    saliency: Tensor, *, fwhm: float = 22.0, anti_crop: bool = True
) -> tuple[Tensor, Tensor]:
    """Return the nodes of T along x (B, w) and along y (B, h), at the lattice points.

    Along x, with S_x(j) the sum of the saliency over the rows (Eq. 3; Eq. 4 is the same along y)::

        T_x(i) = sum_j k(j - i) S_x(j) x_j  /  sum_j k(j - i) S_x(j),    |j - i| <= p

    where k is a Gaussian of `fwhm` lattice cells and p = min(h, w) - 1 for both axes. The sum
    runs over cells outside the lattice too: they go on at x_j = j / (w - 1), and their saliency
    is reflected at the border (anti-cropping, which makes T(0) = 0 and T(1) = 1) or replicates
    the border's (the warp then crops, or reaches past the image).

    Args:
        saliency: (B, 1, h, w), positive; float32 or narrower is computed in float32.
        fwhm: full width at half maximum of the kernel, in cells.
        anti_crop: reflect the saliency rather than replicate it.

    Returns:
        Node coordinates in [0, 1] (with cropping, perhaps outside), differentiable with respect
        to the saliency. With anti-cropping the ends are exactly 0 and 1.

    Raises:
        TypeError, ValueError: saliency of another rank, or `fwhm` is not positive and finite.
    """
    fwhm = _checked(saliency, fwhm)
    if saliency.dtype != torch.float64:
        saliency = saliency.float()
    radius = min(saliency.shape[2:]) - 1
    along_x, along_y = saliency.sum(dim=(1, 2)), saliency.sum(dim=(1, 3))
    return (
        _axis_nodes(along_x, radius, fwhm, bool(anti_crop)),
        _axis_nodes(along_y, radius, fwhm, bool(anti_crop)),
    )


def nonseparable_nodes(saliency: Tensor, *, fwhm: float = 22.0, anti_crop: bool = True) -> Tensor:
    """Return the nodes (x, y) of T at the lattice points, (B, h, w, 2).

    Along x, and along y in the same way (Eqs. 1-2)::

        T_x(i, j) = sum k(m - i) k(n - j) S(m, n) x_n  /  sum k(m - i) k(n - j) S(m, n)

    over the cells (m, n) with |m - i| <= p and |n - j| <= p. The Gaussian in the plane is the
    product of those of `separable_nodes`, whose kernel, radius p and treatment of the border this
    shares. So T_x increases along every row, T_y along every column.

    Args:
        saliency: (B, 1, h, w), positive; float32 or narrower gives float32.
        fwhm: full width at half maximum of the kernel, in cells.
        anti_crop: reflect the saliency at the border rather than replicate it.

    Returns:
        Node coordinates, differentiable with respect to the saliency. With anti-cropping those of
        the border lie exactly on the border of the unit square.

    Raises:
        TypeError, ValueError: saliency of another rank, or `fwhm` is not positive and finite.
    """
    fwhm = _checked(saliency, fwhm)
    dtype = saliency.dtype if saliency.dtype == torch.float64 else torch.float32
    h, w = saliency.shape[2:]
    settings = (min(h, w) - 1, fwhm, bool(anti_crop), torch.float64, saliency.device)
    along_y, along_x = folded_kernels(h, *settings), folded_kernels(w, *settings)
    weight, attraction_x, attraction_y = attraction(saliency, along_y, along_x)
    x = coordinates(w, float(w - 1), torch.float64, saliency.device) + attraction_x / weight
    y = coordinates(h, float(h - 1), torch.float64, saliency.device).unsqueeze(1)
    return torch.stack((x, y + attraction_y / weight), dim=-1).to(dtype)


def attraction(saliency: Tensor, along_y: Tensor, along_x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the sums over cells that move the nodes of a nonseparable warp.

    Args:
        saliency: (B, 1, h, w).
        along_y, along_x: `folded_kernels` of the axes, (2, h, h) and (2, w, w), float64.

    Returns:
        Three of (B, h, w), float64: the sum of kernel times saliency at each node; and of kernel
        times saliency times (x_j - x_i), and times (y_j - y_i).
    """
    # In float64, which autocast and TF32 leave alone.
    columns = saliency.double() @ along_x.transpose(1, 2)
    weight, attraction_x = (along_y[0] @ columns).unbind(1)
    return weight, attraction_x, along_y[1] @ columns[:, 0]


def _checked(saliency: Tensor, fwhm: float) -> float:
    require_shape(saliency, "saliency", ("B", 1, "h", "w"))
    require_floating(saliency, "saliency")
    as_size(saliency.shape[2:], "saliency's lattice")
    return as_positive(fwhm, "fwhm")


def _axis_nodes(marginal: Tensor, radius: int, fwhm: float, anti_crop: bool) -> Tensor:
    """Return T (B, n) at the lattice points of one axis, from the marginal saliency (B, n)."""
    n, dtype, device = marginal.shape[1], marginal.dtype, marginal.device
    kernels = folded_kernels(n, radius, fwhm, anti_crop, dtype, device)
    # A product and a sum rather than a matmul: autocast and TF32 would round the latter.
    weight, attraction = (marginal[:, None, None, :] * kernels).sum(-1).unbind(1)
    return coordinates(n, float(n - 1), dtype, device) + attraction / weight


@constant
def folded_kernels(
    n: int, radius: int, fwhm: float, anti_crop: bool, dtype: torch.dtype, device: torch.device
) -> Tensor:
    """Return (2, n, n): sums over padded cells, written as sums over the n cells themselves.

    Row i of the first is k(j - i), of the second k(j - i) (x_j - x_i), with each cell j outside
    added to the cell that its saliency is copied from. Taking x_j relative to x_i makes the
    reflected cells cancel to exactly 0 in the first and last row, which pins the ends of T.
    """
    offset = torch.arange(-radius, radius + 1, dtype=torch.float64, device="cpu")
    kernel = torch.exp(-4 * math.log(2) * (offset / fwhm) ** 2)
    node = torch.arange(n, device="cpu").unsqueeze(1)
    cell = node + offset.long()
    source = cell.clamp(0, n - 1)
    if anti_crop:
        source = (n - 1) - ((n - 1) - cell.abs()).abs()
    folded = torch.zeros(2, n, n, dtype=torch.float64, device="cpu")
    for target, values in zip(folded, (kernel, kernel * offset / (n - 1)), strict=True):
        target.scatter_add_(1, source, values.expand(n, -1))
    if anti_crop:
        # Exact in theory; stated because the order of scatter_add's sums is not promised.
        folded[1, 0] = folded[1, -1] = 0
    return folded.to(dtype).to(device)


def forward_axis(nodes: Tensor, points: Tensor) -> Tensor:
    """Return T at `points`, along one axis: linear between nodes, of slope one outside [0, 1].

    Args:
        nodes: (B, n).
        points: (B, N), of the nodes' dtype.

    Returns:
        (B, N), differentiable with respect to nodes and points.
    """
    last = nodes.shape[1] - 1
    inside = points.clamp(0, 1)
    position = inside * last
    # Clamped as integers, because NaN becomes some integer, and must not index out of bounds.
    tile = position.detach().long().clamp(0, last - 1)
    low, high = nodes.gather(1, tile), nodes.gather(1, tile + 1)
    return torch.lerp(low, high, position - tile) + (points - inside)


def forward_axis_grid(nodes: Tensor, size: int) -> Tensor:
    """Return T (B, size) at `size` coordinates from 0 to 1, both ends included."""
    tile, fraction = grid_tiles(nodes.shape[1], size, nodes.dtype, nodes.device)
    low, high = nodes.index_select(1, tile), nodes.index_select(1, tile + 1)
    return torch.lerp(low, high, fraction)


@constant
def grid_tiles(
    n: int, size: int, dtype: torch.dtype, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Return the tile (size,) of each grid coordinate and its place (size,) in it, in [0, 1]."""
    # In integers, so that a grid point on a node is exactly on it.
    scaled = torch.arange(size, device="cpu") * (n - 1)
    tile = (scaled // (size - 1)).clamp(max=n - 2)
    fraction = (scaled - tile * (size - 1)).double() / (size - 1)
    return tile.to(device), fraction.to(dtype).to(device)
