"""The kinds of resamplers beyond the one warp of all: the padded frame, and a warp a camera."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from lzu.errors import UserError
from lzu.models.frames import Frames, padded_size
from lzu.models.resamplers import WarpResampler, build_resampler
from lzu.results.prior import Prior, save_prior

NATIVE = (900, 1600)


def write(path, saliency, native=NATIVE, maps=None):
    saliency = np.asarray(saliency, dtype=np.float32)
    saliency = saliency.reshape(-1, 1, *saliency.shape[-2:])
    saliency = saliency / saliency.sum(axis=(2, 3), keepdims=True)
    source = {} if maps is None else {"maps": maps}
    save_prior(path, Prior(saliency, {"native_size": list(native)}, source))
    return str(path)


def horizon(row, width, floor):
    """Saliency along a horizon: in effect a warp of one axis."""
    rows, columns = np.mgrid[0:27, 0:48]
    along = 1 + 0.05 * np.exp(-(((columns - 24) / 8) ** 2))
    return floor + np.exp(-(((rows - row) / width) ** 2) / 2) * along


def misregistration(resampler, frames, stride=8):
    """How far from where the labels say the cells of a level get their features from, mean and
    largest, in pixels of the full image.

    The image, and what it is padded with, holds its own coordinates, which interpolation keeps; the
    network is one that looks at every `stride`-th pixel.
    """
    height, width = frames.given if type(resampler) is WarpResampler else padded_size(frames.given)
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    image = torch.stack([columns, rows, torch.ones(height, width)]).float()[None]
    zoomed, unzoom = resampler(image)
    assert tuple(zoomed.shape[-2:]) == frames.network
    down, right = (p - n for p, n in zip(frames.padded, frames.network, strict=True))
    level = F.pad(zoomed, (0, right, 0, down))[..., ::stride, ::stride]
    x, y, shown = unzoom([level], [stride])[0][0]
    m, n = level.shape[-2:]
    rows, columns = torch.meshgrid(torch.arange(m), torch.arange(n), indexing="ij")
    of_pixel = [(g - 1) / (t - 1) for g, t in zip(frames.given, frames.network, strict=True)]
    away = torch.hypot(x - columns * stride * of_pixel[1], y - rows * stride * of_pixel[0])
    height, width = frames.network
    content = (rows * stride < height) & (columns * stride < width)
    read = content & (shown > 1 - 1e-4)  # and none of the network's own padding
    assert read.sum() > 0.85 * content.sum()
    return away[read].mean().item(), away[read].max().item()


@pytest.mark.parametrize(
    ("scale", "mean", "largest"), [(0.25, 20, 116), (0.5, 16, 81), (0.75, 16, 65), (1, 16, 55)]
)
def test_the_padded_frame_is_off_as_the_official_release_is_and_content_is_not(
    tmp_path, scale, mean, largest
):
    """The release's own saliency is not here; this one magnifies as it does, 2.5 times along y at
    most and hardly along x."""
    path = write(tmp_path / "prior.npz", horizon(16.5, 3, 0.05))
    frames = Frames(NATIVE, NATIVE, (round(900 * scale), round(1600 * scale)))
    found = {
        kind: misregistration(build_resampler(kind, frames, prior=path, fwhm=10), frames)
        for kind in ("warp", "warp_padded")
    }
    assert found["warp_padded"] == (
        pytest.approx(mean, rel=0.2),
        pytest.approx(largest, rel=0.05),
    )
    # kinks of the inverse between two cells
    assert found["warp"][0] < 0.6
    assert found["warp"][1] < 3


def test_what_is_padded_is_the_image_and_all_of_it_is_zoomed(tmp_path):
    native, network = (100, 170), (50, 85)
    path = write(tmp_path / "prior.npz", np.ones((8, 12)), native)
    frames = Frames(native, native, network)
    resampler = build_resampler("warp_padded", frames, prior=path, fwhm=4)
    resampler.padding = lambda: torch.tensor([7.0, 8, 9])
    images = torch.rand(2, 3, *native)
    zoomed, _ = resampler(images)
    padded = F.pad(images, (0, 192 - 170, 0, 128 - 100))
    padded[..., 100:, :] = padded[..., :, 170:] = torch.tensor([7.0, 8, 9]).view(3, 1, 1)
    assert padded_size(native) == (128, 192)
    expected = F.interpolate(padded, network, mode="bilinear", align_corners=True)
    torch.testing.assert_close(zoomed, expected, atol=1e-4, rtol=1e-4)


def test_the_padded_frame_leaves_a_map_of_one_row_as_it_is(tmp_path):
    path = write(tmp_path / "prior.npz", horizon(16.5, 3, 0.05))
    frames = Frames(NATIVE, NATIVE, (60, 100))
    _, unzoom = build_resampler("warp_padded", frames, prior=path, fwhm=10)(
        torch.rand(1, 3, *NATIVE)
    )
    maps = [torch.rand(1, 2, 4, 7), torch.rand(1, 2, 1, 2)]
    several, one = unzoom(maps, [16, 64])
    assert not torch.allclose(several, maps[0])
    assert torch.equal(one, maps[1])


@pytest.fixture
def cameras(tmp_path):
    """A resampler of three cameras, and one of each camera's map alone."""
    native, network = (90, 160), (45, 80)
    maps = [horizon(8, 2, 0.1), horizon(20, 3, 0.2), np.ones((27, 48))]
    names = ["CAM_FRONT", "CAM_BACK", "CAM_BACK_LEFT"]
    frames = Frames(native, native, network)
    path = write(tmp_path / "each.npz", np.stack(maps), native, names)
    alone = {
        name: build_resampler(
            "warp", frames, prior=write(tmp_path / f"{name}.npz", one, native), fwhm=10
        )
        for name, one in zip(names, maps, strict=True)
    }
    return build_resampler("cameras", frames, prior=path, fwhm=10), alone


def test_each_image_is_zoomed_and_unzoomed_by_its_camera_s_warp(cameras):
    resampler, alone = cameras
    images = torch.rand(4, 3, 90, 160)
    order = ["CAM_BACK", "CAM_BACK_LEFT", "CAM_BACK", "CAM_FRONT"]
    zoomed, unzoom = resampler(images, order)
    levels = [torch.rand(4, 2, 8, 12), torch.rand(4, 2, 4, 6)]
    restored = unzoom(levels, [8, 16])
    for k, name in enumerate(order):
        one, own = alone[name](images[k : k + 1])
        torch.testing.assert_close(zoomed[k : k + 1], one)
        back = own([level[k : k + 1] for level in levels], [8, 16])
        for level, other in zip(restored, back, strict=True):
            torch.testing.assert_close(level[k : k + 1], other)
    assert not torch.allclose(zoomed[0], alone["CAM_FRONT"](images[:1])[0][0])


def test_a_camera_without_a_map_is_named(cameras):
    with pytest.raises(ValueError, match="no map of CAM_FRONT_LEFT, but of CAM_FRONT, CAM_BACK"):
        cameras[0](torch.rand(1, 3, 90, 160), ["CAM_FRONT_LEFT"])


def test_priors_of_the_other_kind_are_refused(tmp_path):
    frames = Frames(NATIVE, NATIVE, (450, 800))
    one = write(tmp_path / "one.npz", np.ones((27, 48)))
    each = write(tmp_path / "each.npz", np.ones((2, 27, 48)), maps=["CAM_FRONT", "CAM_BACK"])
    with pytest.raises(UserError, match=r"one\.npz: one map of all cameras"):
        build_resampler("cameras", frames, prior=one, fwhm=10)
    for kind in ("warp", "warp_padded"):
        with pytest.raises(UserError, match=r"each\.npz: one map for each camera"):
            build_resampler(kind, frames, prior=each, fwhm=10)
