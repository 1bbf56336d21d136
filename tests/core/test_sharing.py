"""No memory is shared with the caller: neither what is given, nor what is returned."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from lzu import Warp, ZoomUnzoom
from lzu.core.lattice import as_buffer
from lzu.core.pyramid import downsampled_grid
from lzu.saliency import Composed

from .oracles import random_saliency

SIZE, PADDED = (24, 40), (7, 11)
# All that a warp returns, by the name of what returns it.
RETURNED: dict[str, Callable[[Warp], list[Tensor]]] = {
    "x": lambda warp: [warp.x],
    "y": lambda warp: [warp.y],
    "dense nodes": lambda warp: [warp.nodes.dense()],
    "zoom_grid": lambda warp: [warp.zoom_grid(SIZE)],
    "unzoom_grid": lambda warp: [warp.unzoom_grid((6, 10))],
    "unzoom_grid, padded": lambda warp: [warp.unzoom_grid(PADDED, (5.5, 9))],
    "unzoom_grids": lambda warp: warp.unzoom_grids([((6, 10), None), (PADDED, (5.5, 9))]),
    "downsampled_grid": lambda warp: [downsampled_grid(warp, (6, 10), finest=SIZE)],
    "the finest grid of it": lambda warp: [warp.unzoom_grid(SIZE)],
    "valid_mask": lambda warp: [warp.valid_mask((6, 10))],
    "magnification": lambda warp: [warp.magnification((6, 10))],
    "magnification, zoomed": lambda warp: [warp.magnification((6, 10), frame="zoomed")],
    "forward": lambda warp: [warp.forward(torch.full((1, 3, 2), 0.3))],
    "inverse": lambda warp: [warp.inverse(torch.full((1, 3, 2), 0.3))],
    "zoom": lambda warp: [warp.zoom(torch.ones(1, 1, 6, 10), SIZE)],
    "unzoom": lambda warp: [warp.unzoom(torch.ones(1, 1, 6, 10))],
}
KINDS = [(separable, anti_crop) for separable in (True, False) for anti_crop in (True, False)]


def spoil(tensor: Tensor) -> None:
    """Write to all of a tensor."""
    # A view that repeats an element PyTorch writes to through its base alone.
    whole = tensor if tensor._base is None else tensor._base
    whole.fill_(False if whole.dtype == torch.bool else 77)


def snapshot(warp: Warp) -> dict[str, list[Tensor]]:
    return {name: [one.clone() for one in make(warp)] for name, make in RETURNED.items()}


def assert_unchanged(warp: Warp, before: dict[str, list[Tensor]]) -> None:
    for name, tensors in snapshot(warp).items():
        for now, then in zip(tensors, before[name], strict=True):
            assert torch.equal(now, then), name


@pytest.mark.parametrize(("separable", "anti_crop"), KINDS)
@pytest.mark.parametrize("fixed", [True, False])
@pytest.mark.parametrize("spoilt", RETURNED)
def test_what_a_warp_returns_is_the_callers_own(spoilt, fixed, separable, anti_crop):
    saliency = random_saliency(0, (7, 9), contrast=50)
    warp = Warp.from_saliency(saliency, fwhm=5, separable=separable, anti_crop=anti_crop)
    warp = warp.fixed() if fixed else warp
    before = snapshot(warp)
    for tensor in RETURNED[spoilt](warp):
        spoil(tensor)
    assert_unchanged(warp, before)


@pytest.mark.parametrize("levels", ["exact", "downsampled"])
@pytest.mark.parametrize("spoilt", RETURNED)
def test_a_plot_of_its_warp_changes_no_later_unzoom_of_a_lens(spoilt, levels):
    lens = ZoomUnzoom(random_saliency(0, (7, 9), contrast=50), SIZE, fwhm=5, levels=levels)
    images, features = torch.rand(1, 3, 48, 80), torch.rand(1, 2, 6, 10)
    zoomed, warp = lens.zoom(images)
    unzoomed = lens.unzoom(features, warp)
    for tensor in RETURNED[spoilt](lens.warp()):
        spoil(tensor)
    assert torch.equal(lens.zoom(images)[0], zoomed)
    assert torch.equal(lens.unzoom(features, lens.warp()), unzoomed)
    other = torch.rand(1, 2, 5, 9)  # of a size not asked for before
    expected = ZoomUnzoom(lens.saliency, SIZE, fwhm=5, levels=levels)
    assert torch.equal(lens.unzoom(other, lens.warp()), expected.unzoom(other, expected.warp()))


def from_nodes(given: list[Tensor]) -> Warp:
    return Warp.from_nodes(*given)


def from_node_grid(given: list[Tensor]) -> Warp:
    return Warp.from_node_grid(*given)


def from_saliency(given: list[Tensor]) -> Warp:
    return Warp.from_saliency(*given, fwhm=5)


def from_a_prior(given: list[Tensor]) -> Warp:
    return ZoomUnzoom(*given, SIZE, fwhm=5).warp()


def of_the_same_type(given: list[Tensor]) -> Warp:
    return Warp.from_nodes(*given).to("cpu", torch.float32)


@pytest.mark.parametrize(
    ("make", "count"),
    [
        (from_nodes, "axes"),
        (from_node_grid, "grid"),
        (from_saliency, "saliency"),
        (from_a_prior, "saliency"),
        (of_the_same_type, "axes"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_what_a_warp_is_made_of_may_be_written_to_afterwards(make, count):
    saliency = random_saliency(0, (7, 9), contrast=50)
    of_axes = Warp.from_saliency(saliency, fwhm=5)
    given = {
        "axes": [of_axes.x, of_axes.y],
        "grid": [of_axes.nodes.dense()],
        "saliency": [saliency],
    }[count]
    warp = make(given)
    before = snapshot(warp)
    for tensor in given:
        spoil(tensor)
    assert_unchanged(warp, before)


def test_nodes_carry_a_gradient_though_they_are_copied():
    nodes = torch.tensor([[0.0, 0.3, 1.0]], requires_grad=True)
    Warp.from_nodes(nodes, nodes).x.square().sum().backward()
    assert nodes.grad.tolist() == [[0, pytest.approx(0.6), 2]]


@pytest.mark.parametrize("make", [lambda s: ZoomUnzoom(s, SIZE), lambda s: Composed(s, len)])
@pytest.mark.parametrize("leaf", [True, False])
def test_a_gradient_is_not_lost_in_silence(make, leaf):
    saliency = random_saliency(0, (7, 9)).requires_grad_()
    with pytest.raises(ValueError, match=r"requires a gradient.*Parameter.*callable.*detach"):
        make(saliency if leaf else saliency * 2)
    make(saliency.detach())
    assert as_buffer(saliency.detach()).data_ptr() != saliency.data_ptr()


def test_all_ways_that_the_error_names_carry_the_gradient():
    saliency = random_saliency(0, (7, 9)).requires_grad_()
    images = torch.rand(1, 3, 48, 80)
    for lens, leaf in (
        (parameter := ZoomUnzoom(torch.nn.Parameter(saliency.detach()), SIZE), None),
        (ZoomUnzoom(lambda images: 2 * saliency, SIZE), saliency),
    ):
        lens.zoom(images)[0].square().sum().backward()
        assert (parameter.saliency if leaf is None else leaf).grad.abs().sum() > 0


def test_a_buffer_that_comes_to_require_a_gradient_gets_it():
    lens = ZoomUnzoom(random_saliency(0, (7, 9)), SIZE)
    images = torch.rand(1, 3, 48, 80)
    lens.zoom(images)
    lens.saliency.requires_grad_()
    lens.zoom(images)[0].square().sum().backward()
    assert lens.saliency.grad.abs().sum() > 0
