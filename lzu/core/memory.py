"""What is remembered between calls: constants, and the grids of a fixed warp.

Only real tensors are, and only where real tensors are wanted (`is_eager`).
"""

import threading
from collections.abc import Callable, Hashable
from functools import lru_cache, wraps
from typing import Any, ParamSpec, TypeVar, cast

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor

P = ParamSpec("P")
T = TypeVar("T")

# PyTorch before 2.3 does not tell.
_compiler_traces: Callable[[], bool] = getattr(torch.compiler, "is_compiling", lambda: False)
_jit_traces: Callable[[], bool] = cast(Any, torch.jit).is_tracing
_C: Any = torch._C  # whose functions for modes have no types


def is_compiling() -> bool:
    """Return whether a program is being recorded, by a compiler, an exporter or `torch.jit.trace`.

    What is computed then becomes a part of the program; what is remembered would become a constant
    of it, and values are those of an example, if there are any.
    """
    return _compiler_traces() or _jit_traces()


def is_eager() -> bool:
    """Return whether an operation gives a plain tensor with values, to be used by any later call.

    It does not while a program is recorded; under a dispatch mode (`FakeTensorMode`, say); nor in
    a transform of `torch.func`, which wraps what is made in it.
    """
    # Neither functorch nor the modes say so in a public way that is as cheap.
    return not (
        is_compiling()
        or _C._len_torch_dispatch_stack() > 0
        or _C._functorch.peek_interpreter_stack() is not None
    )


def has_values(tensor: Tensor) -> bool:
    """Return whether the values of `tensor` can be looked at: not in a traced program or meta."""
    if is_compiling() or tensor.is_meta:
        return False
    # Under FakeTensorMode a real tensor gives fake ones.
    return is_eager() or not isinstance(tensor.detach(), FakeTensor)


def refuse_tracing(what: str, baked: str) -> None:
    """Raise an error under `torch.jit.trace`, for what would be wrong in the program it makes.

    Args:
        what: cannot be traced.
        baked: what of the example the program would keep in silence.
    """
    if _jit_traces():
        raise RuntimeError(
            f"torch.jit.trace cannot record {what}: the program would keep {baked}; "
            "use torch.compile or torch.export, or trace only the model that sees zoomed images"
        )


def constant(build: Callable[P, T]) -> Callable[P, T]:
    """Remember the tensors that `build` makes from hashable arguments.

    They are made outside inference mode, so that one call may not leave behind a constant that a
    later backward pass is not allowed to save. Where operations give no real tensors (`is_eager`)
    they are made anew, and not remembered.
    """

    def make(*args: P.args, **kwargs: P.kwargs) -> T:
        with torch.inference_mode(False), torch.no_grad():
            return build(*args, **kwargs)

    # The type of `lru_cache` forgets the parameters.
    remembered = cast(Callable[P, T], lru_cache(maxsize=256)(make))

    @wraps(build)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        return remembered(*args, **kwargs) if is_eager() else build(*args, **kwargs)

    return call


class Memory:
    """What has been built before, by key; when it is full the oldest is forgotten.

    It may be asked by several threads at once. A copy or pickle of it is empty.

    Args:
        size: how much is kept.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._built: dict[Hashable, Tensor] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, build: Callable[[], Tensor]) -> Tensor:
        """Return what `build` makes, or made before for this key: never write to it."""
        if not is_eager():
            return build()
        with self._lock:
            if key in self._built:
                return self._built[key]
        # Without the lock, as it takes time, and may itself ask for another key.
        with torch.inference_mode(False), torch.no_grad():
            built = build()
        with self._lock:
            built = self._built.setdefault(key, built)  # perhaps another thread was faster
            while len(self._built) > self._size:
                del self._built[next(iter(self._built))]
        return built

    def __reduce__(self) -> tuple[type["Memory"], tuple[int]]:
        return Memory, (self._size,)
