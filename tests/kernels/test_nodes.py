"""Nodes and box saliency against the PyTorch path, in float64, and against plain loops."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lzu import kernels, saliency
from lzu.core.mapping import separable_nodes
from tests.core import oracles

SIZE = (120, 200)


def random_boxes(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    corner = torch.rand((*shape, 2), generator=generator) * torch.tensor([220.0, 130.0]) - 10
    extent = 2 + 40 * torch.rand((*shape, 2), generator=generator)
    return torch.cat((corner, corner + extent), dim=-1)


def assert_nodes(nodes, expected, tolerance=3e-7):
    for axis, exact in zip(nodes, expected, strict=True):
        assert axis.dtype == torch.float32
        torch.testing.assert_close(axis.double(), exact.to(axis.device), rtol=0, atol=tolerance)


@pytest.mark.parametrize("lattice", [(2, 2), (2, 33), (16, 16), (27, 48), (31, 51), (65, 9)])
@pytest.mark.parametrize("anti_crop", [True, False])
def test_separable_nodes(anti_crop, lattice, device):
    for batch in (1, 3):
        given = oracles.random_saliency(1, lattice, batch=batch)
        nodes = kernels.separable_nodes(given.to(device), fwhm=7, anti_crop=anti_crop)
        assert_nodes(nodes, separable_nodes(given.double(), fwhm=7, anti_crop=anti_crop))


def test_separable_nodes_against_loops(device):
    given = oracles.random_saliency(2, (6, 9))
    for anti_crop in (True, False):
        nodes = kernels.separable_nodes(given.to(device), fwhm=3.5, anti_crop=anti_crop)
        expected = oracles.nodes(given[0, 0].double().numpy(), 3.5, anti_crop)
        assert_nodes(nodes, [torch.from_numpy(axis)[None] for axis in expected])


@given(
    seed=st.integers(0, 1000),
    lattice=st.tuples(st.integers(2, 20), st.integers(2, 20)),
    contrast=st.floats(1, 1e6),
    fwhm=st.floats(0.5, 60),
)
@settings(max_examples=12, deadline=None)
def check_ends(device, seed, lattice, contrast, fwhm):
    given = oracles.random_saliency(seed, lattice, contrast=contrast).to(device)
    for axis in kernels.separable_nodes(given, fwhm=fwhm):
        assert axis[:, 0].item() == 0
        assert axis[:, -1].item() == 1


def test_the_ends_are_exact(device):
    check_ends(device)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_separable_nodes_of_half_precision(dtype, device):
    given = oracles.random_saliency(3, (7, 9)).to(dtype)
    assert_nodes(kernels.separable_nodes(given.to(device)), separable_nodes(given.double()))


def test_separable_nodes_of_strided_saliency(device):
    wide = oracles.random_saliency(4, (9, 14), batch=4)
    views = (wide[::2, :, 1:7, 2::3], wide.transpose(2, 3), wide[:1].expand(3, -1, -1, -1))
    for view in views:
        given = torch.empty_strided(view.shape, view.stride(), device=device)
        given = view if device.type == "cpu" else view.to(device)
        assert_nodes(kernels.separable_nodes(given), separable_nodes(view.double()))


@pytest.mark.parametrize("lattice", [(2, 2), (2, 17), (16, 16), (31, 51), (33, 5)])
@pytest.mark.parametrize("count", [0, 1, 5, 40])
def test_boxes(count, lattice, device):
    boxes = random_boxes(2, count)
    settings = {"amplitude": 1.5, "bandwidth": 9.0}
    expected = saliency.from_boxes(boxes.double(), SIZE, lattice, **settings)
    result = kernels.boxes_to_saliency(boxes.to(device), SIZE, lattice, **settings)
    assert result.dtype == torch.float32
    torch.testing.assert_close(result.cpu().double(), expected, rtol=1e-4, atol=1e-8)
    nodes = kernels.box_nodes(boxes.to(device), SIZE, lattice, **settings, fwhm=5)
    assert_nodes(nodes, separable_nodes(expected, fwhm=5))


def test_boxes_against_loops(device):
    boxes = random_boxes(4)
    expected = oracles.box_saliency(boxes.tolist(), SIZE, (6, 9), 2.0, 20.0)
    result = kernels.boxes_to_saliency(
        boxes[None].to(device), SIZE, (6, 9), amplitude=2.0, bandwidth=20.0
    )
    np.testing.assert_allclose(result[0, 0].cpu(), expected, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
@pytest.mark.parametrize("anti_crop", [True, False])
def test_what_follows_the_counted_boxes_is_ignored(anti_crop, dtype, device):
    counts = [3, 0, 35, 40]
    boxes = random_boxes(4, 40)
    items = [item[:count].double() for item, count in zip(boxes, counts, strict=True)]
    for item, count in zip(boxes, counts, strict=True):
        item[count:] = torch.nan
    boxes, counts = boxes.to(device), torch.tensor(counts, dtype=dtype, device=device)
    expected = saliency.from_boxes(items, SIZE, (11, 15))
    result = kernels.boxes_to_saliency(boxes, SIZE, (11, 15), counts=counts)
    torch.testing.assert_close(result.cpu().double(), expected, rtol=1e-4, atol=1e-8)
    nodes = kernels.box_nodes(boxes, SIZE, (11, 15), counts=counts, fwhm=6, anti_crop=anti_crop)
    assert_nodes(nodes, separable_nodes(expected, fwhm=6, anti_crop=anti_crop))


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64, torch.float16])
def test_boxes_of_other_numbers(dtype, device):
    boxes = random_boxes(1, 6).round().to(dtype)
    expected = saliency.from_boxes(boxes.double(), SIZE, (7, 9))
    result = kernels.boxes_to_saliency(boxes.to(device), SIZE, (7, 9))
    torch.testing.assert_close(result.cpu().double(), expected, rtol=1e-4, atol=1e-8)
    assert_nodes(kernels.box_nodes(boxes.to(device), SIZE, (7, 9)), separable_nodes(expected))


def test_boxes_far_off_and_tiny_stay_finite_and_precise(device):
    boxes = torch.tensor(
        [
            [[9000.0, -7000.0, 9001.0, -6999.0], [30.0, 30.0, 30.001, 30.001]],
            [[-50.0, 40.0, -49.9, 40.5], [0.0, 0.0, 200.0, 120.0]],
        ]
    )
    expected = saliency.from_boxes(boxes.double(), SIZE, (31, 51), bandwidth=2)
    result = kernels.boxes_to_saliency(boxes.to(device), SIZE, (31, 51), bandwidth=2)
    torch.testing.assert_close(result.cpu().double(), expected, rtol=1e-4, atol=1e-7)
    nodes = kernels.box_nodes(boxes.to(device), SIZE, (31, 51), bandwidth=2)
    assert_nodes(nodes, separable_nodes(expected))


def test_no_items(device):
    empty = torch.zeros(0, 3, 4, device=device)
    assert kernels.boxes_to_saliency(empty, SIZE, (5, 6)).shape == (0, 1, 5, 6)
    assert [axis.shape for axis in kernels.box_nodes(empty, SIZE, (5, 6))] == [(0, 6), (0, 5)]
    x, y = kernels.separable_nodes(torch.zeros(0, 1, 5, 6, device=device))
    assert (x.shape, y.shape) == ((0, 6), (0, 5))
