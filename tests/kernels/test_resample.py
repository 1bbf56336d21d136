"""`zoom` and `unzoom` against `lzu.Warp`, in float32 and float64, and against plain loops."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lzu import Warp, kernels
from lzu.core.resample import memory_format_of
from tests.core import oracles

LAYOUTS = [torch.contiguous_format, torch.channels_last]
DTYPES = [torch.float32, torch.float16, torch.bfloat16]


def random_warp(lattice, batch=1, *, anti_crop=True, device="cpu", seed=0):
    saliency = oracles.random_saliency(seed, lattice, batch=batch)
    return Warp.from_saliency(saliency, fwhm=4, anti_crop=anti_crop).to(device)


def random_maps(*shape, dtype=torch.float32, layout=torch.contiguous_format, device="cpu"):
    return torch.rand(shape).to(device, dtype).contiguous(memory_format=layout)


def assert_close(result, exact):
    """A value is rounded once, at the end, to its dtype; what precedes that is float32."""
    digits = {torch.float32: 24, torch.float16: 11, torch.bfloat16: 8}[result.dtype]
    if result.dtype == torch.bfloat16 and result.device.type == "cpu":
        digits -= 1  # Triton's interpreter cuts off
    torch.testing.assert_close(result.double(), exact, rtol=2.0**-digits, atol=1e-5)


def assert_zooms(images, warp, size):
    zoomed = kernels.zoom(images, warp.x, warp.y, size)
    reference = warp.zoom(images, size)
    assert zoomed.dtype == images.dtype
    assert zoomed.shape == reference.shape
    assert zoomed.stride() == reference.stride()
    exact = warp.to(dtype=torch.float64).zoom(images.double(), size)
    assert_close(zoomed, exact)


def settled(warp, size, extent):
    """Return where it is not rounding that decides whether a cropping warp shows a cell."""
    places = []
    for nodes, n, side in ((warp.y, size[0], extent[0]), (warp.x, size[1], extent[1])):
        cells = torch.arange(n, device=nodes.device) / side
        ends = torch.stack((nodes[:, 0], nodes[:, -1]))
        inside = ((cells - ends.unsqueeze(-1)).abs() > 1e-6).all(0)
        places.append(inside & ((cells == 1) | ((cells - 1).abs() > 1e-6)))
    return (places[0].unsqueeze(2) & places[1].unsqueeze(1)).unsqueeze(1)


def assert_unzooms(levels, warp, extents=None):
    unzoomed = kernels.unzoom(levels, warp.x, warp.y, extents, crops=warp.crops)
    assert len(unzoomed) == len(levels)
    double = warp.to(dtype=torch.float64)
    for level, extent, result in zip(
        levels, extents or [None] * len(levels), unzoomed, strict=True
    ):
        reference = warp.unzoom(level, extent=extent)
        assert result.dtype == level.dtype
        assert result.shape == reference.shape
        assert result.stride() == reference.stride()
        exact = double.unzoom(level.double(), extent=extent)
        if warp.crops:
            size = level.shape[2:]
            sure = settled(warp, size, extent or (size[0] - 1, size[1] - 1))
            assert sure.float().mean() > 0.9
            result, exact = torch.where(sure, result, 0), torch.where(sure, exact, 0)
        assert_close(result, exact)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_zoom(dtype, layout, device):
    images = random_maps(1, 3, 23, 31, dtype=dtype, layout=layout, device=device)
    assert_zooms(images, random_warp((7, 9), device=device), (13, 17))


def assert_zooms_bytes(images, warp, size):
    zoomed = kernels.zoom(images, warp.x, warp.y, size)
    assert zoomed.dtype == torch.float32
    assert zoomed.is_contiguous(memory_format=memory_format_of(images))
    exact = warp.to(dtype=torch.float64).zoom(images.double(), size)
    torch.testing.assert_close(zoomed.double(), exact, rtol=1e-5, atol=255e-5)


@pytest.mark.parametrize("channels", [1, 3, 4, 33, 48])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_zoom_of_8_bits(layout, channels, device):
    images = torch.randint(0, 256, (2, channels, 9, 8), dtype=torch.uint8, device=device)
    warp = random_warp((5, 6), device=device)
    assert_zooms_bytes(images.contiguous(memory_format=layout), warp, (7, 10))
    # As decoders give it, and parts of that.
    as_loaded = images.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
    assert_zooms_bytes(as_loaded, warp, (7, 10))
    assert_zooms_bytes(as_loaded[:, ::2, 2:, ::3], warp, (3, 4))


@pytest.mark.parametrize("batch", [(1, 1), (3, 1), (1, 3), (3, 3)])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_zoom_of_a_batch(layout, batch, device):
    images = random_maps(batch[0], 2, 9, 8, layout=layout, device=device)
    assert_zooms(images, random_warp((5, 6), batch[1], device=device), (7, 10))


@pytest.mark.parametrize("lattice", [(2, 2), (2, 9), (16, 16), (31, 51), (33, 65)])
def test_zoom_by_lattice(lattice, device):
    for anti_crop in (True, False):
        warp = random_warp(lattice, anti_crop=anti_crop, device=device)
        assert_zooms(random_maps(1, 1, 12, 15, device=device), warp, (11, 14))


@pytest.mark.parametrize("size", [(2, 2), (2, 70), (41, 2), (9, 13)])
@pytest.mark.parametrize("given", [(1, 1), (40, 3)])
def test_zoom_by_size(given, size, device):
    warp = random_warp((5, 7), device=device)
    assert_zooms(random_maps(1, 2, *given, device=device), warp, size)


@pytest.mark.parametrize("channels", [1, 4, 5, 31, 32, 40, 67, 260])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_zoom_by_channels(layout, channels, device):
    images = random_maps(1, channels, 5, 6, layout=layout, device=device)
    assert_zooms(images, random_warp((4, 5), device=device), (4, 6))


def test_zoom_of_strided_images(device):
    warp = random_warp((5, 6), device=device)
    for layout in LAYOUTS:
        padded = random_maps(2, 35, 6, 7, layout=layout, device=device)
        assert_zooms(padded[:, :, 2:5, 3:6], warp, (2, 3))
        assert_zooms(padded[:, 1:34], warp, (2, 3))
        assert_zooms(padded[:, ::2, ::2, 1::3], warp, (2, 3))
        assert_zooms(padded.transpose(2, 3), warp, (2, 3))
        assert_zooms(padded[:, :1].expand(-1, 4, -1, -1), warp, (2, 3))


def test_zoom_copies_where_the_warp_is_the_identity(device):
    warp = Warp.identity((9, 5), device=device)
    images = random_maps(1, 3, 17, 9, device=device)
    assert torch.equal(kernels.zoom(images, warp.x, warp.y, (17, 9)), images)


@given(
    seed=st.integers(0, 1000),
    lattice=st.tuples(st.integers(2, 9), st.integers(2, 9)),
    given=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    size=st.tuples(st.integers(2, 9), st.integers(2, 9)),
    anti_crop=st.booleans(),
)
@settings(max_examples=12, deadline=None)
def check_zoom(device, seed, lattice, given, size, anti_crop):
    warp = random_warp(lattice, anti_crop=anti_crop, device=device, seed=seed)
    images = random_maps(1, 1, *given, device=device)
    zoomed = kernels.zoom(images, warp.x, warp.y, size)[0, 0].cpu()
    x, y = (nodes[0].double().cpu().numpy() for nodes in (warp.x, warp.y))
    expected = oracles.zoom(images[0, 0].double().cpu().numpy(), x, y, size)
    np.testing.assert_allclose(zoomed, expected, atol=1e-5)


def test_zoom_against_loops(device):
    check_zoom(device)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    ("dtype", "anti_crop"), [*((dtype, True) for dtype in DTYPES), (torch.float32, False)]
)
def test_unzoom(dtype, anti_crop, layout, device):
    sizes, channels = [(5, 7), (3, 4), (2, 3), (1, 2), (1, 1)], [9, 8, 3, 33, 2]
    levels = [
        random_maps(1, depth, *size, dtype=dtype, layout=layout, device=device)
        for depth, size in zip(channels, sizes, strict=True)
    ]
    extents = [(3.5, 6.25), None, (0.9, 2.0), (0.7, 1.0), (0.2, 0.3)]
    assert_unzooms(levels, random_warp((7, 9), anti_crop=anti_crop, device=device), extents)


@pytest.mark.parametrize("batch", [(1, 1), (3, 1), (1, 3), (3, 3)])
@pytest.mark.parametrize("anti_crop", [True, False])
def test_unzoom_of_a_batch(anti_crop, batch, device):
    levels = [random_maps(batch[0], 2, *size, device=device) for size in ((9, 8), (5, 4))]
    assert_unzooms(levels, random_warp((5, 6), batch[1], anti_crop=anti_crop, device=device))


@pytest.mark.parametrize("lattice", [(2, 2), (2, 9), (16, 16), (17, 32), (31, 51), (33, 65)])
def test_unzoom_by_lattice(lattice, device):
    for anti_crop in (True, False):
        warp = random_warp(lattice, anti_crop=anti_crop, device=device)
        assert_unzooms([random_maps(1, 1, 13, 19, device=device)], warp)


@pytest.mark.parametrize("channels", [1, 7, 32, 33, 40, 67, 260])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_unzoom_by_channels(layout, channels, device):
    level = random_maps(1, channels, 4, 5, layout=layout, device=device)
    assert_unzooms([level], random_warp((4, 5), anti_crop=False, device=device))


def test_unzoom_of_strided_features(device):
    warp = random_warp((5, 6), device=device)
    for layout in LAYOUTS:
        padded = random_maps(2, 35, 3, 4, layout=layout, device=device)
        levels = [padded[:, :, :2, 1:3], padded[:, 1:34], padded.transpose(2, 3), padded[:, 3:4]]
        assert_unzooms(levels, warp)


def test_unzoom_of_levels_that_differ(device):
    warp = random_warp((5, 6), device=device)
    levels = [
        random_maps(batch, 33, 1 + i % 2, 2, dtype=dtype, layout=layout, device=device)
        for i, (batch, dtype, layout) in enumerate(
            (batch, dtype, layout) for batch in (1, 2) for dtype in DTYPES for layout in LAYOUTS
        )
    ]
    extents = [(1.0, 1.5)] * len(levels)
    assert_unzooms(levels, warp, extents)


def test_unzoom_keeps_padding_in_place(device):
    level = random_maps(1, 2, 9, 12, device=device)
    for anti_crop in (True, False):
        warp = random_warp((5, 6), anti_crop=anti_crop, device=device)
        (result,) = kernels.unzoom([level], warp.x, warp.y, [(5.5, 7.5)], crops=not anti_crop)
        torch.testing.assert_close(result[..., 6:, 8:], level[..., 6:, 8:])


def test_unzoom_of_nothing(device):
    warp = random_warp((3, 4), device=device)
    assert kernels.unzoom([], warp.x, warp.y) == []
    empty = [random_maps(1, 0, 4, 5, device=device), random_maps(0, 2, 4, 5, device=device)]
    shapes = [tuple(result.shape) for result in kernels.unzoom(empty, warp.x, warp.y)]
    assert shapes == [(1, 0, 4, 5), (0, 2, 4, 5)]


@given(
    seed=st.integers(0, 1000),
    lattice=st.tuples(st.integers(2, 9), st.integers(2, 9)),
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    extent=st.tuples(st.floats(0.3, 10), st.floats(0.3, 10)),
)
@settings(max_examples=12, deadline=None)
def check_unzoom(device, seed, lattice, size, extent):
    warp = random_warp(lattice, device=device, seed=seed)
    level = random_maps(1, 1, *size, device=device)
    (result,) = kernels.unzoom([level], warp.x, warp.y, [extent])
    x, y = (nodes[0].double().cpu().numpy() for nodes in (warp.x, warp.y))
    expected = oracles.unzoom(level[0, 0].double().cpu().numpy(), x, y, extent)
    np.testing.assert_allclose(result[0, 0].cpu(), expected, atol=2e-5)


def test_unzoom_against_loops(device):
    check_unzoom(device)


@pytest.mark.parametrize(("count", "launches"), [(1, 1), (5, 1), (8, 1), (9, 2)])
def test_levels_share_launches(count, launches, device, monkeypatch):
    from lzu.kernels import resample

    launched = []
    launch = resample.launch
    monkeypatch.setattr(
        resample, "launch", lambda *a, **k: (launched.append(a[0]), launch(*a, **k))
    )
    levels = [random_maps(1, 2 * i + 1, 2 + i, 3, device=device) for i in range(count)]
    assert_unzooms(levels, random_warp((3, 4), device=device))
    assert len(launched) == launches


def test_nodes_that_are_nan_read_nothing_out_of_bounds(device):
    bad = torch.full((1, 5), torch.nan, device=device)
    maps = random_maps(1, 2, 6, 7, device=device)
    assert kernels.zoom(maps, bad, bad, (5, 6)).shape == (1, 2, 5, 6)
    (result,) = kernels.unzoom([maps], bad, bad)
    assert result.shape == maps.shape
