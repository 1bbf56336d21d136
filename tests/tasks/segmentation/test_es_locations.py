import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import RegularGridInterpolator

from lzu.tasks.segmentation.es.locations import es_locations, on_border
from lzu.tasks.segmentation.es.targets import uniform_lattice

quick = settings(deadline=None, max_examples=30)


@quick
@given(
    seed=st.integers(0, 10_000),
    size=st.tuples(st.integers(2, 20), st.integers(2, 20)),
    image_size=st.tuples(st.integers(2, 60), st.integers(2, 60)),
)
def test_locations_are_the_interpolated_lattice_at_its_nearest_pixels(seed, size, image_size):
    lattice = np.random.default_rng(seed).uniform(-0.1, 1.1, (8, 8, 2))
    found = es_locations(torch.tensor(lattice)[None], size, image_size)[0].numpy()
    axes = np.linspace(0, 1, 8), np.linspace(0, 1, 8)
    places = np.stack(np.meshgrid(*(np.linspace(0, 1, n) for n in size), indexing="ij"), -1)
    last = np.array(image_size[::-1]) - 1
    expected = RegularGridInterpolator(axes, lattice)(places).clip(0, 1) * last
    pixels = found * last
    np.testing.assert_allclose(pixels, pixels.round(), atol=1e-9)
    assert abs(pixels - expected).max() <= 0.5 + 1e-9


def test_the_uniform_lattice_samples_every_pixel_of_an_image_of_the_same_size():
    lattice = torch.tensor(uniform_lattice((8, 8)))[None]
    found = es_locations(lattice.float(), (30, 50), (30, 50))
    assert found.dtype == torch.float32
    pixels = found * torch.tensor([49, 29])
    expected = torch.stack(torch.meshgrid(torch.arange(50), torch.arange(30), indexing="xy"), -1)
    torch.testing.assert_close(pixels[0], expected.float(), atol=1e-4, rtol=0)


def test_the_border_is_fixed_across_and_free_along_itself():
    locations = torch.rand(2, 8, 8, 2, generator=torch.Generator().manual_seed(0)) * 3 - 1
    bounded = on_border(locations)
    assert (bounded[:, :, 0, 0] == 0).all()
    assert (bounded[:, :, -1, 0] == 1).all()
    assert (bounded[:, 0, :, 1] == 0).all()
    assert (bounded[:, -1, :, 1] == 1).all()
    clamped = locations.clamp(0, 1)
    assert (bounded[:, 1:-1, 1:-1] == clamped[:, 1:-1, 1:-1]).all()
    assert (bounded[:, 0, 1:-1, 0] == clamped[:, 0, 1:-1, 0]).all()
    assert (bounded[:, 1:-1, 0, 1] == clamped[:, 1:-1, 0, 1]).all()


@pytest.mark.parametrize(
    ("lattice", "error"),
    [(torch.zeros(1, 8, 8), ValueError), (torch.zeros(1, 8, 8, 2, dtype=torch.int), TypeError)],
)
def test_bad_lattices_are_named(lattice, error):
    with pytest.raises(error, match="lattice_locations"):
        es_locations(lattice, (4, 4), (8, 8))
