"""What saliency, boxes and settings must be, with one error for each that is not."""

import numbers
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


def require_saliency(saliency: Tensor, name: str = "saliency") -> None:
    """Raise an error unless `saliency` is a floating point (B, 1, h, w) with h and w at least 2."""
    if not isinstance(saliency, Tensor) or not saliency.is_floating_point():
        kind = saliency.dtype if isinstance(saliency, Tensor) else type(saliency).__name__
        raise TypeError(f"{name} must be a floating point tensor, got {kind}")
    if saliency.ndim != 4 or saliency.shape[1] != 1:
        raise ValueError(f"{name} must be (B, 1, h, w), got {tuple(saliency.shape)}")
    if min(saliency.shape[2:]) < 2:
        raise ValueError(f"{name} must have at least 2 x 2 cells, got {tuple(saliency.shape[2:])}")


def require_number(**settings: Any) -> None:
    """Raise a TypeError that names the first setting that is no single real number."""
    for name, value in settings.items():
        if isinstance(value, Tensor) and value.ndim == 0 and value.dtype != torch.bool:
            continue
        if not isinstance(value, numbers.Real) or isinstance(value, bool):
            shown = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
            raise TypeError(f"{name} must be a number, got {shown}")


def require_positive(**settings: float) -> None:
    """Raise an error that names the first setting that is not positive and finite."""
    for name, value in settings.items():
        require_number(**{name: value})
        if not 0 < value < float("inf"):
            raise ValueError(f"{name} must be positive and finite, got {value}")


def require_fraction(**settings: float) -> None:
    """Raise an error that names the first setting that is not above 0 and at most 1."""
    for name, value in settings.items():
        require_number(**{name: value})
        if not 0 < value <= 1:
            raise ValueError(f"{name} must be above 0 and at most 1, got {value}")


def as_items(boxes: Tensor | Sequence[Tensor], columns: int, name: str = "boxes") -> list[Tensor]:
    """Return boxes (n, columns), (B, n, columns) or a list of (n, columns) as a list of B.

    All are float64 if one of them is, else float32: no item loses what its type can tell, and no
    difference of two columns wraps or overflows.

    Raises:
        TypeError: an item is no tensor of numbers.
        ValueError: no item, a wrong shape, or several devices.
    """
    wanted = f"(n, {columns}), a list of (n, {columns}) or (B, n, {columns})"
    if isinstance(boxes, Tensor) and boxes.ndim not in (2, 3):
        raise ValueError(f"{name} must be {wanted}, got {tuple(boxes.shape)}")
    if not isinstance(boxes, (Tensor, list, tuple)):
        raise TypeError(f"{name} must be tensors, {wanted}, got {type(boxes).__name__}")
    items = [boxes] if isinstance(boxes, Tensor) and boxes.ndim == 2 else list(boxes)
    if not items:
        raise ValueError(f"{name} must have at least one batch item, got an empty list")
    for index, item in enumerate(items):
        if not isinstance(item, Tensor):
            raise TypeError(f"{name}[{index}] must be a tensor, got {type(item).__name__}")
        if item.is_complex() or item.dtype == torch.bool:
            raise TypeError(f"{name}[{index}] must hold numbers, got {item.dtype}")
        if item.ndim != 2 or item.shape[1] != columns:
            raise ValueError(f"{name} must be {wanted}; batch item {index} is {tuple(item.shape)}")
        if item.device != items[0].device:
            raise ValueError(
                f"{name} are on several devices: {items[0].device} and, item {index}, {item.device}"
            )
    double = any(item.dtype == torch.float64 for item in items)
    return [item.to(torch.float64 if double else torch.float32) for item in items]


def require_boxes(items: list[Tensor]) -> None:
    """Raise an error that names the first box (n, 4) not finite or not of positive size."""
    for index, item in enumerate(items):
        _require_sizes(
            item,
            item[:, 2:] - item[:, :2],
            f"batch item {index}",
            "left, top, right, bottom",
        )


def require_boxes_3d(items: list[Tensor]) -> None:
    """Raise an error that names the first box (n, 7) not finite or not of positive size."""
    for index, item in enumerate(items):
        _require_sizes(item, item[:, 3:6], f"batch item {index}", "x, y, z, l, h, w, yaw")


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
