"""Zoom and unzoom at the paper's sizes: 1200x1920 to 600x960, five FPN levels, batch 1.

The baseline is `F.grid_sample` alone, on the same images and with a ready identity grid.

    pytest benchmarks --benchmark-json=times.json
"""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lzu import Warp, ZoomUnzoom, saliency

from .conftest import Measure

LATTICE, SOURCE, TARGET, PADDED = (31, 51), (1200, 1920), (600, 960), (608, 960)
STRIDES, CHANNELS = (8, 16, 32, 64, 128), 256
FLOATS = pytest.mark.parametrize(
    "dtype", [torch.float32, torch.float16], ids=["float32", "float16"]
)
LAYOUTS = pytest.mark.parametrize(
    "layout", [torch.contiguous_format, torch.channels_last], ids=["contiguous", "channels_last"]
)


def prior(device: torch.device) -> Tensor:
    """Saliency (1, 1, 31, 51) with a strong centre."""
    s = saliency.uniform(LATTICE, device=device)
    s[..., 12:19, 20:31] *= 20
    return s


def boxes(device: torch.device) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    centre = torch.rand(40, 2, generator=generator) * torch.tensor([1500.0, 300.0]) + 400
    size = torch.rand(40, 2, generator=generator) * 80 + 10
    return torch.cat((centre - size / 2, centre + size / 2), dim=1).to(device)


def images(device: torch.device, dtype: torch.dtype) -> Tensor:
    return torch.rand(1, 3, *SOURCE, device=device).to(dtype)


def levels(device: torch.device, dtype: torch.dtype) -> list[Tensor]:
    sizes = [[-(-side // stride) for side in PADDED] for stride in STRIDES]
    return [torch.rand(1, CHANNELS, *size, device=device).to(dtype) for size in sizes]


def grid_sample_alone(maps: list[Tensor], sizes: list[tuple[int, int]]) -> Callable[[], object]:
    """Return a run of `F.grid_sample` of maps to sizes, in a dtype that the device can sample."""
    identity = Warp.identity(device=maps[0].device)
    if maps[0].device.type == "cpu":
        maps = [m.float() for m in maps]
    grids = [identity.zoom_grid(size).to(maps[0].dtype) for size in sizes]

    def run() -> list[Tensor]:
        return [
            F.grid_sample(m, grid, padding_mode="border", align_corners=True)
            for m, grid in zip(maps, grids, strict=True)
        ]

    return run


@LAYOUTS
@FLOATS
def test_zoom_fixed(
    measure: Measure, device: torch.device, dtype: torch.dtype, layout: torch.memory_format
) -> None:
    lens = ZoomUnzoom(prior(device), TARGET)
    image = images(device, dtype).contiguous(memory_format=layout)
    measure(
        lambda: lens.zoom(image),
        grid_sample_alone([image], [TARGET]),
        shapes={"image": image.shape, "zoomed": TARGET},
        dtype=dtype,
    )


@LAYOUTS
@FLOATS
def test_unzoom_five_levels_fixed(
    measure: Measure, device: torch.device, dtype: torch.dtype, layout: torch.memory_format
) -> None:
    lens = ZoomUnzoom(prior(device), TARGET)
    maps = [m.contiguous(memory_format=layout) for m in levels(device, dtype)]
    warp = lens.warp()
    measure(
        lambda: lens.unzoom(maps, warp, strides=STRIDES),
        grid_sample_alone(maps, [tuple(m.shape[2:]) for m in maps]),
        shapes={"levels": [m.shape for m in maps]},
        dtype=dtype,
    )


@FLOATS
def test_zoom_and_unzoom_adaptive(
    measure: Measure, device: torch.device, dtype: torch.dtype
) -> None:
    def source(found: Tensor) -> Tensor:
        return saliency.from_boxes(found, SOURCE, LATTICE, check=False)

    lens = ZoomUnzoom(source, TARGET, fwhm=10, check=False)
    image, maps, found = images(device, dtype), levels(device, dtype), boxes(device)

    def run() -> None:
        _, warp = lens.zoom(image, found)
        lens.unzoom(maps, warp, strides=STRIDES)

    measure(
        run,
        grid_sample_alone([image, *maps], [TARGET, *(tuple(m.shape[2:]) for m in maps)]),
        shapes={"boxes": found.shape, "image": image.shape, "levels": [m.shape for m in maps]},
        dtype=dtype,
    )


def test_saliency_of_40_boxes(measure: Measure, device: torch.device) -> None:
    found = boxes(device)
    measure(
        lambda: saliency.from_boxes(found, SOURCE, LATTICE, check=False),
        shapes={"boxes": found.shape, "lattice": LATTICE},
        dtype=torch.float32,
    )


@pytest.mark.parametrize("check", [True, False], ids=["check", "no-check"])
def test_warp_of_saliency(measure: Measure, device: torch.device, check: bool) -> None:
    s = prior(device)
    measure(lambda: Warp.from_saliency(s, check=check), shapes={"lattice": LATTICE}, dtype=s.dtype)


@pytest.mark.parametrize("batch", [1, 8], ids=["batch1", "batch8"])
def test_inverse_grid(measure: Measure, device: torch.device, batch: int) -> None:
    warp = Warp.from_saliency(prior(device).expand(batch, -1, -1, -1))
    measure(
        lambda: warp.unzoom_grid(TARGET),
        shapes={"grid": (batch, *TARGET, 2)},
        dtype=warp.dtype,
    )
