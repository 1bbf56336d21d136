"""Inputs of any real type of number, alone and mixed, against NumPy in float64."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lzu import Warp, saliency
from lzu.saliency import BoxDensity, compose, from_boxes, from_boxes_3d, project_boxes_3d
from tests.core.oracles import box_saliency

SIZE, LATTICE = (120, 200), (5, 7)
TYPES = ["uint8", "int16", "uint16", "int32", "int64", "float16", "bfloat16", "float32", "float64"]
CAM2IMG = torch.tensor([[100.0, 0, 100], [0, 100, 60], [0, 0, 1]])

box = st.tuples(st.floats(0, 150), st.floats(0, 90), st.floats(2, 60), st.floats(2, 60)).map(
    lambda b: [b[0], b[1], b[0] + b[2], b[1] + b[3]]
)


def in_type(values, kind, *, numpy=False):
    """Return values in a type, as a tensor or an array; and what they then are, in float64."""
    values = np.asarray(values, np.float64)
    tensor = torch.tensor(values.reshape(-1, 4) if values.size == 0 else values)
    tensor = tensor.to(getattr(torch, kind))
    exact = tensor.double().numpy()
    return (tensor.numpy() if numpy and kind != "bfloat16" else tensor), exact


@st.composite
def items_of_mixed_types(draw):
    items = draw(
        st.lists(
            st.tuples(st.lists(box, max_size=3), st.sampled_from(TYPES), st.booleans()),
            min_size=1,
            max_size=4,
        )
    )
    return [(*in_type(boxes, kind, numpy=numpy), kind) for boxes, kind, numpy in items]


def density(boxes):
    """Return the saliency (h, w) in float64, uniform without boxes."""
    if not boxes:
        return np.full(LATTICE, 1 / (LATTICE[0] * LATTICE[1]))
    return box_saliency(boxes, SIZE, LATTICE, 1.0, 64.0)


@settings(deadline=None, max_examples=60)
@given(items=items_of_mixed_types(), container=st.sampled_from([list, tuple]))
def test_each_item_of_boxes_is_computed_in_its_own_precision(items, container):
    got = from_boxes(container(boxes for boxes, _, _ in items), SIZE, LATTICE)
    wide = any(kind == "float64" for _, _, kind in items)
    assert got.dtype == (torch.float64 if wide else torch.float32)
    for one, (_, exact, _) in zip(got, items, strict=True):
        expected = density(exact.tolist())
        np.testing.assert_allclose(one[0].numpy(), expected, rtol=1e-9 if wide else 1e-6)


@settings(deadline=None, max_examples=30)
@given(items=items_of_mixed_types())
def test_a_density_takes_parts_of_any_type(items):
    collected = BoxDensity(SIZE, LATTICE)
    for boxes, _, _ in items:
        collected.add(boxes)
    everything = [box for _, exact, _ in items for box in exact.tolist()]
    assert collected.count == len(everything)
    expected = density(everything)
    np.testing.assert_allclose(collected.saliency()[0, 0].numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize("first", ["int64", "float16", "uint8"])
def test_the_first_item_sets_no_type(first):
    precise = torch.tensor([[10.7, 20.9, 11.6, 70000.3]])
    start, _ = in_type([[1, 2, 30, 40]], first)
    got = from_boxes([start, precise], SIZE, LATTICE)
    torch.testing.assert_close(got[1:], from_boxes(precise, SIZE, LATTICE))


def test_the_size_of_a_box_in_half_precision_does_not_overflow():
    wide = torch.tensor([[-60000.0, 0, 60000, 50]], dtype=torch.float16)
    torch.testing.assert_close(from_boxes(wide, SIZE), from_boxes(wide.float(), SIZE))


def test_the_size_of_a_box_of_unsigned_integers_does_not_wrap():
    backwards = torch.tensor([[200, 10, 100, 50]], dtype=torch.uint8)
    with pytest.raises(ValueError, match="box 0 of batch item 0 has zero or negative size"):
        from_boxes(backwards, SIZE)


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("numpy", [False, True])
def test_3d_boxes_of_any_type_after_another(kind, numpy):
    exact = torch.tensor([[0.25, 1.5, 20.75, 4.5, 1.75, 1.5, 0.3]], dtype=torch.float64)
    first, rounded = in_type([[1, 2, 20, 4, 2, 2, 0]], kind, numpy=numpy)
    got = from_boxes_3d([first, exact.float()], CAM2IMG, SIZE, LATTICE)
    for one, alone in zip(got, (torch.tensor(rounded), exact), strict=True):
        torch.testing.assert_close(
            one[None].double(), from_boxes_3d(alone, CAM2IMG, SIZE, LATTICE), rtol=1e-5, atol=1e-7
        )
    projected, _ = project_boxes_3d(first, CAM2IMG, SIZE)
    assert projected.dtype == (torch.float64 if kind == "float64" else torch.float32)


WEIGHTS = [2, 2.5, np.float16(0.1), np.uint8(200), np.int64(3), torch.tensor(0.3).half()]


@settings(deadline=None, max_examples=40)
@given(
    terms=st.lists(
        st.tuples(
            st.lists(st.floats(0.125, 2048), min_size=35, max_size=35),
            st.sampled_from(["float16", "bfloat16", "float32", "float64"]),
            st.sampled_from(WEIGHTS),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_composed_terms_and_weights_of_any_type(terms):
    maps = [in_type(np.reshape(cells, (1, 1, *LATTICE)).tolist(), kind) for cells, kind, _ in terms]
    weights = [float(weight) for _, _, weight in terms]
    got = compose(*((map_, term[2]) for (map_, _), term in zip(maps, terms, strict=True)))
    expected = sum(
        weight / sum(weights) * exact / exact.sum()
        for (_, exact), weight in zip(maps, weights, strict=True)
    )
    wide = any(kind == "float64" for _, kind, _ in terms)
    assert got.dtype == (torch.float64 if wide else torch.float32)
    np.testing.assert_allclose(got.numpy(), expected, rtol=1e-12 if wide else 1e-5)


def test_a_weight_that_wants_a_gradient_is_refused():
    weight = torch.tensor(0.5, requires_grad=True)
    with pytest.raises(TypeError, match="the weight of term 1 must be a number: it takes no grad"):
        compose((saliency.uniform(), 1), (saliency.uniform(), weight))


@pytest.mark.parametrize("kind", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize(
    "counts", [[3000, 0], np.array([3000, 0], np.uint16), torch.tensor([3000, 0])]
)
def test_sums_of_any_type_are_scaled_in_float32_or_wider(kind, counts):
    total, exact = in_type(np.full((2, *LATTICE), 3000 / 35).tolist(), kind)
    got = saliency.from_kernel_sum(total, counts, amplitude=np.float16(1000))
    assert got.dtype == (torch.float64 if kind == "float64" else torch.float32)
    floor = 1 / 9**2
    expected = (exact[0] * 1000 / 3000 + floor) / (1000 + 35 * floor)
    np.testing.assert_allclose(got[0, 0].numpy(), expected, rtol=1e-6)
    np.testing.assert_allclose(got[1, 0].numpy(), 1 / 35, rtol=1e-6)


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.int64, np.float32, float, torch.tensor])
def test_sizes_and_settings_of_any_type(kind):
    size, lattice = (kind(120), kind(200)), (kind(5), kind(7))
    boxes = torch.tensor([[10.5, 20, 60, 80]])
    expected = from_boxes(boxes, (120, 200), (5, 7), amplitude=100, bandwidth=50)
    got = from_boxes(boxes, size, lattice, amplitude=kind(100), bandwidth=kind(50))
    assert torch.equal(got, expected)
    assert torch.equal(saliency.uniform(lattice), saliency.uniform((5, 7)))
    warp = Warp.from_saliency(got, fwhm=kind(10))
    assert torch.equal(warp.x, Warp.from_saliency(got, fwhm=10.0).x)
    assert torch.equal(warp.zoom_grid(size), warp.zoom_grid((120, 200)))


@pytest.mark.parametrize("kind", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_points_take_the_wider_of_both_types(kind, dtype):
    warp = Warp.from_saliency(torch.rand(1, 1, *LATTICE) + 0.1, fwhm=3).to(dtype=dtype)
    points, exact = in_type(torch.rand(1, 50, 2).tolist(), kind)
    expected = warp.to(dtype=torch.float64).forward(torch.tensor(exact))
    got = warp.forward(points)
    assert got.dtype == torch.promote_types(points.dtype, dtype)
    torch.testing.assert_close(got.double(), expected, rtol=0, atol=1e-6)
