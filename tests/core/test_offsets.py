"""Features whose cell i sits at pixel stride * i + offset, by ramps through real modules.

The value of a ramp at a cell is the pixel that the cell sits at. So a module whose weights average
tells where its cells sit, and features of a zoomed ramp tell what was seen where.
"""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from lzu import Warp, ZoomUnzoom
from lzu.core.lattice import Region, content_region
from tests.core.oracles import random_saliency

SIZE = (128, 192)
quick = settings(deadline=None, max_examples=30)


def averaging(module: nn.Module) -> nn.Module:
    """Every convolution averages what it sees, each channel as the next."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.constant_(part.weight, 1 / part.weight[0].numel())
            nn.init.zeros_(part.bias)
    return module.double()


def conv(kernel: int, stride: int, padding: int = 0, dilation: int = 1, given: int = 1):
    return nn.Conv2d(given, 1, kernel, stride, padding, dilation)


# What is like it, the module, its stride and its offset.
MODULES = {
    "resnet": (nn.Sequential(conv(7, 2, 3), conv(3, 2, 1), conv(3, 2, 1)), 8, 0.0),
    "dilated": (nn.Sequential(conv(3, 2, 1), conv(3, 2, 2, dilation=2)), 4, 0.0),
    "vit": (conv(16, 16), 16, 7.5),
    "convnext": (nn.Sequential(conv(4, 4), conv(2, 2)), 8, 3.5),
    "swin": (nn.Sequential(conv(4, 4), nn.PixelUnshuffle(2), conv(1, 1, given=4)), 8, 3.5),
    "vgg": (
        nn.Sequential(conv(3, 1, 1), nn.AvgPool2d(2), conv(3, 1, 1), nn.AvgPool2d(2)),
        4,
        1.5,
    ),
    "mixed": (nn.Sequential(conv(3, 2, 1), nn.AvgPool2d(2)), 4, 1.0),
}


def ramps(height: int, width: int) -> torch.Tensor:
    """(2, 1, H, W): the pixel's x, and its y."""
    y, x = torch.meshgrid(
        torch.arange(height).double(), torch.arange(width).double(), indexing="ij"
    )
    return torch.stack((x, y)).unsqueeze(1)


def gentle(separable: bool, anti_crop: bool = True) -> ZoomUnzoom:
    s = random_saliency(3, (5, 7), dtype=torch.float64) + 2
    return ZoomUnzoom(s, SIZE, fwhm=4, separable=separable, anti_crop=anti_crop)


@pytest.mark.parametrize("name", MODULES)
def test_cells_sit_where_the_rule_says(name):
    """That is, the offsets of this file are those of the modules."""
    module, stride, offset = MODULES[name]
    features = averaging(module)(ramps(*SIZE))[:, 0]
    rows, columns = features.shape[1:]
    inner = (slice(2, -2), slice(2, -2))
    x = (stride * torch.arange(columns) + offset).double().expand(rows, columns)
    y = (stride * torch.arange(rows) + offset).double().unsqueeze(1).expand(rows, columns)
    torch.testing.assert_close(features[0][inner], x[inner])
    torch.testing.assert_close(features[1][inner], y[inner])


LARGE = (384, 512)
SLOPE = 0.6


def straight_in_the_middle(separable: bool) -> Warp:
    """T is linear, of slope 0.6, over the middle third of the zoomed frame: 0.4 to 0.6 of it."""
    nodes = torch.tensor([[0.0, 0.4, 0.6, 1.0]], dtype=torch.float64)
    if separable:
        return Warp.from_nodes(nodes, nodes)
    return Warp.from_node_grid(
        torch.stack(torch.meshgrid(nodes[0], nodes[0], indexing="xy"), -1)[None]
    )


@pytest.mark.parametrize("levels", ["exact", "downsampled"])
@pytest.mark.parametrize("separable", [True, False])
@pytest.mark.parametrize("name", MODULES)
def test_an_unzoomed_ramp_is_the_module_s_of_the_uniform_image(name, separable, levels):
    """Each cell sees the source at its own pixel, as that of a uniformly resized image does.

    Taken for one at stride * i, a cell sees T(T^-1(stride * i) + offset) = stride * i + 0.6 offset
    where it should see stride * i + offset.
    """
    module, stride, offset = MODULES[name]
    lens = ZoomUnzoom(torch.ones(1, 1, 4, 4), LARGE, separable=separable, levels=levels)
    warp, source = straight_in_the_middle(separable), ramps(*LARGE)
    with torch.no_grad():
        features = averaging(module)(warp.zoom(source, LARGE))
        uniform = module(source)
        right = lens.unzoom(features, warp, strides=stride, offsets=offset)
        wrong = lens.unzoom(features, warp, strides=stride)
    # the cells that see nothing but the middle, with the neighbours that they are made of
    margin = SLOPE * (2 * stride + 12)
    y, x = (
        ((pixel > 0.4 * (n - 1) + margin) & (pixel < 0.6 * (n - 1) - margin))
        for n, pixel in (
            (n, stride * torch.arange(cells) + offset)
            for n, cells in zip(LARGE, features.shape[2:], strict=True)
        )
    )
    assert x.any()
    assert y.any()
    right, wrong, uniform = (one[:, 0][:, y][:, :, x] for one in (right, wrong, uniform))
    torch.testing.assert_close(right, uniform)
    missed = torch.full_like(uniform, (1 - SLOPE) * offset)
    torch.testing.assert_close(uniform - wrong, missed)


@pytest.mark.parametrize("levels", ["exact", "downsampled"])
@pytest.mark.parametrize("separable", [True, False])
def test_the_identity_leaves_features_as_they_are(levels, separable):
    lens = ZoomUnzoom(
        torch.ones(1, 1, 5, 7, dtype=torch.float64), SIZE, separable=separable, levels=levels
    )
    features = torch.rand(1, 3, 16, 24, dtype=torch.float64)
    _, warp = lens.zoom(torch.rand(1, 3, *SIZE))
    for offsets in (0.0, 3.5, (3.5, 1.25), [(0.0, 7.0)]):
        unzoomed = lens.unzoom(features, warp, strides=8, offsets=offsets)
        torch.testing.assert_close(unzoomed, features, rtol=0, atol=1e-6)


def by_brute_force(warp: Warp, features: np.ndarray, stride, offset) -> np.ndarray:
    """Each cell by itself: its pixel, where the zoom shows that, and the four cells around it."""
    rows, columns = features.shape
    result = np.empty_like(features)
    for i in range(rows):
        for j in range(columns):
            y = (stride * i + offset[0]) / (SIZE[0] - 1)
            x = (stride * j + offset[1]) / (SIZE[1] - 1)
            seen = warp.inverse(torch.tensor([[[x, y]]], dtype=torch.float64))[0, 0].tolist()
            shown = [0 <= value <= 1 for value in seen] if warp.crops else [True, True]
            padding = [not 0 <= x <= 1, not 0 <= y <= 1]
            u = x if padding[0] else seen[0]
            v = y if padding[1] else seen[1]
            if warp.is_separable:
                shown = [a or b for a, b in zip(shown, padding, strict=True)]
            else:
                shown = [all(0 <= value <= 1 for value in (u, v)) or any(padding) or not warp.crops]
            column = min(max((u * (SIZE[1] - 1) - offset[1]) / stride, 0), columns - 1)
            row = min(max((v * (SIZE[0] - 1) - offset[0]) / stride, 0), rows - 1)
            top, left = min(int(row), rows - 2), min(int(column), columns - 2)
            result[i, j] = all(shown) * sum(
                (1 - abs(row - r)) * (1 - abs(column - c)) * features[r, c]
                for r in (top, top + 1)
                for c in (left, left + 1)
            )
    return result


@quick
@given(
    seed=st.integers(0, 1000),
    # From a cell before the content on, to beyond its end.
    offset=st.tuples(st.floats(-20, 140), st.floats(-20, 210)),
    separable=st.booleans(),
    anti_crop=st.booleans(),
)
def test_every_cell_is_as_found_one_by_one(seed, offset, separable, anti_crop):
    s = random_saliency(seed, (4, 6), dtype=torch.float64) + 0.5
    lens = ZoomUnzoom(s, SIZE, fwhm=3, separable=separable, anti_crop=anti_crop)
    features = torch.rand(9, 13, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    warp = lens.warp()
    unzoomed = lens.unzoom(features[None, None], warp, strides=16, offsets=offset)
    expected = by_brute_force(warp, features.numpy(), 16, offset)
    np.testing.assert_allclose(unzoomed[0, 0].numpy(), expected, atol=1e-9)


def test_offsets_are_one_for_all_two_for_all_or_one_a_map():
    lens = gentle(True)
    _, warp = lens.zoom(ramps(*SIZE))
    maps = [torch.rand(2, 1, 16, 24).double(), torch.rand(2, 1, 8, 12).double()]
    alone = [
        lens.unzoom(m, warp, strides=s, offsets=o)
        for m, s, o in zip(maps, (8, 16), (3.5, 7.5), strict=True)
    ]
    both = lens.unzoom(maps, warp, strides=(8, 16), offsets=[3.5, (7.5, 7.5)])
    for one, other in zip(alone, both, strict=True):
        torch.testing.assert_close(one, other)
    three = [*maps, maps[1]]
    pair = lens.unzoom(three, warp, strides=(8, 16, 16), offsets=(1.0, 3.0))
    torch.testing.assert_close(
        pair[1], lens.unzoom(maps[1], warp, strides=16, offsets=[(1.0, 3.0)])
    )
    wrapped = lens.wrap(nn.AvgPool2d(8), strides=8, offsets=3.5)(ramps(*SIZE))
    zoomed, _ = lens.zoom(ramps(*SIZE))
    torch.testing.assert_close(
        wrapped, lens.unzoom(F.avg_pool2d(zoomed, 8), warp, strides=8, offsets=3.5)
    )


@pytest.mark.parametrize(
    ("offsets", "strides", "error", "said"),
    [
        (3.5, None, ValueError, "need strides"),
        ([3.5], (8, 16), ValueError, "2 feature maps, but 1 offsets"),
        ((3.5, 7.5), (8, 16), ValueError, r"one a map or \(y, x\) of both"),
        ((1.0, 2.0, 3.0), (8, 16), TypeError, "a number or two"),
        ("3.5", (8, 16), TypeError, "a number or two"),
        (float("nan"), (8, 16), ValueError, "must be finite"),
    ],
)
def test_what_offsets_cannot_be(offsets, strides, error, said):
    lens = gentle(True)
    _, warp = lens.zoom(torch.rand(1, 1, *SIZE))
    maps = [torch.rand(1, 1, 16, 24), torch.rand(1, 1, 8, 12)]
    with pytest.raises(error, match=said):
        lens.unzoom(maps, warp, strides=strides, offsets=offsets)


@pytest.mark.parametrize("separable", [True, False])
def test_gradients_go_through_a_shifted_unzoom(separable):
    region = content_region((24, 32), 8, 3.5)

    def unzoom(saliency, features):
        warp = Warp.from_saliency(saliency, fwhm=3, separable=separable)
        return warp.unzoom(features, extent=region)

    s = (random_saliency(1, (4, 5), dtype=torch.float64) + 1).requires_grad_()
    features = torch.rand(1, 2, 3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(unzoom, (s, features))


def test_a_compiled_unzoom_is_the_eager_one():
    lens = gentle(True).float()
    features, warp = torch.rand(1, 2, 16, 24), lens.warp()

    class Unzoom(nn.Module):
        def __init__(self):
            super().__init__()
            self.lens = lens

        def forward(self, features):
            return self.lens.unzoom(features, self.lens.warp(), strides=8, offsets=3.5)

    program = torch.export.export(Unzoom(), (features,)).module()
    expected = lens.unzoom(features, warp, strides=8, offsets=3.5)
    torch.testing.assert_close(program(features), expected)


def test_a_region_scales_with_the_map():
    """Unzoomed to twice the cells, a map has the same content in the same places."""
    warp = gentle(True).warp()
    features = torch.rand(1, 1, 9, 13, dtype=torch.float64)
    region = Region((8.3, 12.1), (0.4, 0.2))
    small = warp.unzoom(features, extent=region)
    large = warp.unzoom(features, size=(17, 25), extent=region)
    torch.testing.assert_close(large[..., ::2, ::2], small)
