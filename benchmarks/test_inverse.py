"""The inverse of a warp, against the tile-by-tile methods that users have now."""

from collections.abc import Sequence

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Tensor

from lzu import Warp
from lzu.core.lattice import content_extent

from .algorithm1 import invert_axes, invert_tiles, invert_tiles_tuned
from .inputs import LATTICE, PADDED, STRIDES, TARGET, level_size, prior
from .measure import Measure

KINDS = pytest.mark.parametrize("kind", ["separable", "nonseparable"])
# Against Algorithm 1 as the paper says it.
TARGETS = {
    "separable": {"speedup": 100},
    "nonseparable": {"speedup": 20, "memory_per_output": 10},
}
# Batches scale linearly if eight images cost no more than eight times one, give or take timing.
LINEAR = 1.1


def warp_of(kind: str, device: torch.device, batch: int = 1) -> Warp:
    return Warp.from_saliency(prior(device, batch), separable=kind == "separable")


def assert_inverts(inverse: Tensor, grid: Tensor, extent: Sequence[float] | None = None) -> None:
    """Assert that T^-1 in [0, 1] is what `Warp.unzoom_grid` returned: both did the same work."""
    height, width = grid.shape[1:3]
    ey, ex = extent or (height - 1, width - 1)
    scale = grid.new_tensor([2 * ex / (width - 1), 2 * ey / (height - 1)])
    torch.testing.assert_close(inverse * scale - 1, grid, atol=2e-4, rtol=0)


@KINDS
@pytest.mark.parametrize("baseline", ["Algorithm 1", "Algorithm 1, tuned"])
def test_inverse(
    benchmark: BenchmarkFixture, measure: Measure, device: torch.device, baseline: str, kind: str
) -> None:
    warp = warp_of(kind, device)
    nodes = warp.nodes.dense()
    tuned = baseline.endswith("tuned")
    invert = invert_tiles_tuned if tuned else invert_tiles
    assert_inverts(invert(nodes, TARGET), warp.unzoom_grid(TARGET))
    measure(
        benchmark,
        f"inverse, {kind}" + ", against tuned" * tuned,
        lambda: warp.unzoom_grid(TARGET),
        inputs=(warp.x, warp.y),
        dtype=warp.dtype,
        shapes={"lattice": LATTICE, "map": TARGET},
        speedup_over=(baseline, lambda: invert(nodes, TARGET)),
        targets=None if tuned else TARGETS[kind],
    )


def test_inverse_against_a_loop_for_each_axis(
    benchmark: BenchmarkFixture, measure: Measure, device: torch.device
) -> None:
    warp = warp_of("separable", device)
    assert_inverts(invert_axes(warp.x, warp.y, TARGET), warp.unzoom_grid(TARGET))
    measure(
        benchmark,
        "inverse, separable, against axes",
        lambda: warp.unzoom_grid(TARGET),
        inputs=(warp.x, warp.y),
        dtype=warp.dtype,
        shapes={"lattice": LATTICE, "map": TARGET},
        speedup_over=("loop over each axis", lambda: invert_axes(warp.x, warp.y, TARGET)),
    )


@KINDS
def test_inverse_of_five_levels(
    benchmark: BenchmarkFixture, measure: Measure, device: torch.device, kind: str
) -> None:
    warp = warp_of(kind, device)
    nodes = warp.nodes.dense()
    maps = [(level_size(stride), content_extent(PADDED, stride)) for stride in STRIDES]

    def operation() -> list[Tensor]:
        return warp.unzoom_grids(maps)

    def baseline() -> list[Tensor]:
        return [invert_tiles(nodes, size, extent) for size, extent in maps]

    for inverse, grid, (_, extent) in zip(baseline(), operation(), maps, strict=True):
        assert_inverts(inverse, grid, extent)
    measure(
        benchmark,
        f"inverse, five levels, {kind}",
        operation,
        inputs=(warp.x, warp.y),
        dtype=warp.dtype,
        shapes={"lattice": LATTICE, **{f"stride {s}": level_size(s) for s in STRIDES}},
        speedup_over=("Algorithm 1 at each", baseline),
    )


@KINDS
def test_inverse_of_a_batch(
    benchmark: BenchmarkFixture, measure: Measure, device: torch.device, kind: str
) -> None:
    batch = warp_of(kind, device, batch=8)
    single = [batch[item] for item in range(8)]
    measure(
        benchmark,
        f"inverse, {kind}, batch 8",
        lambda: batch.unzoom_grid(TARGET),
        inputs=(batch.x, batch.y),
        dtype=batch.dtype,
        shapes={"lattice": LATTICE, "map": (8, *TARGET)},
        cost_of=("8 times batch 1", lambda: [warp.unzoom_grid(TARGET) for warp in single]),
        targets={"cost": LINEAR},
    )
