"""A warp that remembers its grids: `Warp.fixed`."""

from collections.abc import Callable

import torch

from lzu import Warp
from lzu.core.separable import SeparableNodes

from .test_warp import peaked


def test_a_fixed_warp_computes_each_grid_once_and_alike(monkeypatch):
    warp = peaked()
    fixed = warp.fixed()
    built = []
    for name in ("zoom_grid", "unzoom_grids", "valid_mask"):
        monkeypatch.setattr(SeparableNodes, name, counting(getattr(SeparableNodes, name), built))
    for make in (
        lambda w: w.zoom_grid((10, 12)),
        lambda w: w.unzoom_grid((10, 12)),
        lambda w: w.unzoom_grid((10, 12), (8.5, 9)),
        lambda w: w.unzoom_grid((11, 12)),
        lambda w: w.valid_mask((10, 12)),
    ):
        expected = make(warp)
        built.clear()
        assert torch.equal(make(fixed), expected)
        assert torch.equal(make(fixed), expected)
        assert len(built) == 1


def test_a_fixed_warp_forgets_the_oldest_grids(monkeypatch):
    fixed = Warp.identity().fixed()
    built = []
    monkeypatch.setattr(SeparableNodes, "zoom_grid", counting(SeparableNodes.zoom_grid, built))
    for n in range(2, 90):
        fixed.zoom_grid((n, 2))
    fixed.zoom_grid((89, 2))
    assert len(built) == 88
    fixed.zoom_grid((2, 2))
    assert len(built) == 89


def counting(method: Callable, calls: list) -> Callable:
    """Return a method that notes its calls."""

    def call(self: object, *args: object) -> object:
        calls.append(args)
        return method(self, *args)

    return call


def test_a_fixed_warp_made_in_inference_mode_can_train_later():
    with torch.inference_mode():
        fixed = peaked().fixed()
        fixed.unzoom(torch.rand(1, 2, 6, 8))
    features = torch.rand(1, 2, 6, 8, requires_grad=True)
    fixed.unzoom(features).sum().backward()
    assert torch.isfinite(features.grad).all()
