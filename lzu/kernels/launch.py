"""What all kernels share on the host: checks of their arguments, and the launch."""

from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor
from triton.runtime import JITFunction

from lzu.core.arguments import require_shape

LATTICE_MAX = 1024  # cells along an axis; a program holds an axis of the lattice at once
OPTIONS = {"enable_fp_fusion": True}  # of every kernel; Triton's default depends on its version
_GRID_MAX = 65535  # CUDA's, along the second and third axis


def launch(kernel: Any, grid: tuple[int, ...], *arguments: Any, **options: Any) -> None:
    """Launch `kernel` on the device of its first tensor."""
    if max(grid[1:], default=1) > _GRID_MAX:
        raise ValueError(f"the Triton kernels take up to {_GRID_MAX} items, got a grid of {grid}")
    device = first_tensor(arguments).device
    if not isinstance(kernel, JITFunction):
        context = nullcontext()  # Triton's interpreter, which runs on any device
    elif device.type != "cuda":
        raise ValueError(
            f"Triton kernels run on CUDA tensors, these are on {device}: move them to a GPU, use "
            "the PyTorch path, or set TRITON_INTERPRET=1 before Triton is imported"
        )
    else:
        context = torch.cuda.device(device)
    with context:
        kernel[grid](*arguments, **OPTIONS, **options)


def first_tensor(arguments: tuple) -> Tensor:
    """Return the first tensor among `arguments`, tuples among them included."""
    for argument in arguments:
        while isinstance(argument, tuple) and argument:
            argument = argument[0]
        if isinstance(argument, Tensor):
            return argument
    raise AssertionError("a kernel without tensors")


def require_tensors(dtypes: tuple[torch.dtype, ...], **tensors: Tensor) -> None:
    """Raise an error unless all are tensors of these dtypes, on one device, without a gradient."""
    first_name, first = next(iter(tensors.items()))
    for name, tensor in tensors.items():
        if not isinstance(tensor, Tensor):
            raise TypeError(f"{name} must be a tensor, got {type(tensor).__name__}")
        if tensor.dtype not in dtypes:
            allowed = ", ".join(str(dtype).removeprefix("torch.") for dtype in dtypes)
            raise TypeError(
                f"{name} must be one of {allowed} for the Triton kernels, got {tensor.dtype}; "
                "the PyTorch path takes other types"
            )
        if tensor.device != first.device:
            raise ValueError(f"{first_name} is on {first.device}, but {name} is on {tensor.device}")
        if tensor.requires_grad and torch.is_grad_enabled():
            raise RuntimeError(
                f"{name} requires a gradient, and the Triton kernels have none: call them under "
                "torch.no_grad(), or use the PyTorch path"
            )


def require_nodes(x: Tensor, y: Tensor) -> None:
    """Raise an error unless x (B, w) and y (B, h) can be the nodes of a separable warp."""
    require_shape(x, "x", ("B", "w"))
    require_shape(y, "y", ("B", "h"))
    require_tensors((torch.float32,), x=x, y=y)
    if x.shape[0] != y.shape[0] or min(*x.shape, *y.shape) < 1:
        raise ValueError(
            f"x and y must be nodes (B, w) and (B, h), got {tuple(x.shape)} and {tuple(y.shape)}"
        )
    require_lattice((y.shape[1], x.shape[1]))


def require_lattice(lattice: tuple[int, int]) -> None:
    """Raise an error unless the lattice (h, w) has 2 to LATTICE_MAX cells along each axis."""
    if not all(2 <= side <= LATTICE_MAX for side in lattice):
        raise ValueError(
            f"the Triton kernels take lattices of 2 to {LATTICE_MAX} cells an axis, got {lattice}"
        )


def search_steps(last: int) -> int:
    """Return how many halvings find one of 0, ..., `last`."""
    return max(last, 0).bit_length()
