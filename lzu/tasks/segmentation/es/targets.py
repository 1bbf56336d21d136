"""Where ES would like to sample an image: near its semantic boundaries, and evenly."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import SuperLU, splu

from lzu.core.arguments import as_number
from lzu.core.lattice import Size, as_size

Weights = Literal["correct", "released"]
Nodes = Literal["exact", "truncated"]

IGNORE = 255
# Boundary points at once: the memory of labels that are all boundaries stays bounded.
_POINTS_AT_ONCE = 1 << 15


def target_locations(
    labels: NDArray[np.uint8],
    lattice: Sequence[int] = (8, 8),
    alpha: float = 0.5,
    classes: Sequence[int] | None = None,
    weights: Weights = "correct",
    nodes: Nodes = "exact",
) -> NDArray[np.float64]:
    """Return the locations phi of a lattice that minimise::

        alpha * sum_i |phi_i - b_i|^2  +  (1 - alpha) * sum_(i, j neighbours) |phi_i - phi_j|^2

    where b_i is the boundary point nearest to where node i of the uniform lattice lies, and
    neighbours are four. Nodes of the first and last row keep their y, those of the first and last
    column their x, so corners stay. x and y of points run from 0 to 1; nearest is by pixels. The
    solve is exact: linear least squares, of a matrix that no image changes.

    Convention: `align_corners=True`, x first.

    Slips of the released code: it weighs neighbours by 1 - sqrt(alpha) rather than 1 - alpha (0.29
    for 0.5, so 0.586 times as much against the boundaries), `weights="released"`; and looks for
    b_i from the pixel up and left of the node, `nodes="truncated"`. On images that are not square
    it takes the columns of the nodes from the height; this is not reproduced.

    Args:
        labels: (H, W) trainIds, uint8, 255 for none; both sides at least 2.
        lattice: (h, w) nodes, at least 2.
        alpha: from 0 to 1.
        classes: boundary points are pixels of these trainIds only; None means of all. The
            released scripts take 11 to 18.
        weights, nodes: "correct" and "exact", or as the released code has them.

    Returns:
        (h, w, 2), in [0, 1]: the uniform lattice if there is no boundary point.

    Raises:
        TypeError: labels are not uint8.
        ValueError: labels are not (H, W), an `alpha` is outside [0, 1], or an unknown option.
    """
    size = as_size(lattice, "lattice")
    alpha = as_number(alpha, "alpha")
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha must be in [0, 1], got {alpha}")
    if weights not in ("correct", "released"):
        raise ValueError(f'weights must be "correct" or "released", got {weights!r}')
    if nodes not in ("exact", "truncated"):
        raise ValueError(f'nodes must be "exact" or "truncated", got {nodes!r}')
    uniform = uniform_lattice(size)
    boundary = boundary_pixels(labels, classes)
    if not boundary.any() or size == (2, 2):
        return uniform
    nearest = _nearest_points(boundary, size, nodes == "truncated")
    smoothness = 1 - (alpha if weights == "correct" else alpha**0.5)
    free, factors, fixed = _system(size, alpha, smoothness)
    solution = uniform.ravel()
    solution[free] = factors.solve(alpha * nearest.ravel()[free] - fixed)
    return solution.reshape(uniform.shape).clip(0, 1)


def boundary_pixels(
    labels: NDArray[np.uint8], classes: Sequence[int] | None = None
) -> NDArray[np.bool_]:
    """Return the pixels (H, W) that differ from one of their four neighbours, as in ES.

    A pixel of label 255 is none, but its neighbours are; of `classes`, only pixels of these
    trainIds are.

    Raises:
        TypeError, ValueError: as `target_locations`.
    """
    if not isinstance(labels, np.ndarray) or labels.dtype != np.uint8:
        raise TypeError(f"labels must be an array of uint8, got {getattr(labels, 'dtype', labels)}")
    if labels.ndim != 2 or min(labels.shape) < 2:
        raise ValueError(f"labels must be (H, W), at least 2 x 2, got {labels.shape}")
    found = np.zeros(labels.shape, bool)
    across, down = labels[:, 1:] != labels[:, :-1], labels[1:] != labels[:-1]
    found[:, 1:] |= across
    found[:, :-1] |= across
    found[1:] |= down
    found[:-1] |= down
    wanted = np.ones(256, bool)
    if classes is not None:
        wanted[:] = False
        wanted[list(classes)] = True
    wanted[IGNORE] = False
    return found & wanted[labels]


def uniform_lattice(lattice: Size) -> NDArray[np.float64]:
    """Return the nodes (h, w, 2) of the uniform lattice of (h, w) nodes, x first, in [0, 1]."""
    y, x = (np.arange(n) / (n - 1) for n in lattice)
    return np.stack(np.broadcast_arrays(x, y[:, None]), axis=-1)


def _nearest_points(
    boundary: NDArray[np.bool_], lattice: Size, truncated: bool
) -> NDArray[np.float64]:
    """Return (h, w, 2), x first, in [0, 1]: the boundary pixel nearest to each node.

    Of several equally near ones, the first in the order of rows, then columns. Distances are
    compared in integers, so that there is no tie but a true one.
    """
    points = np.argwhere(boundary)
    steps = [n - 1 for n in lattice]
    # A node lies at k (H - 1) / (h - 1) pixels: in units of 1 / (h - 1) px along y, and so on.
    along = [np.arange(n) * (side - 1) for n, side in zip(lattice, boundary.shape, strict=True)]
    if truncated:
        along = [node // step * step for node, step in zip(along, steps, strict=True)]
    best = np.full(lattice, np.iinfo(np.int64).max)
    index = np.zeros(lattice, np.int64)
    for start in range(0, len(points), _POINTS_AT_ONCE):
        part = points[start : start + _POINTS_AT_ONCE]
        rows, columns = (
            (other * (node[:, None] - step * part[:, axis])) ** 2
            for axis, (node, step, other) in enumerate(
                zip(along, steps, reversed(steps), strict=True)
            )
        )
        for row, distances in enumerate(rows):
            squared = distances + columns
            nearest = squared.argmin(axis=1)
            found = squared[np.arange(lattice[1]), nearest]
            # Strictly, so that the first stays.
            nearer = found < best[row]
            best[row, nearer] = found[nearer]
            index[row, nearer] = nearest[nearer] + start
    return points[index][..., ::-1] / (np.array(boundary.shape[::-1]) - 1)


@lru_cache(maxsize=8)
def _system(
    lattice: Size, alpha: float, smoothness: float
) -> tuple[NDArray[np.int64], SuperLU, NDArray[np.float64]]:
    """Return what no image changes of the normal equations A phi = alpha b - fixed.

    Returns:
        The indices of the free coordinates in (h, w, 2), flattened; the factorised A of these;
        and what the coordinates that do not move contribute.
    """
    h, w = lattice
    chains = [
        sparse.diags_array([-np.ones(n - 1), np.ones(n - 1)], offsets=[0, 1], shape=(n - 1, n))
        for n in lattice
    ]
    differences = sparse.vstack(
        [sparse.kron(chains[0], sparse.eye_array(w)), sparse.kron(sparse.eye_array(h), chains[1])]
    )
    laplacian = sparse.kron(differences.T @ differences, sparse.eye_array(2))
    matrix = (alpha * sparse.eye_array(2 * h * w) + smoothness * laplacian).tocsr()
    moves = np.ones((h, w, 2), bool)
    moves[:, [0, -1], 0] = False
    moves[[0, -1], :, 1] = False
    free, pinned = np.flatnonzero(moves), np.flatnonzero(~moves)
    fixed = matrix[free][:, pinned] @ uniform_lattice(lattice).ravel()[pinned]
    return free, splu(matrix[free][:, free].tocsc()), fixed
