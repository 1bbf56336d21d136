import pytest
import torch

from lzu.core.lattice import as_extent, as_size, content_extent, coordinates


def test_coordinates_start_and_end_exactly():
    for n in range(2, 200):
        line = coordinates(n, float(n - 1), torch.float32, torch.device("cpu"))
        assert line[0] == 0
        assert line[-1] == 1
        assert (line.diff() > 0).all()


def test_content_extent_puts_the_last_pixel_where_a_convolution_has_it():
    # A 7x13 image in which only the last content pixel is set, seen by a 1x1 convolution.
    ey, ex = content_extent((7, 13), stride=4)
    assert (ey * 4, ex * 4) == (6, 12)


@pytest.mark.parametrize("size", [5, "ab", (3,), (3, 4, 5), (2.5, 3), (True, 3), None])
def test_a_size_that_is_no_pair_of_integers(size):
    with pytest.raises(TypeError, match="size must be two integers"):
        as_size(size)


@pytest.mark.parametrize("size", [(1, 5), (5, 1), (0, 0), (-3, 4)])
def test_a_size_that_is_too_small(size):
    with pytest.raises(ValueError, match=r"at least 2.*\(-?\d, \d\)"):
        as_size(size)


@pytest.mark.parametrize("extent", [(0, 1), (1, -1), (float("nan"), 1), (1, float("inf"))])
def test_an_extent_that_is_not_positive(extent):
    with pytest.raises(ValueError, match="extent must be positive"):
        as_extent(extent, (4, 4))


def test_an_extent_that_is_no_pair():
    with pytest.raises(TypeError, match="two numbers"):
        as_extent(3.0, (4, 4))


def test_a_one_cell_side_needs_an_extent():
    with pytest.raises(ValueError, match="extent must be given"):
        as_extent(None, (1, 4))
    assert as_extent((0.3, 2.5), (1, 4)) == (0.3, 2.5)


@pytest.mark.parametrize("stride", [0, -1, float("nan"), float("inf")])
def test_a_stride_that_is_not_positive(stride):
    with pytest.raises(ValueError, match="stride must be positive"):
        content_extent((4, 4), stride)
