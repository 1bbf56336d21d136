import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from lzu.tasks.segmentation.es.targets import boundary_pixels, target_locations, uniform_lattice

quick = settings(deadline=None, max_examples=40)


def labels_of(seed, size=(20, 24), patches=12):
    """Overlapping rectangles of random classes, and some of none."""
    random = np.random.default_rng(seed)
    labels = np.zeros(size, np.uint8)
    for _ in range(patches):
        top, left = random.integers(0, size[0]), random.integers(0, size[1])
        height, width = random.integers(1, 9, 2)
        labels[top : top + height, left : left + width] = random.choice([*range(19), 255])
    return labels


def nearest_by_force(boundary, lattice):
    """The nearest boundary pixel of every node, over all pixels, first in row-major order."""
    (height, width), (h, w) = boundary.shape, lattice
    points = np.argwhere(boundary)
    nearest = np.zeros((h, w, 2))
    for i in range(h):
        for j in range(w):
            y, x = i * (height - 1) / (h - 1), j * (width - 1) / (w - 1)
            squared = ((points - (y, x)) ** 2).sum(1)
            row, column = points[np.flatnonzero(squared <= squared.min() + 1e-9)[0]]
            nearest[i, j] = column / (width - 1), row / (height - 1)
    return nearest


def dense_solution(nearest, alpha, smoothness):
    """The stated objective, one row of a dense least-squares system a term, over what moves."""
    h, w = nearest.shape[:2]
    start = np.zeros((h, w, 2))
    start[..., 0], start[..., 1] = np.arange(w) / (w - 1), np.arange(h)[:, None] / (h - 1)
    number = np.arange(h * w * 2).reshape(h, w, 2)
    rows, values = [], []
    for i in range(h):
        for j in range(w):
            for axis in range(2):
                row = np.zeros(h * w * 2)
                row[number[i, j, axis]] = alpha**0.5
                rows.append(row)
                values.append(alpha**0.5 * nearest[i, j, axis])
                for a, b in ((i + 1, j), (i, j + 1)):
                    if a < h and b < w:
                        row = np.zeros(h * w * 2)
                        row[number[i, j, axis]] = smoothness**0.5
                        row[number[a, b, axis]] = -(smoothness**0.5)
                        rows.append(row)
                        values.append(0)
    free = np.ones((h, w, 2), bool)
    free[:, 0, 0] = free[:, -1, 0] = free[0, :, 1] = free[-1, :, 1] = False
    matrix, rest = (
        np.array(rows),
        np.array(values) - np.array(rows)[:, ~free.ravel()] @ start[~free],
    )
    start[free] = np.linalg.lstsq(matrix[:, free.ravel()], rest, rcond=None)[0]
    return start


@quick
@given(
    seed=st.integers(0, 10_000),
    lattice=st.tuples(st.integers(2, 8), st.integers(2, 8)),
    alpha=st.floats(0.05, 1),
    weights=st.sampled_from(["correct", "released"]),
)
def test_targets_solve_the_stated_objective(seed, lattice, alpha, weights):
    labels = labels_of(seed)
    found = target_locations(labels, lattice, alpha, weights=weights)
    boundary = boundary_pixels(labels)
    smoothness = 1 - alpha if weights == "correct" else 1 - alpha**0.5
    expected = uniform_lattice(lattice)
    if boundary.any():
        expected = dense_solution(nearest_by_force(boundary, lattice), alpha, smoothness)
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_the_released_weights_are_an_effective_lambda_of_0_586():
    labels = labels_of(1, (64, 64))
    # Only the ratio of the weights matters: 0.5858 against 1.
    alpha = 1 / (1 + (1 - 0.5**0.5) / 0.5)
    assert (1 - alpha) / alpha == pytest.approx(0.586, abs=5e-4)
    released = target_locations(labels, weights="released")
    np.testing.assert_allclose(released, target_locations(labels, alpha=alpha), atol=1e-12)
    assert abs(released - target_locations(labels)).max() > 1e-3


def test_truncated_nodes_are_those_of_a_distance_transform_at_whole_pixels():
    labels = labels_of(5, (64, 64), patches=30)
    boundary = boundary_pixels(labels)
    distances = ndimage.distance_transform_edt(~boundary)
    # Of alpha 1 the targets are the nearest points themselves, but where the border binds.
    found = target_locations(labels, alpha=1, nodes="truncated")[1:-1, 1:-1] * 63
    rows, columns = np.mgrid[0:63:8j, 0:63:8j].astype(int)
    pixels = np.stack([columns, rows], -1)[1:-1, 1:-1]
    expected = distances[rows, columns][1:-1, 1:-1]
    np.testing.assert_allclose(np.linalg.norm(found - pixels, axis=-1), expected, atol=1e-9)
    assert boundary[found[..., 1].round().astype(int), found[..., 0].round().astype(int)].all()


@quick
@given(seed=st.integers(0, 10_000), alpha=st.floats(0, 1))
def test_corners_stay_and_borders_slide_along_themselves(seed, alpha):
    found = target_locations(labels_of(seed), alpha=alpha)
    assert found.shape == (8, 8, 2)
    assert found.dtype == np.float64
    assert (found[:, 0, 0] == 0).all()
    assert (found[:, -1, 0] == 1).all()
    assert (found[0, :, 1] == 0).all()
    assert (found[-1, :, 1] == 1).all()
    assert (found >= 0).all()
    assert (found <= 1).all()


@pytest.mark.parametrize("value", [0, 11, 255])
def test_an_image_without_an_edge_keeps_the_uniform_lattice(value):
    labels = np.full((32, 48), value, np.uint8)
    np.testing.assert_array_equal(target_locations(labels), uniform_lattice((8, 8)))


def test_an_edge_between_other_classes_keeps_the_uniform_lattice():
    labels = np.zeros((32, 32), np.uint8)
    labels[:, 16:] = 3
    chosen = target_locations(labels, classes=range(11, 19))
    np.testing.assert_array_equal(chosen, uniform_lattice((8, 8)))


def test_of_equally_near_boundary_points_the_first_in_row_major_order_counts():
    labels = np.zeros((15, 15), np.uint8)
    # Around the middle node (7, 7): four points at a distance of three pixels.
    for row, column in ((4, 7), (10, 7), (7, 4), (7, 10)):
        labels[row, column] = 11
    middle = target_locations(labels, (3, 3), alpha=1, classes=[11])[1, 1]
    np.testing.assert_allclose(middle, (7 / 14, 4 / 14))


def test_boundaries_are_four_neighbour_differences_without_pixels_of_no_class():
    labels = np.array([[0, 0, 0, 0], [0, 5, 0, 0], [0, 0, 0, 255]], np.uint8)
    expected = [[0, 1, 0, 0], [1, 1, 1, 1], [0, 1, 1, 0]]
    np.testing.assert_array_equal(boundary_pixels(labels), np.array(expected, bool))
    np.testing.assert_array_equal(np.argwhere(boundary_pixels(labels, [5])), [(1, 1)])


def test_labels_that_are_all_boundaries_take_little_memory_and_are_their_own_targets():
    labels = np.indices((257, 257)).sum(0).astype(np.uint8) % 2
    np.testing.assert_allclose(
        target_locations(labels, (9, 9), alpha=1), uniform_lattice((9, 9)), atol=1e-12
    )


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"labels": np.zeros((8, 8), int)}, TypeError, "uint8"),
        ({"labels": np.zeros((8, 8, 3), np.uint8)}, ValueError, r"\(H, W\)"),
        ({"alpha": 1.5}, ValueError, "alpha"),
        ({"weights": "wrong"}, ValueError, "weights"),
        ({"nodes": "wrong"}, ValueError, "nodes"),
        ({"lattice": (1, 8)}, ValueError, "lattice"),
    ],
)
def test_bad_arguments_are_named(change, error, message):
    with pytest.raises(error, match=message):
        target_locations(**{"labels": np.zeros((8, 8), np.uint8), **change})
