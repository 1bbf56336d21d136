"""The baselines must be right to be worth comparing with: T(T^-1(p)) = p, with T in plain loops."""

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from benchmarks.algorithm1 import TOLERANCE, invert_axes, invert_tiles, invert_tiles_tuned

BOTH = pytest.mark.parametrize("invert", [invert_tiles, invert_tiles_tuned])


def random_nodes(seed: int, lattice: tuple[int, int], jitter: float) -> np.ndarray:
    """Nodes (h, w, 2) of convex tiles: up to a quarter of a tile off, the border's along it."""
    generator = np.random.default_rng(seed)
    h, w = lattice
    shift = generator.uniform(-jitter, jitter, (h, w, 2))
    shift[:, [0, -1], 0] = 0
    shift[[0, -1], :, 1] = 0
    regular = np.stack(np.meshgrid(np.arange(w), np.arange(h)), axis=-1)
    return (regular + shift) / (w - 1, h - 1)


def forward(nodes: np.ndarray, point: np.ndarray) -> np.ndarray:
    """T at one point (x, y), bilinear between the nodes (h, w, 2)."""
    h, w, _ = nodes.shape
    x, y = point[0] * (w - 1), point[1] * (h - 1)
    j, i = min(int(x), w - 2), min(int(y), h - 2)
    u, v = x - j, y - i
    above = (1 - u) * nodes[i, j] + u * nodes[i, j + 1]
    below = (1 - u) * nodes[i + 1, j] + u * nodes[i + 1, j + 1]
    return (1 - v) * above + v * below


@BOTH
@given(
    seed=st.integers(0, 2**16),
    lattice=st.tuples(st.integers(2, 6), st.integers(2, 6)),
    size=st.tuples(st.integers(2, 15), st.integers(2, 15)),
    padding=st.tuples(st.sampled_from([0, 0.3, 1.5]), st.sampled_from([0, 0.3, 1.5])),
    jitter=st.sampled_from([0.0, 0.1, 0.24]),
)
@example(seed=0, lattice=(5, 5), size=(9, 13), padding=(0, 0), jitter=0.0)
@example(seed=15, lattice=(2, 4), size=(15, 4), padding=(0, 0), jitter=0.1)
@settings(max_examples=60, deadline=None)
def test_algorithm_1_inverts(invert, seed, lattice, size, padding, jitter):
    nodes = random_nodes(seed, lattice, jitter)
    extent = tuple(max(side - 1 - beyond, 0.5) for side, beyond in zip(size, padding, strict=True))
    # A cell on the edge of two tiles is given to either, if it lies outside by no more than the
    # baseline's tolerance (in tiles), and is then moved onto the edge.
    error = 2e-5 + TOLERANCE / (min(lattice) - 1)
    given_nodes = torch.tensor(nodes[None], dtype=torch.float32)
    inverse = invert(given_nodes, size, extent)[0].numpy()
    assert inverse.shape == (*size, 2)
    for i in range(size[0]):
        for j in range(size[1]):
            cell = np.array([j / extent[1], i / extent[0]])
            if cell.max() > 1:
                np.testing.assert_array_equal(inverse[i, j], 0)
            else:
                np.testing.assert_allclose(forward(nodes, inverse[i, j]), cell, atol=error)


@BOTH
def test_algorithm_1_keeps_batch_items_apart(invert):
    nodes = torch.tensor(np.stack([random_nodes(seed, (5, 7), 0.2) for seed in range(3)])).float()
    together = invert(nodes, (20, 30))
    for item in range(3):
        alone = invert(nodes[item : item + 1], (20, 30))
        torch.testing.assert_close(together[item : item + 1], alone, atol=1e-5, rtol=0)


@BOTH
def test_algorithm_1_leaves_zero_where_no_tile_reaches(invert):
    nodes = torch.tensor(random_nodes(0, (4, 4), 0.0))[None].float() * 0.5 + 0.25
    inverse = invert(nodes, (9, 9))[0]
    filled = torch.zeros(9, 9, dtype=torch.bool)
    filled[2:7, 2:7] = True
    assert (inverse[~filled] == 0).all()
    expected = torch.linspace(0, 1, 5)
    torch.testing.assert_close(inverse[2:7, 2:7, 0], expected.expand(5, 5))
    torch.testing.assert_close(inverse[2:7, 2:7, 1], expected.view(5, 1).expand(5, 5))


@pytest.mark.parametrize("seed", range(3))
def test_the_loop_for_each_axis_inverts(seed):
    generator = np.random.default_rng(seed)
    x, y = (
        np.cumsum(np.append(0, steps)) / steps.sum()
        for steps in (generator.uniform(0.1, 1, 6), generator.uniform(0.1, 1, 4))
    )
    inverse = invert_axes(torch.tensor(x)[None].float(), torch.tensor(y)[None].float(), (11, 17))
    expected_x = np.interp(np.linspace(0, 1, 17), x, np.linspace(0, 1, 7))
    expected_y = np.interp(np.linspace(0, 1, 11), y, np.linspace(0, 1, 5))
    np.testing.assert_allclose(inverse[0, 3, :, 0].numpy(), expected_x, atol=1e-5)
    np.testing.assert_allclose(inverse[0, :, 5, 1].numpy(), expected_y, atol=1e-5)
