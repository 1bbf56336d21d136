"""Programs of `torch.jit.trace`: made before anything ran, and refused where they would be wrong.

`test_export.py` has what holds for all kinds of programs.
"""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import lzu
from lzu import ZoomUnzoom, saliency

from .oracles import random_saliency

SIZE = (24, 40)
# Of the tracer, about sizes, which a program keeps.
pytestmark = pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")

FIRST = """
import torch, warnings
from lzu import ZoomUnzoom
warnings.simplefilter("ignore")
for separable in (True, False):
    lens = ZoomUnzoom(torch.rand(1, 1, 7, 9) + 0.1, (24, 40), fwhm=5, separable=separable)
    model = lens.wrap(torch.nn.Conv2d(3, 4, 3, 4, 1), strides=4).eval()
    images = torch.rand(2, 3, 48, 80)
    program = torch.jit.trace(model, images)
    torch.testing.assert_close(program(images), model(images))
"""


def test_the_first_call_of_a_process_may_be_a_trace():
    root = Path(lzu.__file__).parents[1]
    subprocess.run([sys.executable, "-c", FIRST], cwd=root, check=True)


@pytest.mark.parametrize("separable", [True, False])
@pytest.mark.parametrize("levels", ["exact", "downsampled"])
@pytest.mark.parametrize("batch", [1, 2])
def test_a_trace_serves_other_images_of_any_number(batch, levels, separable):
    prior = random_saliency(0, (7, 9), contrast=50)
    lens = ZoomUnzoom(prior, SIZE, fwhm=5, levels=levels, separable=separable)
    model = lens.wrap(nn.Conv2d(3, 4, 3, stride=4, padding=1), strides=4).eval()
    with torch.no_grad():
        program = torch.jit.trace(model, torch.rand(batch, 3, 48, 80))
        for other in (torch.rand(5, 3, 48, 80), torch.rand(1, 3, 60, 90)):
            torch.testing.assert_close(program(other), model(other))


def test_a_trace_leaves_nothing_behind():
    lens = ZoomUnzoom(random_saliency(0, (7, 9)), SIZE, fwhm=5)
    torch.jit.trace(lens.wrap(nn.Identity(), strides=1), torch.rand(1, 3, 48, 80))
    images = torch.rand(1, 3, 48, 80, requires_grad=True)
    zoomed, warp = lens.zoom(images)
    lens.unzoom(zoomed, warp).sum().backward()
    assert torch.isfinite(images.grad).all()


def test_learned_saliency_can_be_traced():
    network = saliency.LearnedSaliency((7, 9))
    nn.init.normal_(network.head.weight)
    model = ZoomUnzoom(network, SIZE, fwhm=5).wrap(nn.Conv2d(3, 4, 3, 4, 1), strides=4).eval()
    with torch.no_grad():
        program = torch.jit.trace(model, torch.rand(1, 3, 48, 80))
        other = torch.rand(3, 3, 60, 90)
        torch.testing.assert_close(program(other), model(other))


class Adaptive(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lens = ZoomUnzoom(from_boxes, SIZE, fwhm=5)

    def forward(self, images: Tensor, boxes: Tensor) -> Tensor:
        return self.lens.zoom(images, boxes)[0]


def from_boxes(boxes: Tensor) -> Tensor:
    return saliency.from_boxes(boxes, (48, 80), (7, 9), bandwidth=8)


def from_boxes_3d(boxes: Tensor) -> Tensor:
    camera = torch.tensor([[40.0, 0, 40], [0, 40, 24], [0, 0, 1]])
    return saliency.from_boxes_3d(boxes, camera, (48, 80), (7, 9))


BOXES = torch.tensor([[1.0, 2, 30, 30], [40, 5, 60, 40]])


@pytest.mark.parametrize(
    ("model", "inputs"),
    [
        (Adaptive(), (torch.rand(1, 3, 48, 80), BOXES)),
        (from_boxes, BOXES),
        (from_boxes_3d, torch.tensor([[0.5, 1.5, 20, 4.5, 1.6, 1.9, 0.3]])),
    ],
    ids=["lens", "from_boxes", "from_boxes_3d"],
)
def test_a_trace_that_would_keep_the_number_of_boxes_is_refused(model, inputs):
    with pytest.raises(RuntimeError, match=r"torch\.jit\.trace cannot record.*keep their number"):
        torch.jit.trace(model, inputs)


def test_the_other_recorders_do_not_keep_the_number_of_boxes():
    more = torch.cat((BOXES, BOXES + 3))
    compiled = torch.compile(from_boxes, backend="aot_eager", dynamic=True)
    for boxes in (BOXES, more):
        torch.testing.assert_close(compiled(boxes), from_boxes(boxes))
