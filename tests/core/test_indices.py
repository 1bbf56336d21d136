import numpy as np
import pytest
import torch

from lzu import Warp

from .oracles import random_saliency

ONE = {
    "integer": 2,
    "negative": -2,
    "NumPy integer": np.int64(2),
    "NumPy unsigned": np.uint8(2),
    "NumPy array without axes": np.array(2),
    "tensor without axes": torch.tensor(2),
    "negative tensor": torch.tensor(-2, dtype=torch.int16),
    "uint8 tensor": torch.tensor(2, dtype=torch.uint8),
}
SEVERAL = {
    "slice": (slice(1, 3), [1, 2]),
    "slice with a step": (slice(None, None, 2), [0, 2]),
    "list": ([3, 0, -1], [3, 0, 3]),
    "tuple": ((3, 0), [3, 0]),
    "range": (range(2), [0, 1]),
    "array": (np.array([3, 0]), [3, 0]),
    "tensor": (torch.tensor([3, 0]), [3, 0]),
    "tensor of one": (torch.tensor([2]), [2]),
    "uint8 tensor": (torch.tensor([0, 1, 1, 3], dtype=torch.uint8), [0, 1, 1, 3]),
    "bools": ([True, False, True, False], [0, 2]),
    "bool array": (np.array([True, False, True, False]), [0, 2]),
    "bool tensor": (torch.tensor([False, False, False, True]), [3]),
    "nothing": ([], []),
    "no bools": (torch.zeros(4, dtype=torch.bool), []),
}


@pytest.fixture(params=[True, False], ids=["separable", "nonseparable"])
def warps(request: pytest.FixtureRequest) -> Warp:
    s = random_saliency(8, (5, 6), batch=4)
    return Warp.from_saliency(s, separable=request.param, fwhm=4)


@pytest.mark.parametrize("name", ONE)
def test_any_integer_gives_a_batch_of_one(name, warps):
    assert len(warps[ONE[name]]) == 1
    assert torch.equal(warps[ONE[name]].x, warps.x[2:3])
    assert torch.equal(warps[ONE[name]].y, warps.y[2:3])


@pytest.mark.parametrize("name", SEVERAL)
def test_several_indices_give_as_many_warps(name, warps):
    index, items = SEVERAL[name]
    assert torch.equal(warps[index].x, warps.x[items])
    assert len(warps[index]) == len(items)


@pytest.mark.parametrize(
    "index",
    [4, -5, np.int64(4), torch.tensor(-5), [0, 4], torch.tensor([0, 9]), [True, False]],
    ids=str,
)
def test_out_of_range(index, warps):
    with pytest.raises(IndexError):
        warps[index]


@pytest.mark.parametrize(
    "index",
    [
        True,
        np.bool_(True),
        torch.tensor(True),
        1.0,
        torch.tensor(1.0),
        [0.5],
        None,
        ...,
        "x",
        "12",
        ["x"],
        (slice(None), 1),
        [[0, 1]],
        torch.zeros(2, 2, dtype=torch.long),
        {0: 1},
    ],
    ids=str,
)
def test_what_is_no_index(index, warps):
    with pytest.raises(TypeError, match="indexed by an integer, a slice, or a list or tensor"):
        warps[index]


def test_iterating_gives_each_warp(warps):
    assert [len(single) for single in warps] == [1, 1, 1, 1]
    assert torch.equal(torch.cat([single.x for single in warps]), warps.x)
