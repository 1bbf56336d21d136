import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from lzu import Warp, saliency

from . import oracles
from .oracles import random_saliency

seeds = st.integers(0, 10_000)
lattices = st.tuples(st.integers(2, 9), st.integers(2, 9))
sizes = st.tuples(st.integers(2, 12), st.integers(2, 12))
quick = settings(deadline=None, max_examples=40)


def peaked(lattice: tuple[int, int] = (31, 51), batch: int = 1, **options) -> Warp:
    """A warp with a strong centre, magnifying it about two times per axis."""
    s = saliency.uniform(lattice, batch=batch)
    h, w = lattice
    s[..., h // 3 : h // 2, w // 3 : w // 2] *= 30
    return Warp.from_saliency(s, **{"fwhm": 10, **options})


# Identity


@pytest.mark.parametrize("lattice", [(2, 2), (5, 3), (31, 51)])
@pytest.mark.parametrize("size", [(2, 2), (30, 48), (75, 101)])
def test_constant_saliency_returns_its_input(lattice, size, device):
    warp = Warp.from_saliency(saliency.uniform(lattice, device=device))
    images = torch.rand(2, 3, *size, device=device)
    torch.testing.assert_close(warp.zoom(images, size), images, atol=2e-5, rtol=0)
    torch.testing.assert_close(warp.unzoom(images), images, atol=2e-5, rtol=0)
    points = torch.rand(2, 100, 2, device=device)
    torch.testing.assert_close(warp.forward(points), points, atol=1e-6, rtol=0)
    torch.testing.assert_close(warp.inverse(points), points, atol=1e-6, rtol=0)
    ones = torch.ones(1, *size, device=device)
    torch.testing.assert_close(warp.magnification(size), ones, atol=1e-4, rtol=0)


def test_the_identity_resizes():
    images = torch.rand(2, 3, 24, 40)
    resized = F.interpolate(images, (11, 17), mode="bilinear", align_corners=True)
    torch.testing.assert_close(Warp.identity(batch=2).zoom(images, (11, 17)), resized)
    points = torch.rand(1, 50, 2)
    assert torch.equal(Warp.identity().forward(points), points)


# Zoom and unzoom against their definitions


@quick
@given(seed=seeds, lattice=lattices, given_size=sizes, size=sizes, anti_crop=st.booleans())
def test_zoom_is_the_definition(seed, lattice, given_size, size, anti_crop):
    s = random_saliency(seed, lattice, dtype=torch.float64)
    warp = Warp.from_saliency(s, fwhm=3, anti_crop=anti_crop)
    x, y = oracles.nodes(s[0, 0].numpy(), 3, anti_crop)
    image = torch.rand(given_size, dtype=torch.float64)
    zoomed = warp.zoom(image[None, None], size)[0, 0]
    np.testing.assert_allclose(zoomed, oracles.zoom(image.numpy(), x, y, size), atol=1e-9)


@quick
@given(
    seed=seeds,
    lattice=lattices,
    size=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    fill=st.tuples(st.floats(0.2, 1.3), st.floats(0.2, 1.3)),
)
def test_unzoom_of_a_padded_map_is_the_definition(seed, lattice, size, fill):
    s = random_saliency(seed, lattice, dtype=torch.float64)
    warp = Warp.from_saliency(s, fwhm=3)
    x, y = oracles.nodes(s[0, 0].numpy(), 3, anti_crop=True)
    extent = (max(0.3, fill[0] * (size[0] - 1)), max(0.3, fill[1] * (size[1] - 1)))
    features = torch.rand(size, dtype=torch.float64)
    unzoomed = warp.unzoom(features[None, None], extent=extent)[0, 0]
    np.testing.assert_allclose(unzoomed, oracles.unzoom(features.numpy(), x, y, extent), atol=1e-9)


@pytest.mark.parametrize("padding", [(0, 0), (0, 3), (5, 0), (4, 7)])
def test_padding_neither_changes_the_content_nor_is_changed(padding):
    warp = peaked(batch=2)
    content = torch.rand(2, 4, 19, 30)
    padded = torch.full((2, 4, 19 + padding[0], 30 + padding[1]), -7.0)
    padded[..., :19, :30] = content
    unzoomed = warp.unzoom(padded, extent=(18, 29))
    torch.testing.assert_close(unzoomed[..., :19, :30], warp.unzoom(content))
    outside = torch.ones_like(padded, dtype=torch.bool)
    outside[..., :19, :30] = False
    torch.testing.assert_close(unzoomed[outside], padded[outside], atol=1e-3, rtol=0)


@pytest.mark.parametrize("stride", [4, 8])
def test_features_of_a_padded_network_are_registered_with_the_source(stride):
    # The image holds its own x coordinate, so every unzoomed cell should hold its place.
    warp, size, padded = peaked(), (75, 130), (96, 160)
    x = torch.linspace(0, 1, 1000).expand(1, 1, 600, 1000)
    image = torch.zeros(1, 1, *padded)
    image[..., : size[0], : size[1]] = warp.zoom(x, size)
    features = image[..., ::stride, ::stride]
    extent = ((size[0] - 1) / stride, (size[1] - 1) / stride)
    place = torch.arange(features.shape[3]) * stride / (size[1] - 1)
    # Half a cell from the padding, interpolation mixes the two, whatever the frame.
    inside = place * (size[1] - 1) + stride < size[1]

    def misregistration(unzoomed):
        return (unzoomed[0, 0, 1] - place)[inside].abs().max() * (size[1] - 1) / stride

    # In cells: bilinear interpolation of coarse features costs little, the wrong frame far more.
    assert misregistration(warp.unzoom(features, extent=extent)) < 0.05
    assert misregistration(warp.unzoom(features)) > 0.5


def test_unzoom_to_another_size():
    warp, features = peaked(), torch.rand(1, 2, 21, 41)
    # Every second cell of a map of 41 x 81 lies on a cell of 21 x 41, in padded maps as well.
    for extent in (None, (17.5, 38.25)):
        twice = warp.unzoom(features, size=(41, 81), extent=extent)
        torch.testing.assert_close(
            twice[..., ::2, ::2], warp.unzoom(features, extent=extent), atol=1e-5, rtol=0
        )


def test_unzoom_undoes_zoom_in_a_smooth_image():
    warp = peaked()
    y, x = torch.meshgrid(torch.linspace(0, 3, 240), torch.linspace(0, 5, 400), indexing="ij")
    image = (torch.sin(x) * torch.cos(y))[None, None]
    assert (warp.unzoom(warp.zoom(image, (240, 400))) - image).abs().max() < 2e-3


# Points


@quick
@given(
    seed=seeds,
    lattice=st.tuples(st.integers(2, 31), st.integers(2, 51)),
    fwhm=st.floats(4, 30),
    anti_crop=st.booleans(),
)
def test_inverse_of_forward_is_the_identity(seed, lattice, fwhm, anti_crop):
    s = random_saliency(seed, lattice, batch=2)
    warp = Warp.from_saliency(s, fwhm=fwhm, anti_crop=anti_crop)
    h, w = lattice
    y, x = torch.meshgrid(torch.linspace(0, 1, h), torch.linspace(0, 1, w), indexing="ij")
    points = torch.cat((torch.stack((x, y), -1).view(-1, 2), torch.rand(100, 2)))
    points = points.expand(2, -1, -1)
    torch.testing.assert_close(warp.inverse(warp.forward(points)), points, atol=1e-5, rtol=0)
    torch.testing.assert_close(warp.forward(warp.inverse(points)), points, atol=1e-5, rtol=0)


def test_corners_are_fixed_points_exactly():
    corners = torch.tensor([[[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]])
    warp = peaked()
    assert torch.equal(warp.forward(corners), corners)
    assert torch.equal(warp.inverse(corners), corners)
    for grid in (warp.zoom_grid((17, 29)), warp.unzoom_grid((17, 29))):
        assert torch.equal(grid[0, [0, 0, -1, -1], [0, -1, 0, -1]], corners[0] * 2 - 1)


def test_points_and_grids_agree():
    warp = peaked(batch=2)
    y, x = torch.meshgrid(torch.linspace(0, 1, 9), torch.linspace(0, 1, 13), indexing="ij")
    points = torch.stack((x, y), dim=-1).view(1, -1, 2)
    for grid, mapped in (
        (warp.zoom_grid((9, 13)), warp.forward(points)),
        (warp.unzoom_grid((9, 13)), warp.inverse(points)),
    ):
        torch.testing.assert_close(grid.view(2, -1, 2), mapped * 2 - 1, atol=1e-6, rtol=0)


def test_x_comes_first():
    s = saliency.uniform((9, 9))
    s[..., 6] *= 50
    warp = Warp.from_saliency(s, fwhm=4)
    centre = warp.forward(torch.tensor([[[0.5, 0.5]]]))[0, 0]
    assert centre[0] > 0.55
    assert centre[1] == pytest.approx(0.5, abs=1e-6)
    image = torch.zeros(1, 1, 9, 9)
    image[..., 6] = 1
    # The salient column spreads over more columns, and rows stay alike.
    zoomed = warp.zoom(image, (9, 9))
    assert zoomed[0, 0, 0].sum() > 1.4
    assert (zoomed == zoomed[..., :1, :]).all()


def test_wider_dtypes_of_points_are_kept():
    warp = peaked()
    assert warp.forward(torch.rand(1, 3, 2, dtype=torch.float64)).dtype == torch.float64
    assert warp.inverse(torch.rand(1, 3, 2, dtype=torch.float16)).dtype == torch.float32


# Magnification


@pytest.mark.parametrize("frame", ["source", "zoomed"])
def test_magnification_is_the_derivative(frame):
    s = random_saliency(3, (7, 9), dtype=torch.float64)
    warp = Warp.from_saliency(s, fwhm=4)
    size, step = (14, 21), 1e-6
    y, x = torch.meshgrid(
        *(torch.linspace(0, 1, n, dtype=torch.float64) for n in size), indexing="ij"
    )
    # One-sided: into the tile on the right, except at the far end.
    points = torch.stack((x, y), dim=-1).view(1, -1, 2).clamp(max=1 - 2 * step)
    function = warp.inverse if frame == "source" else warp.forward
    slope = (function(points + step) - function(points)) / step
    expected = slope if frame == "source" else 1 / slope
    got = warp.magnification(size, frame=frame, per_axis=True)
    torch.testing.assert_close(got.view(1, -1, 2), expected, rtol=1e-5, atol=0)
    torch.testing.assert_close(warp.magnification(size, frame=frame), got.prod(-1))


def test_magnification_averages_to_one_over_the_source():
    # The zoomed image has as many pixels as the uniform one: what is gained is lost elsewhere.
    assert peaked().magnification((1001, 1001)).mean().item() == pytest.approx(1, abs=5e-3)


# Cropping


def test_valid_mask_is_what_the_zoom_shows():
    s = saliency.uniform((11, 15))
    s[..., 4:7, 5:8] *= 40
    warp = Warp.from_saliency(s, fwhm=6, anti_crop=False)
    low_x, high_x = warp.x[0, 0].item(), warp.x[0, -1].item()
    low_y, high_y = warp.y[0, 0].item(), warp.y[0, -1].item()
    assert low_x > 0
    assert high_x < 1
    assert low_y > 0
    assert high_y < 1
    mask = warp.valid_mask((33, 45))[0, 0]
    for i in range(33):
        for j in range(45):
            inside = low_y <= i / 32 <= high_y and low_x <= j / 44 <= high_x
            assert mask[i, j] == inside
    unzoomed = warp.unzoom(torch.ones(1, 2, 33, 45))
    torch.testing.assert_close(unzoomed[0, 0], mask.float())
    assert (unzoomed[0, 0][~mask] == 0).all()
    magnification = warp.magnification((33, 45))[0]
    assert torch.equal(magnification > 0, mask)


def test_padding_is_valid_and_untouched_when_cropping():
    s = saliency.uniform((11, 15))
    s[..., 4:7, 5:8] *= 40
    warp = Warp.from_saliency(s, fwhm=6, anti_crop=False)
    features = torch.rand(1, 2, 20, 30)
    extent = (14.0, 22.0)
    mask = warp.valid_mask((20, 30), extent)
    unzoomed = warp.unzoom(features, extent=extent)
    assert mask[0, 0, 15:, 23:].all()
    assert not mask[0, 0, 14, 23:].any()
    torch.testing.assert_close(unzoomed[..., 15:, 23:], features[..., 15:, 23:])


def test_everything_is_valid_without_cropping():
    warp = peaked()
    assert warp.valid_mask((30, 40)).all()
    assert not warp.crops


# Batches, dtypes, devices


def test_batch_items_are_independent():
    s = random_saliency(7, (9, 13), batch=3)
    warp, images = Warp.from_saliency(s, fwhm=4), torch.rand(3, 2, 20, 30)
    zoomed, unzoomed = warp.zoom(images, (12, 16)), warp.unzoom(images)
    assert len(warp) == 3
    for i in range(3):
        alone = Warp.from_saliency(s[i : i + 1], fwhm=4)
        for single in (alone, warp[i], warp[i - 3]):
            image = images[i : i + 1]
            torch.testing.assert_close(
                single.zoom(image, (12, 16)), zoomed[i : i + 1], atol=1e-5, rtol=0
            )
            torch.testing.assert_close(single.unzoom(image), unzoomed[i : i + 1], atol=1e-5, rtol=0)


def test_one_warp_serves_a_batch_and_a_batch_serves_one_image():
    warps, images = peaked(batch=3), torch.rand(3, 2, 20, 30)
    torch.testing.assert_close(warps[0].zoom(images, (12, 16)), warps.zoom(images, (12, 16)))
    torch.testing.assert_close(warps[0].unzoom(images), warps.unzoom(images))
    assert warps.zoom(images[:1], (12, 16)).shape == (3, 2, 12, 16)
    assert warps[0].forward(torch.rand(3, 5, 2)).shape == (3, 5, 2)
    assert warps.inverse(torch.rand(1, 5, 2)).shape == (3, 5, 2)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_dtypes_of_saliency_and_images(dtype, device):
    s = random_saliency(9, (9, 13)).to(device)
    warp = Warp.from_saliency(s.to(dtype), fwhm=4)
    assert warp.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert warp.device == s.device
    images = torch.rand(2, 3, 20, 30, device=device).to(dtype)
    images = images.contiguous(memory_format=torch.channels_last)
    for result in (warp.zoom(images, (10, 15)), warp.unzoom(images)):
        assert result.dtype == dtype
        assert result.is_contiguous(memory_format=torch.channels_last)
    reference = Warp.from_saliency(s, fwhm=4).zoom(images.double(), (10, 15))
    tolerance = {torch.float16: 1e-2, torch.bfloat16: 8e-2}.get(dtype, 1e-5)
    torch.testing.assert_close(
        warp.zoom(images, (10, 15)).double(), reference, atol=tolerance, rtol=0
    )


def test_autocast_does_not_touch_the_coordinates():
    s, features = random_saliency(10, (9, 13)), torch.rand(1, 3, 20, 30)
    expected = Warp.from_saliency(s).unzoom(features)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(Warp.from_saliency(s).unzoom(features), expected)


def test_to():
    warp = peaked().fixed()
    warp.zoom_grid((4, 5))
    double = warp.to(dtype=torch.float64)
    assert double.dtype == torch.float64
    assert double.zoom_grid((4, 5)).dtype == torch.float64
    assert warp.to("meta").device.type == "meta"
    with pytest.raises(TypeError, match=r"float32 or float64, not torch\.float16"):
        warp.to(dtype=torch.float16)


def test_detach():
    s = random_saliency(1, (4, 5)).requires_grad_()
    warp = Warp.from_saliency(s)
    assert warp.x.requires_grad
    assert not warp.detach().x.requires_grad


def test_dense_nodes():
    warp = Warp.from_saliency(random_saliency(1, (4, 5), batch=2))
    nodes = warp.nodes.dense()
    assert nodes.shape == (2, 4, 5, 2)
    assert torch.equal(nodes[:, 2, :, 0], warp.x)
    assert torch.equal(nodes[:, :, 3, 1], warp.y)
