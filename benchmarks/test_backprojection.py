"""Predictions of 19 classes sent back from where they were sampled to a 1024x1024 crop.

The samples are of a smooth warp, 0.4 to 1.6 times as far apart as uniform ones, and the prediction
has regions some four samples wide at 64x64, and as many of them where there are more samples.

All is on one thread. Most of it is NumPy's and SciPy's, whose memory is not in the peak: that is of
tensors.
"""

import math
from collections.abc import Iterator

import pytest
import torch
import torch.nn.functional as F
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Tensor
from torch.profiler import record_function

from lzu.tasks.segmentation.backprojection import linear, nearest

from .measure import Measure

CROP, CLASSES, REGIONS = (1024, 1024), 19, 16


@pytest.fixture
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def prediction(samples: int) -> tuple[Tensor, Tensor]:
    """Return logits (1, 19, n, n), and the locations (1, n, n, 2) in [0, 1] that they are of."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(1, CLASSES, REGIONS, REGIONS, generator=generator)
    logits = F.interpolate(coarse, (samples, samples), mode="bicubic", align_corners=True)
    along = torch.linspace(0, 1, samples, dtype=torch.float64)
    x, y = torch.meshgrid(along, along, indexing="xy")
    strength = 0.6 / math.tau
    moved_x = x - strength * torch.sin(math.tau * x) * torch.cos(math.pi * y)
    moved_y = y - strength * torch.sin(math.tau * y) * torch.cos(math.pi * x)
    return logits, torch.stack((moved_x, moved_y), dim=-1)[None].clamp(0, 1).float()


def send_back(way: str, logits: Tensor, locations: Tensor) -> Tensor:
    """Return the classes (1, H, W) of the crop, by the way of LDS or of ES."""
    if way == "nearest":
        return nearest(logits.argmax(1), locations, CROP)
    return linear(logits, locations, CROP)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("samples", [64, 128, 256])
@pytest.mark.parametrize("way", ["nearest", "linear"])
def test_backprojection(
    benchmark: BenchmarkFixture,
    measure: Measure,
    device: torch.device,
    way: str,
    samples: int,
) -> None:
    logits, locations = (tensor.to(device) for tensor in prediction(samples))

    def operation() -> Tensor:
        # So named in the profile, which knows of nothing but operators.
        with record_function("NumPy and SciPy"):
            return send_back(way, logits, locations)

    measure(
        benchmark,
        f"back-projection of {samples}x{samples}, {way}, one thread",
        operation,
        inputs=[logits, locations],
        dtype=logits.dtype,
        shapes={"logits": logits.shape, "crop": CROP},
        targets={"time_ms": 500},
    )
