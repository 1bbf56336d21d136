import pytest
import torch
import torch.nn.functional as F

from lzu import Warp

from .oracles import random_saliency


@pytest.mark.parametrize("anti_crop", [True, False])
def test_gradients_with_respect_to_image_features_and_saliency(anti_crop):
    s = random_saliency(5, (4, 5), batch=2, dtype=torch.float64).requires_grad_()
    images = torch.rand(2, 2, 5, 7, dtype=torch.float64, requires_grad=True)

    def zoom(images, s):
        return Warp.from_saliency(s, fwhm=3, anti_crop=anti_crop).zoom(images, (4, 6))

    def unzoom(features, s):
        warp = Warp.from_saliency(s, fwhm=3, anti_crop=anti_crop)
        return warp.unzoom(features, extent=(3.3, 5.1))

    def both(images, s):
        warp = Warp.from_saliency(s, fwhm=3, anti_crop=anti_crop)
        return warp.unzoom(warp.zoom(images, (6, 6)) ** 2, size=(4, 5))

    for function in (zoom, unzoom, both):
        assert torch.autograd.gradcheck(function, (images, s))


def test_gradients_with_respect_to_points():
    s = random_saliency(6, (4, 5), dtype=torch.float64).requires_grad_()
    points = torch.rand(1, 6, 2, dtype=torch.float64, requires_grad=True)
    for name in ("forward", "inverse"):
        assert torch.autograd.gradcheck(
            lambda points, s, name=name: getattr(Warp.from_saliency(s, fwhm=3), name)(points),
            (points, s),
        )


@pytest.mark.parametrize("separable", [True, False])
def test_saliency_learns_where_the_detail_is(separable):
    # What is lost by zooming out and back is least when the detail at the right is magnified.
    torch.manual_seed(0)
    image = torch.zeros(1, 1, 32, 64)
    image[..., 44:60] = torch.rand(1, 1, 32, 16)
    logits = torch.zeros(1, 1, 5, 9, requires_grad=True)
    optimiser = torch.optim.Adam([logits], lr=0.5)
    losses = []
    for _ in range(40):
        saliency = logits.flatten().softmax(0).view(1, 1, 5, 9) + 1e-3
        warp = Warp.from_saliency(saliency, fwhm=3, separable=separable)
        restored = warp.unzoom(warp.zoom(image, (32, 24)), size=(32, 64))
        loss = F.mse_loss(restored, image)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]
    magnification = warp.magnification((2, 64))[0, 0]
    assert magnification[44:60].mean() > 1.1 > 1 > magnification[:40].mean()
