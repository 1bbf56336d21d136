"""On a GPU, whole paths beside the targets for an H200 at batch 1 and float32.

As a CUDA graph, and call by call, where the GPU may wait for Python. A target is for the graph.
The other files' cases run on a GPU, too.
"""

from collections.abc import Callable, Sequence

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Tensor

pytest.importorskip("triton", reason="the kernels need Triton (pip install '.[kernels]')")

from lzu import Warp, ZoomUnzoom
from lzu.core.lattice import content_extent
from lzu.kernels import box_nodes, nonseparable_inverse, unzoom, zoom

from .inputs import (
    LATTICE,
    SOURCE,
    STRIDES,
    TARGET,
    boxes,
    grid_sample_alone,
    images,
    levels,
    prior,
    shapes_of,
)
from .measure import Measure
from .test_warp import DTYPES, LAYOUTS, adaptive_lens, level_grids, named

pytestmark = pytest.mark.gpu

Run = Callable[[], list[Tensor]]
WITHIN_FLOOR = 2
EXTENTS = [content_extent(TARGET, stride) for stride in STRIDES]
GRAPH = pytest.mark.parametrize("graph", [True, False], ids=["graph", "calls"])


def torch_fixed(image: Tensor, maps: Sequence[Tensor]) -> Run:
    lens = ZoomUnzoom(prior(image.device), TARGET)

    def run() -> list[Tensor]:
        zoomed, warp = lens.zoom(image)
        return [zoomed, *lens.unzoom(maps, warp, strides=STRIDES)]

    return run


def triton_fixed(image: Tensor, maps: Sequence[Tensor]) -> Run:
    warp = Warp.from_saliency(prior(image.device))
    return lambda: [zoom(image, warp.x, warp.y, TARGET), *unzoom(maps, warp.x, warp.y, EXTENTS)]


def triton_adaptive(image: Tensor, maps: Sequence[Tensor], found: Tensor) -> Run:
    def run() -> list[Tensor]:
        x, y = box_nodes(found.unsqueeze(0), SOURCE, LATTICE, fwhm=10)
        return [zoom(image, x, y, TARGET), *unzoom(maps, x, y, EXTENTS)]

    return run


def torch_inverse(warp: Warp) -> Callable[[], Tensor]:
    return lambda: warp.unzoom_grid(TARGET)


def triton_inverse(warp: Warp) -> Callable[[], Tensor]:
    return lambda: nonseparable_inverse(warp.nodes.dense(), TARGET)


# The adaptive path of PyTorch copies from the host, which a graph cannot: see test_warp.py.
FIXED = {"torch": torch_fixed, "triton": triton_fixed}
ADAPTIVE = {"triton": triton_adaptive}
INVERSE = {"torch": torch_inverse, "triton": triton_inverse}


def targets(graph: bool, time_ms: float, **others: float) -> dict[str, float]:
    return {"time_ms": time_ms, "time_per_floor": WITHIN_FLOOR, **others} if graph else {}


def way(graph: bool) -> str:
    return "graph" if graph else "calls"


@LAYOUTS
@DTYPES
@GRAPH
@pytest.mark.parametrize("backend", FIXED)
def test_fixed_path(
    benchmark: BenchmarkFixture,
    measure: Measure,
    device: torch.device,
    backend: str,
    graph: bool,
    dtype: torch.dtype,
    layout: torch.memory_format,
) -> None:
    image = images(device, dtype).contiguous(memory_format=layout)
    maps = [m.contiguous(memory_format=layout) for m in levels(device, dtype)]
    warp = Warp.from_saliency(prior(device))
    grids = [warp.zoom_grid(TARGET), *level_grids(warp, maps)]
    usual = dtype == torch.float32 and layout == torch.contiguous_format
    measure(
        benchmark,
        named(f"{backend} {way(graph)}: zoom and unzoom, fixed", dtype, layout),
        FIXED[backend](image, maps),
        inputs=[image, *maps],
        dtype=dtype,
        shapes=shapes_of(image=image, levels=maps),
        cost_of=("grid_sample", grid_sample_alone([image, *maps], grids)),
        targets=targets(graph and usual, 0.03),
        graph=graph,
    )


@GRAPH
@pytest.mark.parametrize("backend", ADAPTIVE)
def test_adaptive_path(
    benchmark: BenchmarkFixture, measure: Measure, device: torch.device, backend: str, graph: bool
) -> None:
    image, maps, found = images(device), levels(device), boxes(device)
    warp = adaptive_lens("separable").warp(found)
    grids = [warp.zoom_grid(TARGET), *level_grids(warp, maps)]
    measure(
        benchmark,
        f"{backend} {way(graph)}: boxes to unzoomed levels",
        ADAPTIVE[backend](image, maps, found),
        inputs=[found, image, *maps],
        dtype=torch.float32,
        shapes=shapes_of(boxes=found, image=image, levels=maps),
        cost_of=("grid_sample", grid_sample_alone([image, *maps], grids)),
        targets=targets(graph, 0.06),
        graph=graph,
    )


@GRAPH
@pytest.mark.parametrize("backend", INVERSE)
def test_nonseparable_inverse(
    benchmark: BenchmarkFixture, measure: Measure, device: torch.device, backend: str, graph: bool
) -> None:
    warp = Warp.from_saliency(prior(device), separable=False)
    measure(
        benchmark,
        f"{backend} {way(graph)}: inverse, nonseparable",
        INVERSE[backend](warp),
        inputs=warp.nodes.dense(),
        dtype=warp.dtype,
        shapes={"lattice": LATTICE, "map": TARGET},
        targets=targets(graph, 0.02),
        graph=graph,
    )
