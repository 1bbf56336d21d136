"""Images of 8 bits: zoomed as floating-point ones are, with no such copy of the whole image."""

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from lzu import Warp, ZoomUnzoom
from lzu.core import eight_bit
from lzu.core.resample import memory_format_of, sample
from lzu.saliency import LearnedSaliency

from .oracles import random_saliency

SIZE = (13, 17)
KINDS = pytest.mark.parametrize("kind", ["separable", "nonseparable", "cropping"])


def random_warp(kind="separable", batch=1, device="cpu", grad=False):
    saliency = random_saliency(0, (5, 6), batch=batch).to(device).requires_grad_(grad)
    settings = {"separable": kind != "nonseparable", "anti_crop": kind != "cropping"}
    return Warp.from_saliency(saliency, fwhm=4, **settings), saliency


def random_images(*shape, device="cpu"):
    return torch.randint(0, 256, shape, dtype=torch.uint8, device=device)


def assert_close(got, expected):
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=255e-6)


def assert_zooms(warp, images, size=SIZE):
    got, expected = warp.zoom(images, size), warp.zoom(images.float(), size)
    assert got.dtype == torch.float32
    assert_close(got, expected)
    assert got.is_contiguous(memory_format=memory_format_of(images))


@KINDS
@pytest.mark.parametrize("batch", [(1, 1), (3, 1), (1, 3), (3, 3), (0, 1)])
def test_they_zoom_as_floating_point_ones(kind, batch, device):
    warp, _ = random_warp(kind, batch[1], device)
    assert_zooms(warp, random_images(batch[0], 3, 23, 31, device=device))


@KINDS
def test_of_any_strides(kind, device):
    warp, _ = random_warp(kind, 2, device)
    as_loaded = random_images(2, 23, 31, 4, device=device)  # (B, H, W, C), as decoders give it
    for images in (as_loaded.permute(0, 3, 1, 2), as_loaded[..., :3].permute(0, 3, 1, 2)):
        assert_zooms(warp, images)
        assert_zooms(warp, images.contiguous())
        assert_zooms(warp, images[:, ::2, 3:, ::2])
        assert_zooms(warp, images.transpose(2, 3))
        assert_zooms(warp, images[:, :1].expand(-1, 4, -1, -1))


@pytest.mark.parametrize("size", [(2, 2), (2, 70), (41, 2)])
@pytest.mark.parametrize("given", [(1, 1), (1, 9), (40, 3)])
def test_of_any_size(given, size, device):
    assert_zooms(random_warp(device=device)[0], random_images(1, 2, *given, device=device), size)


def test_the_identity_returns_the_values_not_scaled():
    images = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    assert_close(Warp.identity().zoom(images, (16, 16)), images.float())


@KINDS
@pytest.mark.parametrize("cells", [1, 17, 40])
def test_in_parts_they_are_the_same(kind, cells, monkeypatch):
    warp, _ = random_warp(kind, 2)
    images = random_images(2, 3, 23, 31)
    whole = warp.zoom(images, SIZE)
    monkeypatch.setattr(eight_bit, "_CELLS_AT_ONCE", cells)
    assert torch.equal(warp.zoom(images, SIZE), whole)


@KINDS
def test_gradients_reach_the_saliency_as_by_floating_point(kind):
    images, weight = random_images(2, 3, 23, 31), torch.rand(2, 3, *SIZE)
    gradients = []
    for given in (images, images.float()):
        warp, saliency = random_warp(kind, 2, grad=True)
        (warp.zoom(given, SIZE) * weight).sum().backward()
        gradients.append(saliency.grad)
    assert gradients[0].abs().sum() > 0
    torch.testing.assert_close(*gradients, rtol=1e-3, atol=1e-4 * gradients[1].abs().max())


def test_gradients_reach_the_grid_as_by_floating_point():
    images, grid = random_images(1, 2, 9, 11), torch.rand(1, 5, 7, 2) * 2.4 - 1.2
    gradients = []
    for given in (images, images.float()):
        places = grid.clone().requires_grad_()
        sample(given, places).square().sum().backward()
        gradients.append(places.grad)
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-2)


class Made(TorchDispatchMode):
    """The largest floating-point tensor that an operator returned, in elements."""

    largest = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(out):
            if isinstance(tensor, torch.Tensor) and tensor.is_floating_point():
                self.largest = max(self.largest, tensor.numel())
        return out


@pytest.mark.parametrize("kind", ["separable", "nonseparable", "cropping", "learned"])
@pytest.mark.parametrize("grad", [False, True])
def test_no_floating_point_tensor_is_near_the_images_size(kind, grad):
    images, size = random_images(1, 3, 480, 800), (48, 80)
    if kind == "learned":
        lens = ZoomUnzoom(LearnedSaliency((5, 6), input_size=(33, 53), channels=16), size)
    else:
        lens = ZoomUnzoom(
            nn.Parameter(random_saliency(0, (5, 6))),
            size,
            fwhm=4,
            separable=kind != "nonseparable",
            anti_crop=kind != "cropping",
        )
    with torch.set_grad_enabled(grad), Made() as made:
        zoomed, _ = lens.zoom(images)
        if grad:
            zoomed.sum().backward()
    assert 0 < made.largest < images.numel() / 4
    # The mode does see one.
    with Made() as made:
        lens.zoom(images.float())
    assert made.largest >= images.numel()


def test_learned_saliency_is_that_of_floating_point_images():
    network = LearnedSaliency((5, 6), input_size=(33, 53), channels=16)
    nn.init.normal_(network.head.weight)
    images = random_images(2, 3, 200, 311)
    torch.testing.assert_close(network(images), network(images.float()), rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_wrapped_model_may_run_under_autocast(dtype):
    lens = ZoomUnzoom(random_saliency(0, (5, 6)), (24, 32), fwhm=4)
    model = lens.wrap(nn.Conv2d(3, 4, 3, stride=4, padding=1), strides=4)
    images = random_images(2, 48, 64, 3).permute(0, 3, 1, 2)
    with torch.autocast("cpu", dtype):
        got, expected = model(images), model(images.float())
        assert lens.zoom(images)[0].dtype == torch.float32
    assert got.dtype == dtype
    torch.testing.assert_close(got, expected)


def test_compiled_and_exported_they_are_the_same():
    lens = ZoomUnzoom(random_saliency(0, (5, 6)), (24, 32), fwhm=4)
    model = lens.wrap(nn.Conv2d(3, 4, 3, stride=4, padding=1), strides=4).eval()
    images = random_images(2, 3, 48, 64)
    with torch.no_grad():
        expected = model(images)
        compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
        torch.testing.assert_close(compiled(images), expected)
        exported = torch.export.export(model, (images,)).module()
        torch.testing.assert_close(exported(images), expected)


@pytest.mark.parametrize(
    "dtype", [torch.bool, torch.int8, torch.int16, torch.uint16, torch.int32, torch.int64]
)
def test_other_integers_are_refused(dtype):
    images = torch.zeros(1, 3, 9, 9).to(dtype)
    with pytest.raises(TypeError, match=f"images must be floating point or uint8, got {dtype}"):
        Warp.identity().zoom(images, (4, 4))
    with pytest.raises(TypeError, match=f"images must be floating point or uint8, got {dtype}"):
        ZoomUnzoom(random_saliency(0, (5, 6)), (4, 4)).zoom(images)


def test_features_of_8_bits_are_refused():
    features = random_images(1, 3, 9, 9)
    with pytest.raises(TypeError, match=r"features must be floating point, got torch.uint8"):
        Warp.identity().unzoom(features)
