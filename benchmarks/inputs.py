"""The paper's sizes, and inputs of these sizes."""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from lzu import saliency

LATTICE, SOURCE, TARGET, PADDED = (31, 51), (1200, 1920), (600, 960), (608, 960)
STRIDES, CHANNELS, BOXES = (8, 16, 32, 64, 128), 256, 40


def level_size(stride: int) -> tuple[int, int]:
    """Return the size of the feature map of `stride` of an input of `PADDED`."""
    return -(-PADDED[0] // stride), -(-PADDED[1] // stride)


def prior(device: torch.device, batch: int = 1) -> Tensor:
    """Return saliency (batch, 1, 31, 51) with a strong centre, of another strength in each item."""
    s = saliency.uniform(LATTICE, batch=batch, device=device)
    strength = 20 - torch.arange(batch, device=device).view(-1, 1, 1, 1) / batch
    s[..., 12:19, 20:31] *= strength
    return s


def boxes(device: torch.device) -> Tensor:
    """Return 40 boxes (40, 4) of 10 to 90 pixels, around the horizon of an image of `SOURCE`."""
    generator = torch.Generator().manual_seed(0)
    spread, corner = torch.tensor([1500.0, 300.0]), torch.tensor([200.0, 450.0])
    centre = torch.rand(BOXES, 2, generator=generator) * spread + corner
    size = torch.rand(BOXES, 2, generator=generator) * 80 + 10
    return torch.cat((centre - size / 2, centre + size / 2), dim=1).to(device)


def images(device: torch.device, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.rand(1, 3, *SOURCE, device=device).to(dtype)


def levels(device: torch.device, dtype: torch.dtype = torch.float32) -> list[Tensor]:
    """Return the five feature maps (1, 256, H, W) of an input of `PADDED`."""
    return [
        torch.rand(1, CHANNELS, *level_size(stride), device=device).to(dtype) for stride in STRIDES
    ]


def shapes_of(**tensors: Tensor | Sequence[Tensor]) -> dict[str, list]:
    """Return name -> shape, or shapes, for the files."""
    return {
        name: list(value.shape) if isinstance(value, Tensor) else [list(v.shape) for v in value]
        for name, value in tensors.items()
    }


def grid_sample_alone(maps: Sequence[Tensor], grids: Sequence[Tensor]) -> Callable[[], object]:
    """Return a run of `F.grid_sample` of maps at ready grids; on a CPU in float32 throughout."""
    if maps[0].device.type == "cpu":
        maps = [m.float() for m in maps]
    grids = [grid.to(m.dtype).contiguous() for grid, m in zip(grids, maps, strict=True)]

    def run() -> list[Tensor]:
        return [
            F.grid_sample(m, grid, padding_mode="border", align_corners=True)
            for m, grid in zip(maps, grids, strict=True)
        ]

    return run
