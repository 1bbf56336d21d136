"""What callers give, checked: numbers and tensors, with one error for each that is not as wanted.

Errors name the argument, what was given and what is wanted. Sizes and extents are in
`lzu.core.lattice`.
"""

import math
import numbers
from typing import Any

from torch import Tensor


def as_number(value: Any, name: str) -> float:
    """Return a real number, of Python, NumPy or a tensor without axes, as a float.

    So that arithmetic is done in double precision, whatever type the number came in.

    Raises:
        TypeError: no number, or a tensor whose gradient would be lost.
        ValueError: an integer past all floats.
    """
    if isinstance(value, Tensor):
        if value.ndim or value.is_complex() or str(value.dtype) == "torch.bool":
            raise TypeError(
                f"{name} must be a number, got a tensor {tuple(value.shape)} of {value.dtype}"
            )
        if value.requires_grad:
            raise TypeError(
                f"{name} must be a number: it takes no gradient, but a tensor that requires one "
                "was given (use .item())"
            )
        return float(value.item())
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        raise TypeError(f"{name} must be a number, got {type(value).__name__}")
    try:
        return float(value)
    except OverflowError:
        raise ValueError(f"{name} must be finite, got a number past 1e308") from None


def as_positive(value: Any, name: str) -> float:
    """Return a positive, finite number as a float; else raise TypeError or ValueError."""
    number = as_number(value, name)
    if not 0 < number < math.inf:
        raise ValueError(f"{name} must be positive and finite, got {value}")
    return number


def as_fraction(value: Any, name: str) -> float:
    """Return a number above 0 and at most 1 as a float; else raise TypeError or ValueError."""
    number = as_number(value, name)
    if not 0 < number <= 1:
        raise ValueError(f"{name} must be above 0 and at most 1, got {value}")
    return number


def as_integer(value: Any, name: str) -> int:
    """Return an integer, of whatever type of number it came in; else raise TypeError."""
    number = as_number(value, name)
    if not math.isfinite(number) or number != int(number):
        raise TypeError(f"{name} must be an integer, got {value}")
    return int(value)


def as_count(value: Any, name: str, minimum: int = 1) -> int:
    """Return an integer of at least `minimum`; else raise TypeError or ValueError."""
    count = as_integer(value, name)
    if count < minimum:
        raise ValueError(f"{name} must be at least {minimum}, got {count}")
    return count


def require_shape(tensor: Any, name: str, shape: tuple[int | str, ...]) -> None:
    """Raise an error unless `tensor` has a shape, such as ("B", "N", 2): its rank and the numbers.

    Raises:
        TypeError: no tensor.
        ValueError: another rank or, where `shape` has a number, another side.
    """
    wanted = f"({', '.join(map(str, shape))})"
    if not isinstance(tensor, Tensor):
        raise TypeError(f"{name} must be a tensor {wanted}, got {type(tensor).__name__}")
    fits = tensor.ndim == len(shape) and all(
        isinstance(want, str) or side == want
        for side, want in zip(tensor.shape, shape, strict=True)
    )
    if not fits:
        raise ValueError(f"{name} must be {wanted}, got {tuple(tensor.shape)}")


def require_floating(tensor: Tensor, name: str) -> None:
    """Raise a TypeError unless the tensor is floating point."""
    if not tensor.is_floating_point():
        raise TypeError(f"{name} must be floating point, got {tensor.dtype}")
