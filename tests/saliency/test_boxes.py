import math
import time

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lzu import saliency
from lzu.saliency import BoxDensity, from_boxes
from tests.core.oracles import box_saliency

box = st.tuples(st.floats(-30, 200), st.floats(-30, 120), st.floats(1, 60), st.floats(1, 60)).map(
    lambda b: [b[0], b[1], b[0] + b[2], b[1] + b[3]]
)


def random_boxes(n: int, *, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    corner, size = torch.rand(n, 2) * 150, torch.rand(n, 2) * 40 + 1
    return torch.cat((corner, corner + size), dim=1).to(dtype)


@settings(deadline=None, max_examples=40)
@given(
    boxes=st.lists(box, min_size=1, max_size=5),
    lattice=st.tuples(st.integers(2, 8), st.integers(2, 8)),
    amplitude=st.floats(0.5, 100),
    bandwidth=st.floats(20, 200),
)
def test_from_boxes_is_foveas_density(boxes, lattice, amplitude, bandwidth):
    expected = box_saliency(boxes, (120, 200), lattice, amplitude, bandwidth)
    got = from_boxes(
        torch.tensor(boxes, dtype=torch.float64),
        (120, 200),
        lattice,
        amplitude=amplitude,
        bandwidth=bandwidth,
    )
    assert got.shape == (1, 1, *lattice)
    assert got.dtype == torch.float64
    np.testing.assert_allclose(got[0, 0].numpy(), expected, rtol=1e-9, atol=1e-15)


def test_the_known_value_of_one_box_by_hand():
    # One box at the centre of a 3x3 lattice over 2x2 pixels, width 2 and height 1, b = 0.5:
    # variances 1 along x and 0.5 along y, so kernels (e^-0.5, 1, e^-0.5) and (e^-1, 1, e^-1).
    got = from_boxes(
        torch.tensor([[0.0, 0.5, 2.0, 1.5]]), (2, 2), (3, 3), amplitude=2, bandwidth=0.5
    )
    corner = 2 * math.exp(-1.5) / ((1 + 2 * math.exp(-0.5)) * (1 + 2 * math.exp(-1)))
    assert got[0, 0, 0, 0].item() == pytest.approx((corner + 1 / 25) / (2 + 9 / 25), rel=1e-6)


def test_a_tiny_box_far_from_every_lattice_point_is_still_finite():
    got = from_boxes(torch.tensor([[9.99, 9.99, 10.0, 10.0]]), (1200, 1920), (31, 51))
    assert torch.isfinite(got).all()
    assert got.flatten().argmax() == 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int64])
def test_it_sums_to_one_and_is_positive(dtype, device):
    got = from_boxes(random_boxes(500, dtype=dtype).to(device), (120, 200))
    assert got.device.type == device.type
    assert got.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert (got > 0).all()
    assert got.sum().item() == pytest.approx(1, abs=1e-5)


def test_no_boxes_is_uniform_alone_and_in_a_batch():
    empty = torch.zeros(0, 4)
    assert torch.equal(from_boxes(empty, (120, 200)), saliency.uniform())
    mixed = from_boxes([empty, random_boxes(3)], (120, 200))
    assert torch.allclose(mixed[:1], saliency.uniform())
    assert mixed[1].std() > 0


def test_batch_items_are_independent():
    items = [random_boxes(n) for n in (3, 17, 1)]
    together = from_boxes(items, (120, 200))
    alone = torch.cat([from_boxes(item, (120, 200)) for item in items])
    torch.testing.assert_close(together, alone)
    stacked = torch.stack([random_boxes(5), random_boxes(5)])
    torch.testing.assert_close(
        from_boxes(stacked, (120, 200)), from_boxes(list(stacked), (120, 200))
    )


def test_chunks_change_nothing():
    items = [random_boxes(50, dtype=torch.float64), random_boxes(7, dtype=torch.float64)]
    whole = from_boxes(items, (120, 200))
    for chunk in (1, 2, 13, 64):
        torch.testing.assert_close(from_boxes(items, (120, 200), chunk=chunk), whole)


def test_a_density_over_parts_is_that_of_the_whole():
    boxes = random_boxes(60)
    density = BoxDensity((120, 200), (11, 17), bandwidth=32)
    for part in boxes.split(25):
        density.add(part)
    density.add(torch.zeros(0, 4))
    assert density.count == 60
    for amplitude in (1, 50):
        torch.testing.assert_close(
            density.saliency(amplitude),
            from_boxes(boxes, (120, 200), (11, 17), amplitude=amplitude, bandwidth=32),
        )


def test_a_density_without_boxes_is_uniform():
    assert torch.equal(BoxDensity((120, 200), (4, 5)).saliency(), saliency.uniform((4, 5)))


def test_gradient_with_respect_to_boxes():
    items = [random_boxes(3, dtype=torch.float64).requires_grad_() for _ in range(2)]
    items.append(random_boxes(1, dtype=torch.float64).requires_grad_())
    assert torch.autograd.gradcheck(
        lambda *boxes: from_boxes(list(boxes), (120, 200), (4, 5)), items
    )


def test_autocast_changes_nothing():
    boxes = random_boxes(20)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        got = from_boxes(boxes, (120, 200))
    assert torch.equal(got, from_boxes(boxes, (120, 200)))


@pytest.mark.slow
def test_the_full_training_set_takes_seconds():
    boxes = random_boxes(1_200_000) * 8
    start = time.perf_counter()
    got = from_boxes(boxes, (1200, 1920))
    assert time.perf_counter() - start < 10
    assert got.double().sum().item() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        ([1, 1, 1, 5], "zero or negative size"),
        ([1, 5, 4, 2], "zero or negative size"),
        ([1, 1, float("nan"), 5], "NaN"),
        ([1, 1, float("inf"), 5], "infinite"),
    ],
)
def test_a_bad_box_is_named(bad, problem):
    good = torch.tensor([[0.0, 0.0, 4.0, 4.0]])
    boxes = torch.cat((good, torch.tensor([bad], dtype=torch.float32)))
    with pytest.raises(ValueError, match=rf"box 1 of batch item 2 has .*{problem}"):
        from_boxes([good, good, boxes], (120, 200))
    with pytest.raises(ValueError, match=problem):
        BoxDensity((120, 200)).add(boxes)


@pytest.mark.parametrize("boxes", [torch.zeros(4), torch.zeros(3, 5), [torch.zeros(2, 3)]])
def test_boxes_of_a_wrong_shape(boxes):
    with pytest.raises(ValueError, match=r"boxes must be \(n, 4\)|batch item 0"):
        from_boxes(boxes, (120, 200))


def test_boxes_that_are_no_boxes():
    with pytest.raises(ValueError, match="empty list"):
        from_boxes([], (120, 200))
    with pytest.raises(TypeError, match=r"boxes\[0\] must be a tensor or an array, got list"):
        from_boxes([[0, 0, 1, 1]], (120, 200))
    with pytest.raises(TypeError, match=r"torch\.bool"):
        from_boxes(torch.ones(1, 4, dtype=torch.bool), (120, 200))
    with pytest.raises(ValueError, match="several devices"):
        from_boxes([torch.zeros(0, 4), torch.zeros(0, 4, device="meta")], (120, 200))


@pytest.mark.parametrize("name", ["amplitude", "bandwidth"])
@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_a_setting_that_is_not_positive(name, value):
    with pytest.raises(ValueError, match=f"{name} must be positive"):
        from_boxes(random_boxes(2), (120, 200), **{name: value})


def test_a_lattice_or_an_image_that_is_too_small():
    with pytest.raises(ValueError, match="lattice must be at least 2"):
        from_boxes(random_boxes(2), (120, 200), (1, 5))
    with pytest.raises(ValueError, match="image_size must be at least 1"):
        from_boxes(random_boxes(2), (0, 200))
    with pytest.raises(ValueError, match="lattice must be at least 2"):
        saliency.uniform((5, 1))


def test_counts_must_fit_the_sums():
    with pytest.raises(ValueError, match="2 batch items, counts has 1"):
        saliency.from_kernel_sum(torch.zeros(2, 3, 4), [1])
