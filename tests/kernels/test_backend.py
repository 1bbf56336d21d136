"""`ZoomUnzoom(backend="triton")` against the PyTorch path."""

from functools import partial

import pytest
import torch

from lzu import ZoomUnzoom
from lzu.core import fused
from lzu.saliency import from_boxes
from tests.core.oracles import random_saliency

SIZE, STRIDES = (12, 20), (4, 8)


def lenses(saliency, device, **settings):
    """Return the lens by PyTorch and the one by the kernels."""
    settings = {"fwhm": 4, **settings}
    return [
        ZoomUnzoom(saliency, SIZE, backend=backend, **settings).to(device)
        for backend in ("torch", "triton")
    ]


@pytest.fixture
def used(monkeypatch):
    """The kernels that ran, by name."""
    names = []

    class Watched:
        def __getattr__(self, name):
            names.append(name)
            return getattr(kernels, name)

    kernels = fused.kernels
    monkeypatch.setattr(fused, "kernels", Watched())
    return names


@pytest.mark.parametrize("anti_crop", [True, False])
@pytest.mark.parametrize("separable", [True, False])
def test_it_gives_what_pytorch_gives(separable, anti_crop, device, used):
    prior = random_saliency(0, (5, 6))
    plain, fast = lenses(prior, device, separable=separable, anti_crop=anti_crop)
    images = torch.rand(2, 3, 18, 30, device=device)
    levels = [torch.rand(2, 4, 3, 5, device=device), torch.rand(2, 3, 2, 4, device=device)]
    zoomed, warp = fast.zoom(images)
    expected, same = plain.zoom(images)
    torch.testing.assert_close(zoomed, expected)
    unzoomed = fast.unzoom(levels, warp, strides=STRIDES)
    torch.testing.assert_close(unzoomed, plain.unzoom(levels, same, strides=STRIDES))
    if separable:
        assert used == ["zoom", "unzoom"]
    else:
        assert used == ([] if not anti_crop else ["nonseparable_inverse"] * 2)


def test_images_of_8_bits_are_widened_in_the_kernel(device, used):
    plain, fast = lenses(random_saliency(0, (5, 6)), device)
    images = torch.randint(0, 256, (2, 3, 18, 30), dtype=torch.uint8, device=device)
    torch.testing.assert_close(fast.zoom(images)[0], plain.zoom(images)[0], rtol=1e-5, atol=255e-5)
    assert used == ["zoom"]


def test_adaptive_saliency_becomes_nodes_in_a_launch(device, used):
    saliency = random_saliency(1, (5, 6), batch=2).to(device)
    plain, fast = lenses(lambda: saliency, device, check=False)
    torch.testing.assert_close(fast.warp().x, plain.warp().x)
    torch.testing.assert_close(fast.warp().y, plain.warp().y)
    assert used == ["separable_nodes"] * 2


IMAGE, LATTICE = (90, 150), (5, 6)


def random_boxes(count, dtype=torch.float32):
    corner = torch.rand(count, 2) * 60
    return torch.cat((corner, corner + 5 + 20 * torch.rand(count, 2)), dim=1).to(dtype)


def box_lenses(device, boxes_checked=False, **settings):
    known = {"image_size": IMAGE, "lattice": LATTICE, "amplitude": 3, "check": boxes_checked}
    source = partial(from_boxes, **known)
    return lenses(source, device, **{"check": False, **settings})


@pytest.mark.parametrize("anti_crop", [True, False])
@pytest.mark.parametrize(
    "boxes",
    [
        random_boxes(7),
        random_boxes(0),
        random_boxes(7)[None],
        torch.stack([random_boxes(3), random_boxes(3)]),
        [random_boxes(3), random_boxes(0), random_boxes(9)],
        [random_boxes(3, torch.uint8), random_boxes(3), random_boxes(3, torch.float16)],
    ],
    ids=["alone", "none", "batch of one", "batch", "list", "list of types"],
)
def test_boxes_become_nodes_in_a_launch(boxes, anti_crop, device, used):
    boxes = [b.to(device) for b in boxes] if isinstance(boxes, list) else boxes.to(device)
    plain, fast = box_lenses(device, anti_crop=anti_crop)
    batch = len(boxes) if isinstance(boxes, list) or boxes.ndim == 3 else 1
    images = torch.rand(batch, 3, 18, 30, device=device)
    zoomed, warp = fast.zoom(images, boxes)
    expected, same = plain.zoom(images, boxes)
    assert used == ["box_nodes", "zoom"]
    torch.testing.assert_close(warp.x, same.x, rtol=0, atol=1e-6)
    torch.testing.assert_close(warp.y, same.y, rtol=0, atol=1e-6)
    torch.testing.assert_close(zoomed, expected, rtol=1e-4, atol=1e-4)


def test_boxes_that_the_kernel_does_not_serve_go_by_pytorch(device, used):
    boxes = random_boxes(4).to(device)
    bad = boxes.clone()
    bad[1, 2:] = bad[1, :2]
    for settings in ({"check": True}, {"separable": False}):
        box_lenses(device, **settings)[1].warp(boxes)
        assert used == []
    with pytest.raises(ValueError, match="box 1 of batch item 0 has zero or negative size"):
        box_lenses(device, boxes_checked=True)[1].warp(bad)
    fast = box_lenses(device)[1]
    wanted = boxes.clone().requires_grad_()
    fast.warp(wanted).x.square().sum().backward()
    assert wanted.grad.abs().sum() > 0
    assert used == []


def test_what_is_in_double_precision_stays_so_by_pytorch(device, used):
    boxes = random_boxes(4, torch.float64).to(device)
    images = torch.rand(1, 3, 18, 30, dtype=torch.float64, device=device)
    level = torch.rand(1, 4, 3, 5, dtype=torch.float64, device=device)
    plain, fast = box_lenses(device)
    zoomed, warp = fast.zoom(images, boxes)
    expected, same = plain.zoom(images, boxes)
    assert warp.dtype == zoomed.dtype == torch.float64
    torch.testing.assert_close(zoomed, expected)
    unzoomed = fast.unzoom(level, warp, strides=4)
    torch.testing.assert_close(unzoomed, plain.unzoom(level, same, strides=4))
    assert used == []


def test_on_a_cpu_without_the_interpreter_pytorch_does_it(monkeypatch, used):
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    cpu, boxes, images = torch.device("cpu"), random_boxes(4), torch.rand(1, 3, 18, 30)
    plain, fast = box_lenses(cpu)
    zoomed, warp = fast.zoom(images, boxes)
    assert torch.equal(zoomed, plain.zoom(images, boxes)[0])
    unzoomed = fast.unzoom(zoomed, warp, strides=1)
    assert torch.equal(unzoomed, plain.unzoom(zoomed, warp, strides=1))
    assert used == []


def test_with_gradients_wanted_pytorch_does_it(device, used):
    saliency = torch.nn.Parameter(random_saliency(2, (5, 6)))
    plain, fast = lenses(saliency, device, check=False)
    images = torch.rand(1, 3, 18, 30, device=device)
    level = torch.rand(1, 4, 3, 5, device=device, requires_grad=True)
    for lens in (plain, fast):
        zoomed, warp = lens.zoom(images)
        (zoomed.square().sum() + lens.unzoom(level, warp, strides=4).square().sum()).backward()
    assert used == []
    assert level.grad.abs().sum() > 0
    with torch.no_grad():
        fast.zoom(images)
    assert used == ["separable_nodes", "zoom"]


def test_bad_saliency_is_still_named(device):
    bad = torch.zeros(1, 1, 5, 6, device=device)
    lens = ZoomUnzoom(lambda: bad, SIZE, backend="triton")
    with pytest.raises(ValueError, match="has 0 in cell"):
        lens.warp()


def test_bad_settings():
    prior = random_saliency(0, (5, 6))
    with pytest.raises(ValueError, match='backend must be "torch" or "triton", got \'cuda\''):
        ZoomUnzoom(prior, SIZE, backend="cuda")
    with pytest.raises(ValueError, match="the kernels invert every level"):
        ZoomUnzoom(prior, SIZE, backend="triton", levels="downsampled")
