"""Predictions of sampled images, sent back to all pixels of the image that was sampled.

Convention, as in `lds.grid` and `es.locations`: locations (B, h, w, 2) say where in the image each
pixel of the network's input was taken from; x first, in [0, 1], `align_corners=True`. Where several
samples share a place, the last in row-major order counts. All is computed on the CPU, an image
after the other.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import Delaunay, cKDTree
from torch import Tensor

from lzu.core.arguments import as_count, require_floating, require_shape
from lzu.core.lattice import Size, as_size
from lzu.tasks.segmentation.rasterise import Spans, triangle_spans

IGNORE = 255
# Locations are taken to a whole number of these per pixel: far finer than matters, and coarser
# than what float32 rounds away, so that a sample at a pixel's centre, or at the border, lies there.
_PLACES_PER_PIXEL = 1024
# Pixels at once: their scores, of all classes, stay in a CPU's cache.
_PIXELS_AT_ONCE = 1 << 14


def nearest(
    values: Tensor,
    locations: Tensor,
    size: Sequence[int],
    rounding: Literal["nearest", "floor"] = "nearest",
) -> Tensor:
    """Return each pixel's value from the nearest pixel that was sampled: the way of LDS.

    Values are written to the pixels nearest to their locations (half-way: to the even one); any
    other pixel takes the value of the one of these that is nearest to it by Euclidean distance,
    exactly. Of several equally near ones it is one of them, the same in every run.

    Slips of the released code: it writes to the pixel up and left of the location,
    `rounding="floor"`; and writes scores blurred by half a pixel of the network, before their
    argmax, which is not reproduced: give it classes, or labels.

    Args:
        values: (B, h, w) classes or labels, integers.
        locations: (B, h, w, 2), of any floating dtype.
        size: (H, W) of the image.
        rounding: "nearest", or "floor" as the released code has it.

    Returns:
        (B, H, W), of the values' dtype and device.

    Raises:
        TypeError: values are not integers, or locations not floating point.
        ValueError: shapes that do not fit, locations outside of [0, 1], or an unknown rounding.
    """
    require_shape(values, "values", ("B", "h", "w"))
    if values.is_floating_point() or values.is_complex():
        raise TypeError(f"values must be integers, got {values.dtype}")
    if rounding not in ("nearest", "floor"):
        raise ValueError(f'rounding must be "nearest" or "floor", got {rounding!r}')
    size = as_size(size)
    places = _in_pixels(locations, values.shape, size)
    to_pixels = np.rint if rounding == "nearest" else np.floor
    return _each(values, places, lambda v, p: _nearest(v, to_pixels(p).astype(np.int64), size))


def linear(logits: Tensor, locations: Tensor, size: Sequence[int]) -> Tensor:
    """Return the classes of logits interpolated linearly between the samples: the way of ES.

    The logits are linear on each triangle of the Delaunay triangulation of the locations, in
    pixels. Outside of their convex hull a pixel takes the class of the location nearest to it, as
    it does everywhere if all locations lie on one line. Of equal logits the first class counts.
    Where locations are corners of one empty circle the triangulation is one of several, the same
    in every run. Locations are rounded to 1/1024 of a pixel.

    Args:
        logits: (B, C, h, w), floating point, at most 255 classes.
        locations: (B, h, w, 2), of any floating dtype.
        size: (H, W) of the image.

    Returns:
        (B, H, W) classes, uint8, on the logits' device.

    Raises:
        TypeError: logits or locations are not floating point.
        ValueError: shapes that do not fit, or locations outside of [0, 1].
    """
    require_shape(logits, "logits", ("B", "C", "h", "w"))
    require_floating(logits, "logits")
    if not 1 <= logits.shape[1] <= IGNORE:
        raise ValueError(f"logits must have 1 to {IGNORE} classes, got {logits.shape[1]}")
    size = as_size(size)
    batch, _, h, w = logits.shape
    places = _in_pixels(locations, (batch, h, w), size)
    rows = logits.detach().float().permute(0, 2, 3, 1)
    return _each(rows, places, lambda scores, p: _linear(scores, p, size))


def linear_labels(labels: Tensor, locations: Tensor, size: Sequence[int], classes: int) -> Tensor:
    """Return sampled labels sent back as ES does logits: each counts as certain of its class.

    Args:
        labels: (B, h, w) trainIds, 255 for none, which is treated as one class more.
        locations, size: as in `linear`.
        classes: how many trainIds there are; at most 254.

    Returns:
        (B, H, W) trainIds, uint8.

    Raises:
        TypeError, ValueError: as `linear`, or a label that is no trainId.
    """
    require_shape(labels, "labels", ("B", "h", "w"))
    classes = as_count(classes, "classes")
    none = labels == IGNORE
    if bool((~none & ((labels < 0) | (labels >= classes))).any()):
        raise ValueError(f"labels must be trainIds below {classes} or {IGNORE}")
    index = torch.where(none, classes, labels.long())
    certain = F.one_hot(index, classes + 1).permute(0, 3, 1, 2).float()
    found = linear(certain, locations, size)
    return torch.where(found == classes, IGNORE, found).to(torch.uint8)


def _each(
    values: Tensor,
    places: NDArray[np.float64],
    send_back: Callable[[NDArray, NDArray[np.float64]], NDArray],
) -> Tensor:
    """Return what `send_back` makes of every item, stacked, on the values' device."""
    items = values.detach().cpu().numpy()
    sent = [send_back(item, place) for item, place in zip(items, places, strict=True)]
    return torch.from_numpy(np.stack(sent)).to(values.device)


def _in_pixels(locations: Tensor, shape: Sequence[int], size: Size) -> NDArray[np.float64]:
    """Return the locations (B, h, w, 2) in pixels, x first."""
    require_shape(locations, "locations", ("B", "h", "w", 2))
    require_floating(locations, "locations")
    if tuple(locations.shape[:3]) != tuple(shape) or 0 in locations.shape:
        raise ValueError(
            f"locations must be {(*shape, 2)}, with no side of 0, got {tuple(locations.shape)}"
        )
    last = np.array(size[::-1]) - 1
    places = locations.detach().double().cpu().numpy() * last
    places = np.rint(places * _PLACES_PER_PIXEL) / _PLACES_PER_PIXEL
    if not ((places >= 0) & (places <= last)).all():
        raise ValueError("locations must be finite and in [0, 1]: clamp them to the image")
    return places


def _nearest(values: NDArray, pixels: NDArray[np.int64], size: Size) -> NDArray:
    """Return (H, W) from values (h, w) at pixels (h, w, 2), x first."""
    index = (pixels[..., 1] * size[1] + pixels[..., 0]).ravel()
    full = np.zeros(size, values.dtype)
    empty = np.ones(size, bool)
    # Where an index occurs more than once, NumPy keeps the last value.
    full.ravel()[index] = values.ravel()
    empty.ravel()[index] = False
    rows, columns = ndimage.distance_transform_edt(
        empty, return_distances=False, return_indices=True
    )
    return full[rows, columns]


def _linear(
    scores: NDArray[np.float32], places: NDArray[np.float64], size: Size
) -> NDArray[np.uint8]:
    """Return classes (H, W) from scores (h, w, C) at places (h, w, 2) in pixels, x first."""
    points, chosen = _last_of_each(places.reshape(-1, 2))
    rows = scores.reshape(-1, scores.shape[-1])[chosen]
    classes = rows.argmax(1).astype(np.uint8)
    full = np.full(size[0] * size[1], IGNORE, np.uint8)
    if np.linalg.matrix_rank(points - points[0]) == 2:
        triangles = Delaunay(points).simplices
        spans = triangle_spans(points, triangles, size)
        corners = classes[triangles]
        # A mean of scores that all have their maximum at one class has it there too.
        sure = (corners == corners[:, :1]).all(1)[spans.triangle]
        part = spans[sure]
        full[part.pixels(size)] = np.repeat(corners[part.triangle, 0], part.length)
        for part in _bands(spans[~sure]):
            pixels, triangle = part.pixels(size), np.repeat(part.triangle, part.length)
            full[pixels] = _classes_within(rows, points, triangles[triangle], pixels, size)
    rest = np.flatnonzero(full == IGNORE)
    if len(rest):
        where = np.stack((rest % size[1], rest // size[1]), axis=1)
        full[rest] = classes[cKDTree(points).query(where)[1]]
    return full.reshape(size)


def _last_of_each(places: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the distinct places (N, 2), and for each the index of its last sample."""
    key = places[::-1, 1] * (2 * places.max() + 1) + places[::-1, 0]
    index = len(places) - 1 - np.unique(key, return_index=True)[1]
    return places[index], index


def _bands(spans: Spans) -> Iterator[Spans]:
    """Split spans into parts of some `_PIXELS_AT_ONCE` pixels."""
    ends = spans.length.cumsum()
    if len(ends):
        cuts = np.searchsorted(ends, np.arange(_PIXELS_AT_ONCE, ends[-1], _PIXELS_AT_ONCE))
        for start, stop in zip([0, *cuts], [*cuts, len(ends)], strict=True):
            yield spans[start:stop]


def _classes_within(
    rows: NDArray[np.float32],
    points: NDArray[np.float64],
    corners: NDArray[np.int32],
    pixels: NDArray[np.int64],
    size: Size,
) -> NDArray[np.uint8]:
    """Return the classes (M,) of pixels (M,) that lie in triangles of these corners (M, 3)."""
    origin, first, second = (points[corner].T for corner in corners.T)
    first, second = first - origin, second - origin
    x, y = pixels % size[1] - origin[0], pixels // size[1] - origin[1]
    area = first[0] * second[1] - first[1] * second[0]
    v = (x * second[1] - y * second[0]) / area
    w = (first[0] * y - first[1] * x) / area
    shares = (1 - v - w, v, w)
    mixed = sum(
        rows[corner] * share.astype(np.float32)[:, None]
        for corner, share in zip(corners.T, shares, strict=True)
    )
    return mixed.argmax(1)
