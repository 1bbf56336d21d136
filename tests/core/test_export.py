"""A fixed zoom around a model, beyond eager mode: compiled, exported, and as ONNX."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from lzu import ZoomUnzoom

from .oracles import random_saliency
from .test_fixed_prior import IN_PLACE

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


@pytest.fixture(autouse=True)
def no_programs_before() -> None:
    torch.compiler.reset()


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


def states(lens: nn.Module) -> list[torch.Tensor]:
    return [random_saliency(seed, lens.saliency.shape[2:], contrast=50) for seed in (1, 2, 3, 4)]


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")  # of sizes, which a trace keeps
@pytest.mark.parametrize("form", ["compiled", "exported", "traced"])
def test_a_program_follows_every_write_to_the_prior(form, model, images):
    make = {
        "compiled": lambda: torch.compile(model, backend="aot_eager", fullgraph=True),
        "exported": lambda: torch.export.export(model, (images,)).module(),
        "traced": lambda: torch.jit.trace(model, images),
    }
    with torch.no_grad():
        program = make[form]()
        own = model if form == "compiled" else program
        for write, saliency in zip(IN_PLACE, states(model.lens), strict=True):
            write(own.lens, saliency)
            model.lens.load_state_dict({"saliency": saliency})
            torch.testing.assert_close(list(program(images)), list(model(images)))
        if form != "compiled":
            # PyTorch gives no other way to set the buffer of a program whole.
            state = {**program.state_dict(), "lens.saliency": random_saliency(9, (7, 9))}
            program.load_state_dict(state)
            model.lens.load_state_dict({"saliency": state["lens.saliency"]})
            torch.testing.assert_close(list(program(images)), list(model(images)))
