"""Zoom and unzoom at the paper's sizes: 1200x1920 to 600x960, five FPN levels, batch 1.

The baseline is `F.grid_sample` alone, of the same maps at the same grids, made beforehand.
"""

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Tensor

from lzu import Warp, ZoomUnzoom, saliency
from lzu.core.lattice import content_extent

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

DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
LAYOUTS = pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=str)
KINDS = pytest.mark.parametrize("kind", ["separable", "nonseparable"])


def level_grids(warp: Warp, maps: list[Tensor]) -> list[Tensor]:
    return [
        warp.unzoom_grid(level.shape[2:], content_extent(TARGET, stride))
        for level, stride in zip(maps, STRIDES, strict=True)
    ]


def adaptive_lens(kind: str) -> ZoomUnzoom:
    """Return the zoom of the paper's adaptive settings; it takes boxes in pixels of `SOURCE`."""

    def source(found: Tensor) -> Tensor:
        return saliency.from_boxes(found, SOURCE, LATTICE, check=False)

    return ZoomUnzoom(source, TARGET, fwhm=10, separable=kind == "separable", check=False)


def named(*parts: object) -> str:
    """Return a case's name; what is usual goes without saying."""
    names = [str(part).removeprefix("torch.") for part in parts]
    return ", ".join(name for name in names if name not in ("contiguous_format", "float32"))


@LAYOUTS
@DTYPES
def test_zoom_fixed(
    benchmark: BenchmarkFixture,
    measure: Measure,
    device: torch.device,
    dtype: torch.dtype,
    layout: torch.memory_format,
) -> None:
    lens = ZoomUnzoom(prior(device), TARGET)
    image = images(device, dtype).contiguous(memory_format=layout)
    measure(
        benchmark,
        named("zoom, fixed", dtype, layout),
        lambda: lens.zoom(image)[0],
        inputs=image,
        dtype=dtype,
        shapes=shapes_of(image=image),
        cost_of=("grid_sample", grid_sample_alone([image], [lens.warp().zoom_grid(TARGET)])),
    )


@LAYOUTS
@DTYPES
def test_unzoom_fixed(
    benchmark: BenchmarkFixture,
    measure: Measure,
    device: torch.device,
    dtype: torch.dtype,
    layout: torch.memory_format,
) -> None:
    lens = ZoomUnzoom(prior(device), TARGET)
    warp = lens.warp()
    maps = [m.contiguous(memory_format=layout) for m in levels(device, dtype)]
    measure(
        benchmark,
        named("unzoom five levels, fixed", dtype, layout),
        lambda: lens.unzoom(maps, warp, strides=STRIDES),
        inputs=maps,
        dtype=dtype,
        shapes=shapes_of(levels=maps),
        cost_of=("grid_sample", grid_sample_alone(maps, level_grids(warp, maps))),
    )


@KINDS
def test_adaptive_path(
    benchmark: BenchmarkFixture, measure: Measure, device: torch.device, kind: str
) -> None:
    lens = adaptive_lens(kind)
    image, maps, found = images(device), levels(device), boxes(device)

    def operation() -> list[Tensor]:
        zoomed, warp = lens.zoom(image, found)
        return [zoomed, *lens.unzoom(maps, warp, strides=STRIDES)]

    warp = lens.warp(found)
    grids = [warp.zoom_grid(TARGET), *level_grids(warp, maps)]
    measure(
        benchmark,
        f"boxes to unzoomed levels, {kind}",
        operation,
        inputs=[found, image, *maps],
        dtype=torch.float32,
        shapes=shapes_of(boxes=found, image=image, levels=maps),
        cost_of=("grid_sample", grid_sample_alone([image, *maps], grids)),
        targets={"cost": 1.3},
    )


def test_saliency_of_boxes(
    benchmark: BenchmarkFixture, measure: Measure, device: torch.device
) -> None:
    found = boxes(device)
    measure(
        benchmark,
        "saliency of 40 boxes",
        lambda: saliency.from_boxes(found, SOURCE, LATTICE, check=False),
        inputs=found,
        dtype=torch.float32,
        shapes={"boxes": found.shape, "lattice": LATTICE},
    )


@pytest.mark.parametrize("check", [True, False], ids=["check", "no check"])
@KINDS
def test_warp_of_saliency(
    benchmark: BenchmarkFixture, measure: Measure, device: torch.device, kind: str, check: bool
) -> None:
    s = prior(device)

    def operation() -> tuple[Tensor, Tensor]:
        warp = Warp.from_saliency(s, separable=kind == "separable", check=check)
        return warp.x, warp.y

    measure(
        benchmark,
        f"warp of saliency, {kind}, {'check' if check else 'no check'}",
        operation,
        inputs=s,
        dtype=s.dtype,
        shapes={"lattice": LATTICE},
    )
