"""A fixed zoom around a model, beyond eager mode: compiled, exported, and as ONNX."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from lzu import ZoomUnzoom

from .oracles import random_saliency

SIZE = (24, 40)


class Pyramid(nn.Module):
    """Two levels, of strides 4 and 8."""

    def __init__(self) -> None:
        super().__init__()
        self.fine = nn.Conv2d(3, 4, 3, stride=4, padding=1)
        self.coarse = nn.Conv2d(4, 5, 3, stride=2, padding=1)

    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        fine = self.fine(images).relu()
        return [fine, self.coarse(fine)]


@pytest.fixture(params=["separable", "nonseparable", "cropping"])
def model(request: pytest.FixtureRequest) -> nn.Module:
    lens = ZoomUnzoom(
        random_saliency(0, (7, 9), contrast=50),
        SIZE,
        fwhm=5,
        separable=request.param == "separable",
        anti_crop=request.param != "cropping",
    )
    return lens.wrap(Pyramid(), strides=(4, 8)).eval()


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(2, 3, 48, 80)


def test_a_compiled_model_gives_the_same(model, images):
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(images), model(images))
    # The compiled program follows the prior.
    with torch.no_grad():
        model.lens.saliency.copy_(model.lens.saliency.flip(3))
    torch.testing.assert_close(compiled(images), model(images))


@pytest.mark.slow
def test_a_model_compiled_to_machine_code_gives_the_same(model, images):
    compiled = torch.compile(model, fullgraph=True)
    torch.testing.assert_close(compiled(images), model(images))


def test_an_exported_model_gives_the_same(model, images, tmp_path: Path):
    with torch.no_grad():
        program = torch.export.export(model, (images,))
        torch.export.save(program, tmp_path / "model.pt2")
        loaded = torch.export.load(tmp_path / "model.pt2").module()
        torch.testing.assert_close(loaded(images), model(images))


# Of onnxscript and of the exporter, about themselves.
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_onnx_gives_the_same_under_onnxruntime(model, images, tmp_path: Path):
    pytest.importorskip("onnxscript")
    onnxruntime = pytest.importorskip("onnxruntime")
    path = tmp_path / "model.onnx"
    with torch.no_grad():
        torch.onnx.export(model, (images,), path, dynamo=True, verbose=False)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (name,) = (node.name for node in session.get_inputs())
    # Other images than those that it was exported with.
    other = torch.rand(images.shape)
    expected = [level.detach().numpy() for level in model(other)]
    for got, level in zip(session.run(None, {name: other.numpy()}), expected, strict=True):
        np.testing.assert_allclose(got, level, atol=1e-5)
