"""Files of others: arrays are read as NumPy and PyTorch read them, and nothing in a file runs."""

import io
import os
import pickle
import struct
from contextlib import suppress

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lzu.errors import UserError
from lzu.results.foreign import read_array
from tests.engine.planted import Touch

PROTOCOLS = range(6)
NEW, OLD = b"numpy._core.", b"numpy.core."


def written(folder, content, name="map.pkl"):
    path = folder / name
    path.write_bytes(content)
    return path


def by_old_numpy(content):
    """The pickle as NumPy before 2 wrote it, whose modules had shorter names.

    Names of the later protocols come with their length, and frames with theirs.
    """
    for module in (b"multiarray", b"numeric"):
        new, old = NEW + module, OLD + module
        for start, end in ((b"\x8c%c", b""), (b"c", b"\n")):
            before, after = (
                (start % len(name) if b"%" in start else start) + name + end for name in (new, old)
            )
            content = content.replace(before, after)
    if content[2:3] == pickle.FRAME:
        length = struct.pack("<Q", len(content) - 11)
        content = content[:3] + length + content[11:]
    return content


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("rename", [bytes, by_old_numpy])
@pytest.mark.parametrize(
    "array",
    [
        np.random.default_rng(0).random((1, 1, 27, 48), dtype=np.float32),
        np.asfortranarray(np.random.default_rng(1).random((5, 7))),
        np.random.default_rng(2).random((5, 7)).astype(">f4"),
        np.arange(6, dtype=np.uint8).reshape(2, 3),
        np.float16(np.arange(6)).reshape(3, 2)[::-1],
    ],
    ids=["official shape", "fortran", "big endian", "uint8", "strided"],
)
def test_an_array_is_read_at_every_protocol_and_by_both_names(tmp_path, array, protocol, rename):
    content = rename(pickle.dumps(array, protocol=protocol))
    assert (NEW if rename is bytes else OLD) in content
    found = read_array(written(tmp_path, content))
    np.testing.assert_array_equal(found, array)
    assert found.dtype == array.dtype.newbyteorder("=")


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "dtype", ["float16", "float32", "float64", "uint8", "int8", "int16", "int32", "int64"]
)
def test_a_tensor_is_read_as_pytorch_reads_it(tmp_path, protocol, dtype):
    whole = torch.arange(24).reshape(2, 3, 4).to(getattr(torch, dtype))
    for tensor in (whole, whole[1, :, 1:3], whole.permute(2, 0, 1)):
        path = written(tmp_path, pickle.dumps(tensor, protocol=protocol))
        np.testing.assert_array_equal(read_array(path), tensor.numpy())


@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
def test_npy_files_are_read(tmp_path, version):
    array = np.asfortranarray(np.random.default_rng(0).random((4, 6)))
    file = io.BytesIO()
    np.lib.format.write_array(file, array, version=version)
    np.testing.assert_array_equal(read_array(written(tmp_path, file.getvalue(), "map.npy")), array)


class Calls:
    """Pickled, it calls a function with arguments; unpickled by `pickle`, they are called."""

    def __init__(self, function, *arguments):
        self.made = (function, arguments)

    def __reduce__(self):
        return self.made


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    ("function", "named"),
    [("os.system", r"'(os|posix)\.system'"), ("eval", r"'(builtins|__builtin__)\.eval'")],
)
def test_a_pickle_that_would_call_is_refused_by_name(tmp_path, protocol, function, named):
    proof = tmp_path / "proof"
    call = {
        "os.system": Calls(os.system, f"touch {proof}"),
        "eval": Calls(eval, f"open({str(proof)!r}, 'w')"),
    }[function]
    content = pickle.dumps(call, protocol=protocol)
    pickle.loads(content)
    assert proof.exists()
    proof.unlink()
    with pytest.raises(UserError, match=rf"map\.pkl: refused, because it names {named}"):
        read_array(written(tmp_path, content))
    assert not proof.exists()


@pytest.mark.parametrize("place", ["array", "tensor's storage", "instance"])
def test_what_would_call_is_found_wherever_it_is(tmp_path, place):
    proof = tmp_path / "proof"
    if place == "array":
        content = pickle.dumps(np.array([[Touch(proof)]], dtype=object))
    elif place == "instance":
        content = f"(S'touch {proof}'\nios\nsystem\n.".encode()
    else:
        storage = Calls(torch.storage._load_from_bytes, pickle.dumps(Touch(proof)))
        rebuild = torch._utils._rebuild_tensor_v2
        content = pickle.dumps(Calls(rebuild, storage, 0, (1, 1), (1, 1), False, None))
    with pytest.raises(UserError, match=r"map\.pkl: (refused|not read)"):
        read_array(written(tmp_path, content))
    assert not proof.exists()


def large_shape(shape):
    """A pickle of four numbers that says it has this shape."""
    array = np.arange(4, dtype=np.float32).reshape(2, 2)
    function, arguments, (version, _, dtype, fortran, data) = array.__reduce__()
    state = (version, shape, dtype, fortran, data)

    class Made:
        def __reduce__(self):
            return function, arguments, state

    return pickle.dumps(Made())


def npy_header(shape, descr="<f4", data=b"\0" * 16):
    file = io.BytesIO()
    header = {"descr": descr, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue() + data


def named(module, name):
    return b"\x80\x04\x8c" + bytes([len(module)]) + module + b"\x8c" + bytes([len(name)]) + name


WRONG = {
    "empty": (b"", "not read"),
    "text": (b"not a pickle", "not read"),
    "a list": (pickle.dumps(["a"]), "it holds an object of type list"),
    "objects": (pickle.dumps(np.array([["a", None]], dtype=object)), r"type 'O8'"),
    "text array": (pickle.dumps(np.array([["a"]])), r"type 'U1'"),
    "complex": (pickle.dumps(np.ones((2, 2), complex)), r"type 'c16'"),
    "booleans": (pickle.dumps(np.ones((2, 2), bool)), r"type 'b1'"),
    "fields": (pickle.dumps(np.zeros(2, [("a", "f4")])), "not read"),
    "records": (pickle.dumps(np.ones((2, 2)).view(np.recarray)), r"names 'numpy\..*recarray'"),
    "scalar": (pickle.dumps(np.float64(1)), r"names 'numpy\._core\.multiarray\.scalar'"),
    "module": (pickle.dumps(torch.nn.ReLU()), r"names '(copyreg|torch)"),
    "huge shape": (large_shape((10**9, 10**9)), r"16 bytes are no float32 array"),
    "shape beyond counting": (large_shape((2**62, 2**62)), "its shape is not that of an array"),
    "negative shape": (large_shape((-2, -2)), "its shape is not that of an array"),
    "no shape": (large_shape(None), "its shape is not that of an array"),
    "many dimensions": (large_shape((1,) * 99 + (4,)), "its shape is not that of an array"),
    "cut short": (pickle.dumps(np.ones((4, 4)))[:-20], "not read"),
    "huge bytes": (b"\x80\x05\x96" + struct.pack("<Q", 2**62) + b"x.", "not read"),
    "huge place": (b"\x80\x04]r\xff\xff\xff\xff.", "it holds an object of type list"),
    "extension": (b"\x80\x04\x82\x01.", "operation 130 is of no array's pickle"),
    "dictionary": (b"\x80\x04}.", "operation 125 is of no array's pickle"),
    "persistent": (b"\x80\x04K\x00Q.", "it holds persistent"),
    "control characters": (named(b"a\x1b[2J", b"b") + b"\x93.", r"names 'a\\x1b\[2J\.b'"),
    "npy, huge": (npy_header((2**40, 2**40)), "its shape is not that of an array|bytes are no"),
    "npy, objects": (npy_header((2, 2), "|O"), "type 'O'"),
    "npy, short": (npy_header((2, 3)), "16 bytes are no float32 array of shape"),
    "npy, other version": (b"\x93NUMPY\x09\x00" + b"\0" * 20, "version"),
    "npy, no header": (b"\x93NUMPY\x01\x00" + b"\0" * 20, "not read"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_no_array_of_numbers_is_said_in_one_message(tmp_path, kind):
    content, said = WRONG[kind]
    with pytest.raises(UserError, match=said) as raised:
        read_array(written(tmp_path, content))
    assert "map.pkl: " in str(raised.value)
    assert len(str(raised.value)) < 600


@pytest.mark.parametrize(
    ("offset", "size", "stride"),
    [
        (0, (3, 3), (3, 1)),
        (0, (10**9, 10**9), (0, 0)),
        (0, (2, 2), (10**9, 1)),
        (5, (2, 2), (2, 1)),
        (-1, (2, 2), (2, 1)),
        (0, (2, 2), (-2, 1)),
        (0, (2, 2), (2,)),
        (0, (0, 2), (2, 1)),
    ],
)
def test_a_tensor_that_is_not_within_its_storage_is_refused(tmp_path, offset, size, stride):
    _, (numbers, *_) = torch.arange(6.0).__reduce_ex__(2)
    call = Calls(torch._utils._rebuild_tensor_v2, numbers, offset, size, stride, False, None)
    with pytest.raises(UserError, match=r"map\.pkl: not read"):
        read_array(written(tmp_path, pickle.dumps(call)))


def test_a_storage_whose_parts_disagree_is_refused(tmp_path):
    good = pickle.dumps(torch.arange(6.0).reshape(2, 3))
    mark = good.index(struct.pack("<Q", 6) + struct.pack("<2f", 0, 1))
    changed = good[:mark] + struct.pack("<Q", 2**40) + good[mark + 8 :]
    with pytest.raises(UserError, match="of another size than it says"):
        read_array(written(tmp_path, changed))


def test_a_file_that_is_too_large_is_not_read_whole(tmp_path):
    path = tmp_path / "map.pkl"
    with path.open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(UserError, match="more than 16 MiB"):
        read_array(path)


@pytest.mark.parametrize("name", ["none.pkl", "folder"])
def test_a_file_that_is_not_there_is_named(tmp_path, name):
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match=rf"{name}: no such file"):
        read_array(tmp_path / name)


BASES = [pickle.dumps(np.arange(6.0).reshape(2, 3), protocol=n) for n in PROTOCOLS]
BASES += [pickle.dumps(torch.arange(6.0).reshape(2, 3)), npy_header((2, 2))]


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(BASES),
    st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 255)), min_size=1, max_size=4),
)
def test_damage_is_an_array_or_one_message(tmp_path_factory, base, changes):
    content = bytearray(base)
    for place, value in changes:
        content[place % len(content)] = value
    path = written(tmp_path_factory.getbasetemp(), content)
    with suppress(UserError):
        assert read_array(path).dtype.kind in "fiu"
