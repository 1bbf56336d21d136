import copy
import io

import pytest
import torch
from torch import nn

from lzu import Warp, ZoomUnzoom, saliency
from lzu.core.lattice import content_extent

from .oracles import random_saliency


@pytest.fixture
def prior() -> torch.Tensor:
    s = saliency.uniform((11, 15))
    s[..., 3:6, 6:10] *= 20
    return s


def test_it_does_as_the_warp(prior):
    lens = ZoomUnzoom(prior, (24, 40), fwhm=6)
    warp = Warp.from_saliency(prior, fwhm=6)
    images, features = torch.rand(2, 3, 48, 80), torch.rand(2, 4, 8, 12)
    zoomed, used = lens(images)
    assert torch.equal(zoomed, warp.zoom(images, (24, 40)))
    assert torch.equal(lens.unzoom(features, used), warp.unzoom(features))
    assert torch.equal(
        lens.unzoom(features, used, strides=4),
        warp.unzoom(features, extent=content_extent((24, 40), 4)),
    )


def test_containers_are_kept(prior):
    lens = ZoomUnzoom(prior, (24, 40))
    warp, levels = lens.warp(), [torch.rand(1, 4, 6, 10), torch.rand(1, 4, 3, 5)]
    expected = [
        warp.unzoom(level, extent=content_extent((24, 40), stride))
        for level, stride in zip(levels, (4, 8), strict=True)
    ]
    as_list = lens.unzoom(levels, warp, strides=(4, 8))
    as_tuple = lens.unzoom(tuple(levels), warp, strides=(4, 8))
    as_dict = lens.unzoom({"p2": levels[0], "p3": levels[1]}, warp, strides=(4, 8))
    assert isinstance(as_list, list)
    assert isinstance(as_tuple, tuple)
    assert list(as_dict) == ["p2", "p3"]
    for got in (as_list, as_tuple, as_dict.values()):
        assert all(torch.equal(a, b) for a, b in zip(got, expected, strict=True))
    with pytest.raises(ValueError, match="2 feature maps, but 1 strides"):
        lens.unzoom(levels, warp, strides=(4,))


def test_one_cell_levels_need_only_strides(prior):
    lens = ZoomUnzoom(prior, (24, 40))
    top = torch.rand(1, 4, 1, 1)
    assert torch.equal(lens.unzoom(top, lens.warp(), strides=64), top)


def test_a_tensor_makes_it_fixed(prior):
    lens = ZoomUnzoom(prior, (24, 40))
    assert lens.is_fixed
    assert lens.warp() is lens.warp()


def test_a_changed_prior_changes_the_warp(prior):
    lens, other = ZoomUnzoom(prior, (24, 40)), ZoomUnzoom(prior.flip(3), (24, 40))
    images = torch.rand(1, 3, 48, 80)
    before = lens.zoom(images)[0]
    lens.load_state_dict(other.state_dict())
    after = lens.zoom(images)[0]
    assert not torch.equal(after, before)
    assert torch.equal(after, other.zoom(images)[0])
    lens.saliency.copy_(prior)
    assert torch.equal(lens.zoom(images)[0], before)
    lens.fwhm = 5
    assert not torch.equal(lens.zoom(images)[0], before)


def test_the_state_dict_holds_the_prior_alone(prior):
    lens = ZoomUnzoom(prior, (24, 40))
    lens.zoom(torch.rand(1, 3, 48, 80))
    assert list(lens.state_dict()) == ["saliency"]
    assert torch.equal(lens.state_dict()["saliency"], prior)
    assert not list(lens.parameters())


def test_copies_and_pickles_work_without_their_grids(prior):
    lens = ZoomUnzoom(prior, (24, 40))
    images = torch.rand(1, 3, 48, 80)
    expected = lens.zoom(images)[0]
    file = io.BytesIO()
    torch.save(lens, file)
    file.seek(0)
    for twin in (copy.deepcopy(lens), torch.load(file, weights_only=False)):
        assert twin._fixed is None
        assert torch.equal(twin.zoom(images)[0], expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_half_precision_model_keeps_a_precise_warp(prior, dtype):
    lens = ZoomUnzoom(prior, (24, 40)).to(dtype)
    assert lens.saliency.dtype == torch.float32
    assert torch.equal(lens.saliency, prior)
    assert lens.zoom(torch.rand(1, 3, 48, 80).to(dtype))[0].dtype == dtype
    assert lens.double().warp().dtype == torch.float64


def test_moving_it_moves_the_warp(prior, device):
    lens = ZoomUnzoom(prior, (24, 40))
    lens.warp()
    assert lens.to(device).warp().device.type == device.type
    assert lens.zoom(torch.rand(1, 3, 48, 80, device=device))[0].device.type == device.type


def test_an_adaptive_source_gets_the_inputs():
    lens = ZoomUnzoom(
        lambda boxes: saliency.from_boxes(boxes, (48, 80), (11, 15), bandwidth=8), (24, 40), fwhm=5
    )
    boxes = torch.tensor([[10.0, 10, 20, 20]])
    images = torch.rand(2, 3, 48, 80)
    zoomed, warp = lens.zoom(images, [boxes, boxes + 20])
    expected = Warp.from_saliency(
        saliency.from_boxes([boxes, boxes + 20], (48, 80), (11, 15), bandwidth=8), fwhm=5
    )
    assert torch.equal(warp.x, expected.x)
    assert torch.equal(zoomed, expected.zoom(images, (24, 40)))
    assert not lens.is_fixed
    assert lens.state_dict() == {}


class TinySaliency(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(3, 1, 1), nn.AdaptiveAvgPool2d((5, 7)))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.net(images).flatten(1).softmax(1).view(-1, 1, 5, 7) + 1e-3


def test_a_learned_source_is_given_the_images_and_trained():
    lens = ZoomUnzoom(TinySaliency(), (24, 40), fwhm=4)
    model = lens.wrap(nn.Conv2d(3, 4, 3, stride=4, padding=1), strides=4)
    model(torch.rand(2, 3, 48, 80)).square().sum().backward()
    gradients = [parameter.grad for parameter in model.parameters()]
    assert len(gradients) == 4
    assert all(gradient is not None for gradient in gradients)
    assert lens.saliency.net[0].weight.grad.abs().sum() > 0


def test_a_parameter_is_learned_as_it_stands():
    lens = ZoomUnzoom(nn.Parameter(random_saliency(0, (5, 7))), (24, 40), fwhm=4)
    assert not lens.is_fixed
    assert list(lens.state_dict()) == ["saliency"]
    lens.zoom(torch.rand(1, 3, 48, 80))[0].square().sum().backward()
    assert lens.saliency.grad.abs().sum() > 0


def test_wrap(prior):
    backbone = nn.Conv2d(3, 4, 3, stride=4, padding=1)
    lens, images = ZoomUnzoom(prior, (24, 40)), torch.rand(2, 3, 48, 80)
    zoomed, warp = lens.zoom(images)
    expected = lens.unzoom(backbone(zoomed), warp, strides=4)
    assert torch.equal(lens.wrap(backbone, strides=4)(images), expected)


def test_bad_arguments(prior):
    with pytest.raises(TypeError, match="saliency must be a tensor or callable, got list"):
        ZoomUnzoom([1, 2], (24, 40))
    with pytest.raises(ValueError, match="size must be at least 2"):
        ZoomUnzoom(prior, (1, 40))
    with pytest.raises(ValueError, match="batch item 0 has -1 in cell"):
        ZoomUnzoom(prior.clone().fill_(-1), (24, 40), check=False)
    with pytest.raises(TypeError, match="takes no inputs"):
        ZoomUnzoom(prior, (24, 40)).zoom(torch.rand(1, 3, 48, 80), 1)


def test_nonseparable(prior):
    lens = ZoomUnzoom(prior, (24, 40), fwhm=8, separable=False)
    image = torch.rand(2, 3, 48, 80)
    zoomed, warp = lens.zoom(image)
    assert torch.equal(
        zoomed, Warp.from_saliency(prior, fwhm=8, separable=False).zoom(image, (24, 40))
    )
    levels = [torch.rand(2, 4, 6, 10), torch.rand(2, 4, 3, 5)]
    unzoomed = lens.unzoom(levels, warp, strides=(4, 8))
    assert torch.equal(unzoomed[1], warp.unzoom(levels[1], extent=(23 / 8, 39 / 8)))


def test_its_representation_says_what_it_is(prior):
    assert "fixed, size=(24, 40), fwhm=22" in repr(ZoomUnzoom(prior, (24, 40)))
    assert "adaptive" in repr(ZoomUnzoom(lambda: prior, (24, 40)))
