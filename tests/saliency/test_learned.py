import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lzu import Warp, ZoomUnzoom, saliency
from lzu.saliency import LearnedSaliency, magnification_bound


def small(**settings) -> LearnedSaliency:
    return LearnedSaliency((9, 13), input_size=(33, 53), **settings)


def trained(module: LearnedSaliency, scale: float = 1.0) -> LearnedSaliency:
    """Give the last convolution, which starts at zero, weights."""
    nn.init.normal_(module.head.weight, std=scale)
    return module


def test_it_starts_as_uniform_saliency():
    got = LearnedSaliency()(torch.rand(2, 3, 150, 240))
    torch.testing.assert_close(got, saliency.uniform((31, 51), batch=2), rtol=1e-6, atol=0)
    warp = Warp.from_saliency(got)
    torch.testing.assert_close(warp.nodes.dense(), Warp.identity((31, 51), batch=2).nodes.dense())


@pytest.mark.parametrize("floor", [0.01, 0.3, 1.0])
def test_it_sums_to_one_above_its_floor(floor, device):
    module = trained(small(floor=floor), 100.0).to(device)
    got = module(torch.rand(3, 3, 60, 90, device=device))
    assert got.shape == (3, 1, 9, 13)
    assert got.device.type == device.type
    assert (got.sum(dim=(1, 2, 3)) - 1).abs().max().item() < 1e-5
    assert got.min().item() >= floor / (9 * 13) * (1 - 1e-6)
    if floor < 1:
        assert got.max() > 2 / (9 * 13)


def test_the_formula_from_the_logits():
    module, images = trained(small(floor=0.2)), torch.rand(2, 3, 33, 53)
    logits = []
    module.head.register_forward_hook(lambda _, __, out: logits.append(out))
    got = module(images)
    assert logits[0].shape == (2, 1, 9, 14)
    grown = F.interpolate(logits[0], (9, 13), mode="bilinear", align_corners=True)
    cells = torch.exp(grown.double())
    expected = 0.8 * cells / cells.sum(dim=(2, 3), keepdim=True) + 0.2 / (9 * 13)
    torch.testing.assert_close(got, expected.float())


def multiply_adds(module: nn.Module, *inputs: torch.Tensor) -> int:
    """Count those of the convolutions as they run."""
    total = 0

    def count(layer: nn.Conv2d, _, out: torch.Tensor) -> None:
        nonlocal total
        total += out.numel() * layer.weight[0].numel()

    hooks = [m.register_forward_hook(count) for m in module.modules() if isinstance(m, nn.Conv2d)]
    module(*inputs)
    for hook in hooks:
        hook.remove()
    return total


def test_it_is_light():
    by_hand = 33 * 53 * 16 * 3 * 9 + 17 * 27 * (32 * 16 * 9 + 3 * 32 * 32 * 9 + 32)
    assert by_hand == 15_575_760
    assert multiply_adds(LearnedSaliency(), torch.rand(1, 3, 1200, 1920)) == by_hand
    # LDS's saliency generator, 64 x 128 pixels: 3-192-192-24-1 channels.
    lds = 64 * 128 * (9 * (3 * 192 + 192 * 192 + 192 * 24) + 24)
    assert by_hand < lds / 190


def test_a_cell_sees_63_pixels_each_way():
    module = trained(LearnedSaliency(input_size=(129, 129)).double())
    inputs = torch.zeros(1, 3, 129, 129, dtype=torch.float64, requires_grad=True)
    # Normalisations look at the whole image, so they are left out.
    layers = [m for m in module.body if not isinstance(m, (nn.GroupNorm, nn.ReLU))]
    out = module.head(nn.Sequential(*layers)(inputs))
    out[0, 0, 16, 16].backward()
    rows = inputs.grad[0].abs().sum(dim=(0, 2)).nonzero().flatten()
    assert (rows[0].item(), rows[-1].item()) == (64 - 31, 64 + 31)


def test_a_flipped_image_gives_flipped_saliency():
    # Corners on corners at every step, so only the kernels must be flipped as well.
    module, images = trained(small()).double(), torch.rand(1, 3, 33, 53, dtype=torch.float64)
    expected = module(images)
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            layer.weight.data = layer.weight.data.flip(2, 3)
    torch.testing.assert_close(module(images.flip(2, 3)), expected.flip(2, 3))


def test_range_and_brightness_do_not_matter():
    module, images = trained(small()), torch.rand(2, 3, 60, 90)
    torch.testing.assert_close(module(images * 255 - 100), module(images), rtol=1e-3, atol=1e-6)


def test_batch_items_are_independent():
    module, images = trained(small()), torch.rand(3, 3, 60, 90)
    alone = torch.cat([module(item[None]) for item in images])
    torch.testing.assert_close(module(images), alone, rtol=1e-4, atol=1e-7)


def test_a_constant_image_is_finite():
    images = torch.full((1, 3, 60, 90), 7.0, requires_grad=True)
    got = trained(small())(images)
    got[..., 0, 0].sum().backward()
    assert torch.isfinite(got).all()
    assert torch.isfinite(images.grad).all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_dtypes(dtype):
    module, images = trained(small()), torch.rand(2, 3, 60, 90)
    expected = module(images)
    got = module(images.to(dtype))
    assert got.dtype == torch.float32
    torch.testing.assert_close(got, expected, rtol=0.1, atol=0)
    got = module.to(dtype)(images.to(dtype))
    assert got.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    torch.testing.assert_close(got.float(), expected, rtol=0.2, atol=0)


def test_it_compiles():
    module, images = trained(small()), torch.rand(2, 3, 60, 90)
    compiled = torch.compile(module, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(images), module(images))


def detailed_images() -> torch.Tensor:
    """Smooth images, each with a patch of fine checks at a place of its own."""
    checks = (torch.arange(24)[:, None] // 2 + torch.arange(24) // 2) % 2
    images = F.interpolate(torch.rand(4, 3, 4, 5), (96, 144), mode="bilinear", align_corners=True)
    for image, (top, left) in zip(images, ((8, 12), (60, 100), (10, 90), (56, 20)), strict=True):
        image[:, top : top + 24, left : left + 24] = checks.float()
    return images


@pytest.mark.parametrize("separable", [True, False])
def test_a_few_steps_through_zoom_and_unzoom_lower_a_task_loss(separable):
    """The task: to restore images from their zoom to a quarter of the size."""
    images = detailed_images()
    source = LearnedSaliency((13, 19), input_size=(33, 49))
    lens = ZoomUnzoom(source, (24, 36), fwhm=6, separable=separable)
    optimizer = torch.optim.Adam(lens.parameters(), lr=0.003)

    def loss() -> torch.Tensor:
        zoomed, warp = lens.zoom(images)
        grid = warp.unzoom_grid((96, 144))
        return F.mse_loss(F.grid_sample(zoomed, grid, align_corners=True), images)

    losses = []
    for _ in range(15):
        value = loss()
        losses.append(value.item())
        optimizer.zero_grad()
        value.backward()
        gradients = [parameter.grad for parameter in lens.parameters()]
        assert all(torch.isfinite(gradient).all() for gradient in gradients)
        optimizer.step()
    # The first step moves the last convolution, off zero; from then on all layers learn.
    assert all(gradient.abs().sum() > 0 for gradient in gradients)
    assert loss().item() < losses[0]


@pytest.mark.parametrize("floor", [0.05, 0.3, 0.9])
@pytest.mark.parametrize("fwhm", [3.0, 10.0, 22.0])
@pytest.mark.parametrize("lattice", [(31, 51), (8, 5)])
def test_the_floor_bounds_magnification(lattice, fwhm, floor):
    h, w = lattice
    bound_x, bound_y = magnification_bound(floor, lattice, fwhm)
    # All mass in one cell, or in two, of which one is at the border or in the middle.
    cells = torch.eye(h * w, dtype=torch.float64)
    second = [cells[index] for index in (0, h * w // 2, h * w - 1)]
    masses = torch.cat([cells, *((cells + other) / 2 for other in second)])
    # And what gradient ascent on logits finds.
    logits = (3 * torch.randn(8, h * w, dtype=torch.float64)).requires_grad_()
    optimizer = torch.optim.Adam([logits], lr=0.3)

    def largest(masses: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        s = ((1 - floor) * masses + floor / (h * w)).view(-1, 1, h, w)
        warp = Warp.from_saliency(s, fwhm=fwhm)
        return tuple(
            (1 / (axis.diff(dim=1) * (axis.shape[1] - 1))).amax(1) for axis in (warp.x, warp.y)
        )

    for _ in range(25):
        x, y = largest(logits.softmax(1))
        optimizer.zero_grad()
        (-(x.log() + y.log()).sum()).backward()
        optimizer.step()
    found = [largest(masses), largest(logits.detach().softmax(1))]
    for axis, bound in enumerate((bound_x, bound_y)):
        worst = max(result[axis].max().item() for result in found)
        assert 1 < worst <= bound


def test_the_bound_is_not_idle():
    # What one cell with all the mass reaches, at the settings in the docstring.
    s = torch.full((31, 1, 31, 51), 0.3 / (31 * 51), dtype=torch.float64)
    s[torch.arange(31), 0, torch.arange(31), 25] += 0.7
    y = Warp.from_saliency(s, fwhm=22).y
    worst = (1 / (y.diff(dim=1) * 30)).max().item()
    assert 0.9 * magnification_bound(0.3)[1] < worst < magnification_bound(0.3)[1]


def test_the_bound_by_its_closed_form():
    # A window of many fwhm: the sum of the kernel is sigma sqrt(2 pi), and V is sigma^2.
    mass = 10 / math.sqrt(8 * math.log(2)) * math.sqrt(2 * math.pi)
    x, y = magnification_bound(0.2, (101, 151), 10)
    assert x == pytest.approx(1 + 2 * 151 * 0.8 / (0.2 * mass), rel=1e-6)
    assert y == pytest.approx(1 + 2 * 101 * 0.8 / (0.2 * mass), rel=1e-6)


def test_uniform_saliency_magnifies_nothing():
    assert magnification_bound(1.0, (101, 151), 10) == pytest.approx((1, 1))


def test_a_kernel_too_narrow_to_reach_a_cell_has_no_bound():
    assert magnification_bound(0.5, (5, 5), 0.01) == (math.inf, math.inf)


@pytest.mark.parametrize("value", [0, -0.1, 1.01, float("nan")])
def test_a_floor_out_of_range(value):
    with pytest.raises(ValueError, match="floor must be above 0 and at most 1"):
        LearnedSaliency(floor=value)
    with pytest.raises(ValueError, match="floor must be above 0 and at most 1"):
        magnification_bound(value)


def test_bad_settings():
    with pytest.raises(ValueError, match=r"multiples of 4 plus 1, got \(64, 104\); .*\(65, 105\)"):
        LearnedSaliency(input_size=(64, 104))
    with pytest.raises(ValueError, match="input_size must be at least 5"):
        LearnedSaliency(input_size=(1, 105))
    with pytest.raises(ValueError, match="lattice must be at least 2"):
        LearnedSaliency((1, 5))
    with pytest.raises(ValueError, match="channels must be a multiple of 16, got 24"):
        LearnedSaliency(channels=24)
    with pytest.raises(ValueError, match="in_channels must be at least 1"):
        LearnedSaliency(in_channels=0)
    with pytest.raises(ValueError, match="fwhm must be positive"):
        magnification_bound(0.5, fwhm=0)


def test_bad_images():
    with pytest.raises(TypeError, match=r"images must be floating point or uint8, got torch\.int"):
        LearnedSaliency()(torch.zeros(1, 3, 60, 90, dtype=torch.int16))
    for shape in ((3, 60, 90), (1, 1, 60, 90)):
        with pytest.raises(ValueError, match=r"images must be \(B, 3, H, W\), got \("):
            LearnedSaliency()(torch.zeros(shape))
