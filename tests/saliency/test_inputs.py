"""What callers give: lists of mixed types lose nothing, and other ranks are errors with names."""

import inspect

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import lzu
from lzu import Warp, ZoomUnzoom, saliency

IMAGE, LATTICE = (100, 160), (5, 7)
DTYPES = (
    torch.uint8,
    torch.int16,
    torch.int64,
    torch.float16,
    torch.bfloat16,
    torch.float32,
    torch.float64,
)
quick = settings(deadline=None, max_examples=40)


def by_definition(boxes: np.ndarray, bandwidth=64.0, amplitude=1.0) -> np.ndarray:
    """FOVEA's density in float64, box by box (the paper's A.6)."""
    h, w = LATTICE
    y, x = np.linspace(0, IMAGE[0], h)[:, None], np.linspace(0, IMAGE[1], w)[None]
    total = np.zeros(LATTICE)
    for left, top, right, bottom in boxes:
        if not len(boxes):
            break
        exponent = -((x - (left + right) / 2) ** 2) / (2 * bandwidth * (right - left))
        exponent = exponent - (y - (top + bottom) / 2) ** 2 / (2 * bandwidth * (bottom - top))
        bump = np.exp(exponent - exponent.max())
        total += amplitude * bump / bump.sum() + 1 / (2 * min(h, w) - 1) ** 2
    return total / total.sum() if len(boxes) else np.full(LATTICE, 1 / (h * w))


@st.composite
def lists_of_boxes(draw):
    items = []
    for _ in range(draw(st.integers(1, 4))):
        dtype = draw(st.sampled_from(DTYPES))
        boxes = [
            [left, top, left + width, top + height]
            for left, top, width, height in draw(
                st.lists(
                    st.tuples(
                        st.floats(0, 90), st.floats(0, 60), st.floats(2, 60), st.floats(2, 40)
                    ),
                    max_size=3,
                )
            )
        ]
        items.append(torch.tensor(boxes, dtype=torch.float64).reshape(-1, 4).to(dtype))
    return items


@quick
@given(items=lists_of_boxes())
def test_every_item_of_a_list_counts_in_full(items):
    """Whatever the first one's type is."""
    found = saliency.from_boxes(items, IMAGE, LATTICE)
    expected = np.stack([by_definition(item.double().numpy()) for item in items])
    np.testing.assert_allclose(found[:, 0].double().numpy(), expected, rtol=2e-6, atol=1e-12)
    any_double = any(item.dtype == torch.float64 for item in items)
    assert found.dtype == (torch.float64 if any_double else torch.float32)


@pytest.mark.parametrize(
    ("first", "other"),
    [
        (torch.int64, [10.75, 20.5, 30.25, 60.875]),
        (torch.float16, [70000.0, 10.0, 70100.0, 60.0]),
        (torch.uint8, [300.0, 20.0, 700.0, 60.0]),
    ],
)
def test_a_first_item_of_another_type_changes_nothing(first, other):
    boxes = torch.tensor([[2, 3, 40, 50]]).to(first), torch.tensor([other])
    together = saliency.from_boxes(list(boxes), IMAGE, LATTICE)
    alone = [saliency.from_boxes(item, IMAGE, LATTICE) for item in boxes]
    torch.testing.assert_close(together, torch.cat(alone), rtol=0, atol=0)


def test_sizes_of_small_types_neither_wrap_nor_overflow():
    """A right below a left would be positive as uint8, and a width past 65504 infinite as half."""
    with pytest.raises(ValueError, match=r"box 0 .* zero or negative size"):
        saliency.from_boxes(torch.tensor([[40, 10, 2, 50]], dtype=torch.uint8), IMAGE, LATTICE)
    wide = torch.tensor([[-60000.0, 0, 60000, 50]], dtype=torch.float16)
    assert torch.isfinite(saliency.from_boxes(wide, IMAGE, LATTICE)).all()


def test_boxes_in_space_of_mixed_types_count_in_full():
    cam2img = torch.tensor([[100.0, 0, 80], [0, 100, 50], [0, 0, 1]])
    whole = torch.tensor([[1, 1, 20, 4, 2, 2, 0]])
    exact = torch.tensor([[1.5, 1.25, 20.5, 4.5, 1.5, 1.75, 0.3]])
    together = saliency.from_boxes_3d([whole, exact], cam2img, IMAGE, LATTICE)
    alone = [
        saliency.from_boxes_3d(item.float(), cam2img, IMAGE, LATTICE) for item in (whole, exact)
    ]
    torch.testing.assert_close(together, torch.cat(alone))


MAP = torch.rand(1, 1, *LATTICE) + 0.1
BOXES, BOXES_3D = torch.tensor([[1.0, 2, 30, 40]]), torch.tensor([[1.0, 1, 20, 4, 2, 2, 0]])
CAMERA = torch.tensor([[100.0, 0, 80], [0, 100, 50], [0, 0, 1]])
LABELS = torch.zeros(1, 20, 20, dtype=torch.uint8)
IMAGES = torch.rand(1, 3, 40, 60)


def lens() -> ZoomUnzoom:
    return ZoomUnzoom(MAP, (20, 30))


def box_density() -> saliency.BoxDensity:
    return saliency.BoxDensity(IMAGE, LATTICE)


def warp() -> Warp:
    return Warp.from_saliency(MAP)


# Public name -> calls, each with its good tensor and the ranks that are good; and what the error
# calls the tensor.
RANKED = {
    "from_boxes": [(lambda t: saliency.from_boxes(t, IMAGE, LATTICE), BOXES, (2, 3), "boxes")],
    "kernel_sum": [(lambda t: saliency.kernel_sum(t, IMAGE, LATTICE), BOXES, (2, 3), "boxes")],
    "from_kernel_sum": [
        (lambda t: saliency.from_kernel_sum(t, [1]), torch.rand(1, *LATTICE), (3,), "total")
    ],
    "BoxDensity": [(lambda t: box_density().add(t), BOXES, (2,), "boxes")],
    "from_boxes_3d": [
        (lambda t: saliency.from_boxes_3d(t, CAMERA, IMAGE, LATTICE), BOXES_3D, (2, 3), "boxes_3d"),
        (lambda t: saliency.from_boxes_3d(BOXES_3D, t, IMAGE, LATTICE), CAMERA, (2, 3), "cam2img"),
    ],
    "project_boxes_3d": [
        (lambda t: saliency.project_boxes_3d(t, CAMERA, IMAGE), BOXES_3D, (2,), "boxes_3d"),
        (lambda t: saliency.project_boxes_3d(BOXES_3D, t, IMAGE), CAMERA, (2, 3), "cam2img"),
    ],
    "from_boundaries": [(lambda t: saliency.from_boundaries(t, LATTICE), LABELS, (2, 3), "labels")],
    "BoundaryDensity": [
        (lambda t: saliency.BoundaryDensity(LATTICE).add(t), LABELS, (2, 3), "labels")
    ],
    "semantic_boundaries": [],  # (..., H, W): see the test of its own
    "compose": [(lambda t: saliency.compose((t, 1.0)), MAP, (4,), "saliency of term 0")],
    "Composed": [
        (lambda t: saliency.Composed(t, lambda images: MAP), MAP, (4,), "saliency of term 0"),
        (lambda t: saliency.Composed(MAP, lambda images: t)(IMAGES), MAP, (4,), "saliency of term"),
    ],
    "LearnedSaliency": [
        (lambda t: saliency.LearnedSaliency(LATTICE, input_size=(9, 13))(t), IMAGES, (4,), "images")
    ],
    "require_saliency": [(saliency.require_saliency, MAP, (4,), "saliency")],
    "uniform": [],
    "magnification_bound": [],
    "Warp": [
        (Warp.from_saliency, MAP, (4,), "saliency"),
        (lambda t: Warp.from_nodes(t, warp().y), torch.linspace(0, 1, 7)[None], (2,), "nodes"),
        (lambda t: Warp.from_nodes(warp().x, t), torch.linspace(0, 1, 5)[None], (2,), "nodes"),
        (Warp.from_node_grid, warp().nodes.dense(), (4,), "grid"),
        (lambda t: warp().zoom(t, (20, 30)), IMAGES, (4,), "images"),
        (lambda t: warp().unzoom(t), IMAGES, (4,), "features"),
        (lambda t: warp().forward(t), torch.rand(1, 9, 2), (3,), "points"),
        (lambda t: warp().inverse(t), torch.rand(1, 9, 2), (3,), "points"),
    ],
    "ZoomUnzoom": [
        (lambda t: ZoomUnzoom(t, (20, 30)), MAP, (4,), "saliency"),
        (lambda t: ZoomUnzoom(lambda images: t, (20, 30)).zoom(IMAGES), MAP, (4,), "saliency"),
        (lambda t: lens().zoom(t), IMAGES, (4,), "images"),
        (lambda t: lens().unzoom(t, warp()), IMAGES, (4,), "features"),
        (lambda t: lens().wrap(torch.nn.Identity())(t), IMAGES, (4,), "images"),
    ],
}


def test_every_public_name_is_looked_at():
    public = [*saliency.__all__, *lzu._OBJECTS]
    assert sorted(RANKED) == sorted(set(public))


CALLS = [
    pytest.param(call, good, ranks, name, id=f"{public}-{name}")
    for public, calls in RANKED.items()
    for call, good, ranks, name in calls
]


@pytest.mark.parametrize(("call", "good", "ranks", "name"), CALLS)
def test_a_tensor_of_another_rank_is_an_error_that_names_it(call, good, ranks, name):
    call(good)
    for other in (good[0], good[None], good[None, None], good.flatten(), good.new_zeros(())):
        if other.ndim in ranks:
            continue
        with pytest.raises((ValueError, TypeError), match=rf"{name}.* (must|is|are) "):
            call(other)


@pytest.mark.parametrize(("call", "good", "ranks", "name"), CALLS)
@pytest.mark.parametrize("other", [None, "a text", 3.5])
def test_what_is_no_tensor_is_an_error_that_names_it(call, good, ranks, name, other):
    with pytest.raises(TypeError, match=name):
        call(other)


SETTINGS = [
    (lambda v: saliency.from_boxes(BOXES, IMAGE, LATTICE, amplitude=v), "amplitude"),
    (lambda v: saliency.from_boxes(BOXES, IMAGE, LATTICE, bandwidth=v), "bandwidth"),
    (lambda v: saliency.from_boxes(BOXES, IMAGE, LATTICE, chunk=v), "chunk"),
    (lambda v: saliency.project_boxes_3d(BOXES_3D, CAMERA, IMAGE, near=v), "near"),
    (lambda v: saliency.from_boundaries(LABELS, LATTICE, boundary=v), "boundary"),
    (lambda v: saliency.uniform(LATTICE, batch=v), "batch"),
    (lambda v: saliency.magnification_bound(v), "floor"),
    (lambda v: saliency.magnification_bound(0.5, fwhm=v), "fwhm"),
    (lambda v: Warp.from_saliency(MAP, fwhm=v), "fwhm"),
]


@pytest.mark.parametrize(("call", "name"), SETTINGS)
@pytest.mark.parametrize("value", [0, -1, float("nan"), "1", None, True, [1.0], torch.ones(1)])
def test_a_setting_is_a_positive_number(call, name, value):
    with pytest.raises((ValueError, TypeError), match=rf"{name} must be"):
        call(value)


def test_labels_have_two_axes_at_least():
    assert inspect.signature(saliency.semantic_boundaries).parameters["labels"]
    with pytest.raises(ValueError, match="labels must be"):
        saliency.semantic_boundaries(torch.zeros(5, dtype=torch.uint8))
