import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

import lzu
from lzu.tasks.segmentation.lds.grid import lds_locations

quick = settings(deadline=None, max_examples=15)


def saliency_of(seed, lattice, batch=1):
    logits = torch.randn((batch, 1, *lattice), generator=torch.Generator().manual_seed(seed))
    return (2 * logits.double()).flatten(1).softmax(1).view(batch, 1, *lattice)


def nodes_by_force(saliency, fwhm, radius, aspect=1):
    """Sum over a kernel's window, cell by cell, of saliency that replicates at the border."""
    h, w = saliency.shape
    nodes = np.zeros((h, w, 2))
    for i in range(h):
        for j in range(w):
            total = 0.0
            for m in range(-radius, radius + 1):
                for n in range(-radius * aspect, radius * aspect + 1):
                    distance = (m / fwhm) ** 2 + (n / (fwhm * aspect)) ** 2
                    weight = (
                        np.exp(-4 * np.log(2) * distance)
                        * saliency[np.clip(i + m, 0, h - 1), np.clip(j + n, 0, w - 1)]
                    )
                    total += weight
                    nodes[i, j] += weight * np.array([(j + n) / (w - 1), (i + m) / (h - 1)])
            nodes[i, j] /= total
    return nodes.clip(0, 1)


@quick
@given(seed=st.integers(0, 1000), fwhm=st.floats(0.5, 20), radius=st.integers(1, 9))
def test_nodes_are_the_sums_over_a_bounded_window(seed, fwhm, radius):
    saliency = saliency_of(seed, (6, 6))
    found = lds_locations(saliency, (6, 6), fwhm, radius)[0].numpy()
    expected = nodes_by_force(saliency[0, 0].numpy(), fwhm, radius)
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_the_kernel_is_stretched_by_the_aspect_ratio():
    saliency = saliency_of(0, (5, 10))
    found = lds_locations(saliency, (5, 10), 3, 2)[0].numpy()
    expected = nodes_by_force(saliency[0, 0].numpy(), 3, 2, aspect=2)
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_with_a_kernel_as_large_as_the_lattice_it_is_the_cropping_warp_of_the_library():
    saliency = saliency_of(1, (16, 16), batch=2)
    found = lds_locations(saliency, (16, 16), fwhm=8, radius=15)
    warp = lzu.Warp.from_saliency(saliency, fwhm=8, separable=False, anti_crop=False)
    expected = torch.stack((warp.x, warp.y), dim=-1).clamp(0, 1)
    torch.testing.assert_close(found, expected)


def test_nodes_are_resized_bilinearly_with_corners_aligned():
    saliency = saliency_of(2, (8, 8)).float()
    nodes = lds_locations(saliency, (8, 8), 3, 3)
    found = lds_locations(saliency, (15, 15), 3, 3)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found[:, ::2, ::2], nodes)
    torch.testing.assert_close(found[:, 1::2, ::2], (nodes[:, 1:] + nodes[:, :-1]) / 2)


def test_constant_saliency_samples_uniformly():
    found = lds_locations(torch.full((1, 1, 32, 32), 1 / 1024), (64, 64))
    axis = torch.linspace(0, 1, 64)
    expected = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), -1)
    torch.testing.assert_close(found[0], expected)


def test_cells_that_the_softmax_rounds_to_zero_neither_move_a_node_nor_spoil_a_gradient():
    logits = torch.full((1, 1, 64, 64), -200.0)
    logits[..., 3, 3] = 0
    logits.requires_grad_()
    saliency = logits.flatten(1).softmax(1).view_as(logits)
    found = lds_locations(saliency, (64, 64))
    torch.testing.assert_close(found[0, -1, -1], torch.ones(2))
    torch.testing.assert_close(found[0, 4, 4], torch.full((2,), 3 / 63))
    found.square().sum().backward()
    assert torch.isfinite(logits.grad).all()


def test_locations_differentiate_with_respect_to_the_saliency():
    saliency = saliency_of(3, (5, 6)).requires_grad_()
    assert torch.autograd.gradcheck(lambda s: lds_locations(s, (7, 9), 2, 2), saliency)


def test_the_released_frame_samples_what_the_released_sampling_does():
    saliency, size = saliency_of(4, (8, 8)), (13, 11)
    image = torch.rand(1, 2, 20, 30, dtype=torch.float64)
    nodes = lds_locations(saliency, (8, 8), 3, 3)
    planes = (nodes * 2 - 1).permute(0, 3, 1, 2)
    grid = F.interpolate(planes, size, mode="bilinear", align_corners=False).permute(0, 2, 3, 1)
    expected = F.grid_sample(image, grid, align_corners=False, padding_mode="border")
    locations = lds_locations(saliency, size, 3, 3, released_frame=(20, 30))
    found = F.grid_sample(image, locations * 2 - 1, align_corners=True)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"saliency": torch.ones(1, 8, 8)}, "saliency"),
        ({"fwhm": 0}, "fwhm"),
        ({"radius": 0}, "radius"),
        ({"size": (1, 8)}, "size"),
        ({"released_frame": (1, 8)}, "released_frame"),
    ],
)
def test_bad_arguments_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        lds_locations(**{"saliency": torch.ones(1, 1, 8, 8), "size": (8, 8), **change})
