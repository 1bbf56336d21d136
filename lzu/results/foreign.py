"""Arrays of numbers in the files of others, read so that nothing in a file can run (no torch).

A pickle names functions, and whoever loads it calls them. Here a name stays a name: what is loaded
is a description of what was to be called, with which arguments, and an array is read off that.
"""

import io
import math
import pickle
import pickletools
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from lzu.errors import UserError

LARGEST = 16 * 2**20
"""Bytes of the largest file that is read; a map of 100 x 200 cells has 160,000."""

_KINDS = ("f2", "f4", "f8", *(f"{sign}{size}" for sign in "iu" for size in (1, 2, 4, 8)))
_MULTIARRAY = [f"numpy.{core}.multiarray._reconstruct" for core in ("core", "_core")]
_FROM_BUFFER = [f"numpy.{core}.numeric._frombuffer" for core in ("core", "_core")]
_DTYPE = "numpy.dtype"
_BYTES = "_codecs.encode"
_TENSOR = "torch._utils._rebuild_tensor_v2"
_STORAGE = "torch.storage._load_from_bytes"
_STORAGES = {
    "torch.HalfStorage": "<f2",
    "torch.FloatStorage": "<f4",
    "torch.DoubleStorage": "<f8",
    "torch.ByteStorage": "|u1",
    "torch.CharStorage": "|i1",
    "torch.ShortStorage": "<i2",
    "torch.IntStorage": "<i4",
    "torch.LongStorage": "<i8",
}
_KNOWN = {
    *_MULTIARRAY,
    *_FROM_BUFFER,
    *_STORAGES,
    "numpy.ndarray",
    _DTYPE,
    _BYTES,
    _TENSOR,
    _STORAGE,
    "collections.OrderedDict",
}
# Of a storage's own format: three pickles come before that of the storage.
_MAGIC, _VERSION = 0x1950A86A20F9469CFC6C, 1001

# What the pickles of arrays and tensors are written with, at any protocol. Dictionaries are not
# among it: to look up a key that is nested deeply enough ends the process.
# fmt: off
_OPERATIONS = (
    "MARK", "STOP", "POP", "POP_MARK", "PROTO", "FRAME", "INT", "BININT", "BININT1", "BININT2",
    "LONG", "LONG1", "LONG4", "NONE", "NEWTRUE", "NEWFALSE", "STRING", "BINSTRING",
    "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8", "UNICODE",
    "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2",
    "TUPLE3", "EMPTY_LIST", "LIST", "APPEND", "APPENDS", "GET", "BINGET", "LONG_BINGET", "PUT",
    "BINPUT", "LONG_BINPUT", "MEMOIZE", "GLOBAL", "STACK_GLOBAL", "INST", "REDUCE", "BUILD",
    "BINPERSID",
)
# fmt: on


class _Named:
    """What a pickle names; called, it says that it was."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, *arguments: Any) -> "_Made":
        return _Made(self.name, arguments)


class _Made:
    """What a call would have made, and the state that it would have been given."""

    def __init__(self, name: str, arguments: Any) -> None:
        self.name, self.arguments = name, arguments
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _Table(dict[int, Any]):
    def __missing__(self, code: int) -> NoReturn:
        raise ValueError(f"operation {code} is of no array's pickle")


class _Reader(pickle._Unpickler):
    """Python's own unpickler in Python: the one in C takes as much memory as a file says."""

    dispatch = _Table(
        {
            code: pickle._Unpickler.dispatch[code]
            for code in (getattr(pickle, name)[0] for name in _OPERATIONS)
        }
    )

    def find_class(self, module: str, name: str) -> Any:
        full = f"{module}.{name}"
        if full not in _KNOWN:
            raise _UnknownNameError(full)
        return _Named(full)

    def persistent_load(self, pid: Any) -> Any:
        return _Made("persistent", pid)


class _UnknownNameError(Exception):
    """A pickle names what no array needs."""


def read_array(path: str | Path) -> np.ndarray:
    """The array in a .npy file, or in a pickle of a NumPy array or of a PyTorch tensor.

    Any shape and any real numbers, in this machine's byte order. Nothing of the file is called:
    other names in a pickle, objects in an array and other files are refused.

    Raises:
        UserError: for a file that is not there, is larger than `LARGEST`, or is no such array.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such file; give a .npy file or a pickle of an array")
    with path.open("rb") as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise UserError(
            f"{path}: more than {LARGEST >> 20} MiB, which no saliency map has; give the map alone"
        )
    try:
        if content.startswith(b"\x93NUMPY"):
            return _of_npy(content)
        return _of_pickle(_Reader(io.BytesIO(content)).load())
    except _UnknownNameError as error:
        raise UserError(
            f"{path}: refused, because it names {str(error)[:200]!r}, which no array of numbers "
            "needs and which would be called by whoever loads it; give a .npy file"
        ) from None
    except Exception as error:  # damage shows in any way, in NumPy's reading of a header too
        said = str(error)[:200] or type(error).__name__
        raise UserError(
            f"{path}: not read as an array of numbers ({said}); give a .npy file, or a pickle of "
            "one NumPy array or PyTorch tensor"
        ) from None


def _of_npy(content: bytes) -> np.ndarray:
    file = io.BytesIO(content)
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"version {version} of the .npy format")
    read_header = (
        np.lib.format.read_array_header_1_0
        if version == (1, 0)
        else np.lib.format.read_array_header_2_0
    )
    shape, fortran, dtype = read_header(file)
    order, kind = dtype.str[0], dtype.str[1:]
    return _numbers(file.read(), _dtype(kind, order), shape, fortran)


def _of_pickle(found: Any) -> np.ndarray:
    """The array that a pickle describes."""
    name = getattr(found, "name", None)
    if isinstance(found, _Made) and name in _MULTIARRAY:
        _, shape, dtype, fortran, data = found.state
        return _numbers(data, _described(dtype), shape, fortran)
    if isinstance(found, _Made) and name in _FROM_BUFFER:
        data, dtype, shape, order = found.arguments
        return _numbers(data, _described(dtype), shape, order == "F")
    if isinstance(found, _Made) and name == _TENSOR:
        storage, offset, size, stride = found.arguments[:4]
        return _tensor(_storage(storage), offset, size, stride)
    raise ValueError(f"it holds {name or 'an object of type ' + type(found).__name__}")


def _described(dtype: Any) -> np.dtype[Any]:
    if not (isinstance(dtype, _Made) and dtype.name == _DTYPE and dtype.state):
        raise ValueError("it has no type of numbers")
    return _dtype(dtype.arguments[0], dtype.state[1])


def _dtype(kind: Any, order: Any) -> np.dtype[Any]:
    if kind not in _KINDS or order not in ("<", ">", "|", "="):
        raise ValueError(f"its elements are of type {kind!r}, which are no real numbers")
    found: np.dtype[Any] = np.dtype(order + kind)
    return found


def _numbers(data: Any, dtype: np.dtype[Any], shape: Any, fortran: Any) -> np.ndarray:
    """The array of these bytes: as many as its shape says."""
    data = _bytes(data)
    if len(data) != _count(shape) * dtype.itemsize:
        raise ValueError(f"{len(data)} bytes are no {dtype.name} array of shape {shape}")
    found = np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")
    return found.astype(dtype.newbyteorder("="))


def _bytes(data: Any) -> bytes:
    """Bytes, which the first protocols write as text to be encoded."""
    if isinstance(data, _Made) and data.name == _BYTES:
        text, coding = data.arguments
        if coding == "latin1" and isinstance(text, str):
            return text.encode("latin1")
    if isinstance(data, bytes | bytearray):
        return bytes(data)
    raise ValueError("its numbers are not plain bytes")


def _count(shape: Any) -> int:
    """The number of elements, or ValueError for what is no shape."""
    whole = isinstance(shape, tuple) and all(type(n) is int and 0 <= n < 2**40 for n in shape)
    if not whole or len(shape) > 8:
        raise ValueError("its shape is not that of an array")
    return math.prod(shape)


def _storage(made: Any) -> np.ndarray:
    """The numbers of a PyTorch storage in the format that it has inside of a pickle."""
    if not (isinstance(made, _Made) and made.name == _STORAGE):
        raise ValueError("its tensor has no storage")
    file = io.BytesIO(_bytes(*made.arguments))
    if (_Reader(file).load(), _Reader(file).load()) != (_MAGIC, _VERSION):
        raise ValueError("its tensor's storage is of another format")
    for _ in pickletools.genops(file):  # sizes of types of the machine that wrote it
        pass
    _, kind, key, _, count, view = _Reader(file).load().arguments
    keys = _Reader(file).load()
    if view is not None or keys != [key] or kind.name not in _STORAGES:
        raise ValueError("its tensor's storage is of another format")
    stored = int.from_bytes(file.read(8), "little")
    if stored != count:
        raise ValueError("its tensor's storage is of another size than it says")
    return _numbers(file.read(), np.dtype(_STORAGES[kind.name]), (count,), False)


def _tensor(numbers: np.ndarray, offset: Any, size: Any, stride: Any) -> np.ndarray:
    """The tensor that looks at a storage's numbers with these strides, none of them twice."""
    count = _count(size)
    _count((offset,)), _count(stride)
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if not 0 < count <= len(numbers) or last >= len(numbers):
        raise ValueError(f"a storage of {len(numbers)} numbers holds no tensor of size {size}")
    steps = [step * numbers.itemsize for step in stride]
    return np.lib.stride_tricks.as_strided(numbers[offset:], size, steps).copy()
