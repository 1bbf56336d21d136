import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter
from scipy import ndimage

from lzu.tasks.segmentation.lds.edges import edge_loss, edge_target


def labels_of(seed, size=(48, 48)):
    noise = np.random.default_rng(seed).standard_normal((19, *size))
    return ndimage.gaussian_filter(noise, (0, 5, 5)).argmax(0).astype(np.uint8)


def filtered(scaled):
    """Blur and edge filter of a map (h, w) as in the paper, in float64."""
    smooth = ndimage.gaussian_filter(scaled, 1, mode="nearest", truncate=3)
    kernel = np.full((3, 3), -1.0)
    kernel[1, 1] = 8
    edges = ndimage.convolve(smooth, kernel).clip(0, 1)
    edges[[0, -1]] = edges[:, [0, -1]] = 0
    return edges


def test_edges_are_those_of_scipy_at_the_labels_own_size():
    labels = labels_of(0)
    scaled = (labels - labels.min()) / float(labels.max() - labels.min())
    found = edge_target(torch.from_numpy(labels)[None], (48, 48))[0, 0]
    np.testing.assert_allclose(found.numpy(), filtered(scaled), atol=1e-5)


def test_edges_are_those_of_the_released_filters_but_for_eight_bits():
    labels = labels_of(1)
    scaled = (labels - labels.min()) / float(labels.max() - labels.min())
    image = Image.fromarray((scaled * 255).astype(np.uint8))
    image = image.filter(ImageFilter.GaussianBlur(1)).filter(ImageFilter.FIND_EDGES)
    expected = np.array(image) / 255
    found = edge_target(torch.from_numpy(labels)[None], (48, 48), released=True)[0, 0].numpy()
    inside = slice(2, -2), slice(2, -2)
    assert np.corrcoef(found[inside].ravel(), expected[inside].ravel())[0, 1] > 0.99
    assert abs(found - expected)[inside].max() < 0.08


@pytest.mark.parametrize("released", [False, True])
def test_labels_are_resized_bilinearly(released):
    labels = torch.zeros(1, 60, 60, dtype=torch.uint8)
    labels[..., 30:] = 4
    found = edge_target(labels, (12, 12), released=released)
    scaled = torch.nn.functional.interpolate(
        labels.double()[None] / 4, (12, 12), mode="bilinear", align_corners=not released
    )
    np.testing.assert_allclose(found[0, 0], filtered(scaled[0, 0].numpy()), atol=1e-5)
    assert found[0, 0, 5, 6] > 0.2


def test_what_is_ignored_makes_no_edge():
    labels = torch.zeros(1, 40, 40, dtype=torch.uint8)
    labels[:, 20:] = 3
    plain = edge_target(labels, (40, 40))
    labels[:, 5:12, 8:30] = 255
    found = edge_target(labels, (40, 40))
    # Below and beside the hole all is as it was; and within it and at its rim there is nothing.
    torch.testing.assert_close(found, plain, atol=1e-5, rtol=0)


def test_the_released_code_has_its_strongest_edge_around_what_is_ignored():
    labels = torch.zeros(1, 40, 40, dtype=torch.uint8)
    labels[:, 20:] = 3
    labels[:, 5:12, 8:30] = 255
    found = edge_target(labels, (40, 40), released=True)[0, 0]
    assert found[4:13].max() > 5 * found[17:24, 2:-2].max()


@pytest.mark.parametrize("value", [0, 7, 255])
@pytest.mark.parametrize("released", [False, True])
def test_an_image_of_one_class_or_none_has_no_edge(value, released):
    found = edge_target(torch.full((1, 20, 20), value), (8, 8), released=released)
    assert (found == 0).all()


def test_the_outermost_cells_are_zero_and_items_are_independent():
    labels = torch.from_numpy(np.stack([labels_of(2), labels_of(3)]))
    found = edge_target(labels, (16, 16))
    assert (found[..., [0, -1]] == 0).all()
    assert (found[..., [0, -1], :] == 0).all()
    assert found.max() > 0
    torch.testing.assert_close(found[1:], edge_target(labels[1:], (16, 16)))


def test_the_loss_compares_maps_scaled_item_by_item():
    saliency = torch.rand(2, 1, 4, 4, dtype=torch.float64) * torch.tensor([1, 100]).view(2, 1, 1, 1)
    target = torch.rand(2, 1, 4, 4, dtype=torch.float64)
    a, b = saliency.numpy(), target.numpy()
    expected = [
        ((a[i] - a[i].min()) / np.ptp(a[i]) - (b[i] - b[i].min()) / np.ptp(b[i])) ** 2
        for i in range(2)
    ]
    assert edge_loss(saliency, target).item() == pytest.approx(np.mean(expected), rel=1e-5)
    together = ((a - a.min()) / np.ptp(a) - (b - b.min()) / np.ptp(b)) ** 2
    released = edge_loss(saliency, target, released=True).item()
    assert released == pytest.approx(np.mean(together), rel=1e-5)


@pytest.mark.parametrize("released", [False, True])
def test_constant_maps_do_not_divide_by_zero(released):
    saliency = torch.full((2, 1, 4, 4), 1 / 16, requires_grad=True)
    loss = edge_loss(saliency, torch.zeros(2, 1, 4, 4), released=released)
    loss.backward()
    assert loss == 0
    assert torch.isfinite(saliency.grad).all()


def test_the_loss_is_zero_for_a_map_that_differs_by_scale_and_offset():
    target = torch.rand(2, 1, 5, 5)
    assert edge_loss(target * 0.01 + 3e-3, target) < 1e-6


def test_bad_arguments_are_named():
    with pytest.raises(TypeError, match="integers"):
        edge_target(torch.zeros(1, 4, 4), (4, 4))
    with pytest.raises(ValueError, match="shape"):
        edge_loss(torch.zeros(1, 1, 4, 4), torch.zeros(2, 1, 4, 4))
