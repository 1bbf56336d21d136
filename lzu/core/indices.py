"""Which items of a batch an index means."""

import operator
from collections.abc import Sequence
from typing import Any, SupportsIndex

import torch
from torch import Tensor

Index = SupportsIndex | slice | Sequence[int] | Sequence[bool] | Tensor


def batch_index(index: Any, batch: int) -> slice | Tensor:
    """Return `index` into `batch` items as what keeps the batch axis of a tensor.

    Args:
        index: one item: an integer, of Python, NumPy or a tensor without axes, negative from the
            end; or several: a slice, or a list, array or tensor (n,) of integers, or of `batch`
            bools that choose.
        batch: the number of items.

    Raises:
        IndexError: out of range, or a wrong number of bools.
        TypeError: neither of these; a single bool, above all.
    """
    if isinstance(index, slice):
        return index
    many = _as_tensor(index)
    if many is None or many.ndim == 0:
        return _one(index, batch)
    if many.ndim != 1 or many.is_floating_point() or many.is_complex():
        raise _wrong(index)
    if many.dtype == torch.bool:
        if len(many) != batch:
            raise IndexError(f"{len(many)} bools for a batch of {batch}")
        return many.nonzero().squeeze(1)
    return many.long()  # PyTorch takes uint8 for bools


def _as_tensor(index: Any) -> Tensor | None:
    """Return several indices as a tensor, and None for one."""
    if isinstance(index, Tensor):
        return index
    if isinstance(index, (list, tuple)) and not index:
        return torch.zeros(0, dtype=torch.long)
    if isinstance(index, (str, bytes)) or not hasattr(index, "__len__"):
        return None
    try:
        return torch.as_tensor(index, device="cpu")
    except (TypeError, ValueError, RuntimeError):
        raise _wrong(index) from None


def _one(index: Any, batch: int) -> slice:
    dtype = str(getattr(index, "dtype", type(index).__name__))
    try:
        if "bool" in dtype:
            raise TypeError
        item = operator.index(index)
    except TypeError:
        raise _wrong(index) from None
    if not -batch <= item < batch:
        raise IndexError(f"warp {item} of a batch of {batch}")
    return slice(item % batch, item % batch + 1)


def _wrong(index: Any) -> TypeError:
    return TypeError(
        "a batch is indexed by an integer, a slice, or a list or tensor (n,) of integers or bools, "
        f"not by {index!r:.80}"
    )
