"""Strides of maps, read off their sizes."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lzu.errors import UserError
from lzu.models.strides import STRIDES, strides_of


def map_of(height, width, stride):
    return torch.zeros(1, 1, -(-height // stride), -(-width // stride))


@given(st.integers(130, 600), st.integers(130, 600), st.sampled_from(STRIDES))
def test_the_stride_of_padded_convolutions_is_found(height, width, stride):
    assert strides_of([map_of(height, width, stride)], (height, width)) == [stride]


def test_of_strides_that_cannot_be_told_apart_it_is_the_least():
    assert strides_of([torch.zeros(1, 1, 1, 1)], (16, 16)) == [16]


@pytest.mark.parametrize("cells", [(5, 8), (8, 5), (63, 64), (128, 128)])
def test_a_map_of_no_such_stride_is_refused(cells):
    with pytest.raises(UserError, match=rf"a map of {cells[0]} x {cells[1]} cells .* 64 x 64"):
        strides_of([torch.zeros(1, 1, *cells)], (64, 64))
