"""What saliency and boxes must be, with one error for each that is not."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from lzu.core.arguments import require_floating, require_shape


def require_saliency(saliency: Tensor, name: str = "saliency") -> None:
    """Raise an error unless `saliency` is a floating point (B, 1, h, w), with B at least 1.

    And h and w at least 2.
    """
    require_shape(saliency, name, ("B", 1, "h", "w"))
    require_floating(saliency, name)
    if len(saliency) < 1:
        raise ValueError(
            f"{name} must be (B, 1, h, w) with B at least 1, got {tuple(saliency.shape)}"
        )
    if min(saliency.shape[2:]) < 2:
        raise ValueError(f"{name} must have at least 2 x 2 cells, got {tuple(saliency.shape[2:])}")


def as_items(boxes: Any, columns: int, name: str = "boxes") -> list[Tensor]:
    """Return boxes (n, columns), (B, n, columns) or a list of (n, columns) as a list of B.

    Tensors and NumPy arrays, also mixed, of any real type of number: an item keeps its own. Who
    computes with them promotes: see `result_dtype`.

    Raises:
        TypeError: an item is no tensor or array of numbers.
        ValueError: no item, a wrong shape, or several devices.
    """
    forms = f"(n, {columns}), (B, n, {columns}) or a list of (n, {columns})"
    if _is_array(boxes):
        whole = _as_tensor(boxes, name)
        if (
            whole.ndim not in (2, 3)
            or whole.shape[-1] != columns
            or (whole.ndim == 3 and len(whole) == 0)
        ):
            raise ValueError(f"{name} must be {forms}, got {tuple(whole.shape)}")
        items = [whole] if whole.ndim == 2 else list(whole)
    elif isinstance(boxes, Iterable) and not isinstance(boxes, (str, bytes, dict, set)):
        items = [_as_tensor(item, f"{name}[{index}]") for index, item in enumerate(boxes)]
    else:
        raise TypeError(f"{name} must be {forms}, got {type(boxes).__name__}")
    if not items:
        raise ValueError(f"{name} must have at least one batch item, got an empty list")
    for index, item in enumerate(items):
        if item.ndim != 2 or item.shape[1] != columns:
            raise ValueError(f"{name} must be {forms}; batch item {index} is {tuple(item.shape)}")
        if item.device != items[0].device:
            raise ValueError(
                f"{name} are on several devices: {items[0].device} and, item {index}, {item.device}"
            )
    return items


def as_item(boxes: Any, columns: int, name: str = "boxes") -> Tensor:
    """Return boxes (n, columns), a tensor or an array, as a tensor; else raise as `as_items`."""
    item = _as_tensor(boxes, name)
    require_shape(item, name, ("n", columns))
    return item


def result_dtype(items: list[Tensor]) -> torch.dtype:
    """Return float64 if any item is float64, else float32: what is made of all of them."""
    return torch.float64 if any(i.dtype == torch.float64 for i in items) else torch.float32


def _is_array(value: Any) -> bool:
    return isinstance(value, Tensor) or hasattr(value, "__array__")


def _as_tensor(value: Any, name: str) -> Tensor:
    if not _is_array(value):
        raise TypeError(f"{name} must be a tensor or an array, got {type(value).__name__}")
    try:
        tensor = value if isinstance(value, Tensor) else torch.tensor(value, device="cpu")
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name} must be an array of numbers: {error}") from None
    if tensor.is_complex() or tensor.dtype == torch.bool:
        raise TypeError(f"{name} must hold real numbers, got {tensor.dtype}")
    return tensor


def require_boxes(items: list[Tensor]) -> None:
    """Raise an error that names the first box (n, 4) not finite or not of positive size."""
    for index, item in enumerate(items):
        # In float64: a difference of unsigned integers wraps, and one of float16 overflows.
        wide = item.double()
        sizes = wide[:, 2:] - wide[:, :2]
        _require_sizes(wide, sizes, f"batch item {index}", "left, top, right, bottom")


def require_boxes_3d(items: list[Tensor]) -> None:
    """Raise an error that names the first box (n, 7) not finite or not of positive size."""
    for index, item in enumerate(items):
        wide = item.double()
        _require_sizes(wide, wide[:, 3:6], f"batch item {index}", "x, y, z, l, h, w, yaw")


def _require_sizes(boxes: Tensor, sizes: Tensor, where: str, columns: str) -> None:
    good = torch.isfinite(boxes).all(1) & (sizes > 0).all(1)
    if not bool(good.all()):
        bad = int((~good).nonzero()[0, 0])
        raise ValueError(
            f"box {bad} of {where} has {_problem(boxes[bad])}: {columns} = {boxes[bad].tolist()}"
        )


def _problem(box: Tensor) -> str:
    if bool(torch.isnan(box).any()):
        return "a coordinate that is NaN"
    if bool(torch.isinf(box).any()):
        return "an infinite coordinate"
    return "zero or negative size"
