import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import LinearNDInterpolator
from scipy.spatial import ConvexHull
from scipy.spatial.distance import cdist

from lzu.tasks.segmentation.backprojection import linear, linear_labels, nearest
from lzu.tasks.segmentation.es.locations import es_locations
from lzu.tasks.segmentation.es.targets import uniform_lattice

quick = settings(deadline=None, max_examples=30)
seeds = st.integers(0, 10_000)
sizes = st.tuples(st.integers(2, 30), st.integers(2, 30))


def sampled(seed, samples=(7, 9), batch=1, classes=5, spread=1.0):
    """Random logits and locations: a lattice that is moved about, folds and all, clamped."""
    random = torch.Generator().manual_seed(seed)
    logits = torch.randn((batch, classes, *samples), generator=random)
    lattice = torch.tensor(uniform_lattice(samples))
    moves = torch.randn((batch, *samples, 2), generator=random, dtype=torch.float64)
    locations = 0.5 + (lattice + 0.1 * moves - 0.5) * spread
    return logits, locations.clamp(0, 1)


def pixels_of(size):
    return np.stack(np.indices(size)[::-1], -1).reshape(-1, 2)


def places_of(locations, size):
    return locations.double().numpy().reshape(-1, 2) * (size[1] - 1, size[0] - 1)


def last_of_each(places):
    return [
        index
        for index, place in enumerate(places)
        if not (places[index + 1 :] == place).all(1).any()
    ]


@quick
@given(seed=seeds, size=sizes, rounding=st.sampled_from(["nearest", "floor"]))
def test_nearest_takes_a_sampled_pixel_at_the_least_distance(seed, size, rounding):
    _, locations = sampled(seed)
    # Values that say which sample they are from.
    values = torch.arange(63).view(1, 7, 9)
    found = nearest(values, locations, size, rounding)[0].numpy().ravel()
    places = places_of(locations[0], size)
    places = np.rint(places * 1024) / 1024
    places = np.rint(places) if rounding == "nearest" else np.floor(places)
    distances = cdist(pixels_of(size), places)
    np.testing.assert_allclose(distances[np.arange(len(found)), found], distances.min(1))
    assert set(found) <= set(last_of_each(places))


@quick
@given(seed=seeds, size=sizes, spread=st.sampled_from([0.5, 1.5]), classes=st.integers(1, 6))
def test_linear_is_the_argmax_of_scipys_interpolation_and_the_nearest_outside(
    seed, size, spread, classes
):
    logits, locations = sampled(seed, classes=classes, spread=spread)
    found = linear(logits, locations, size)[0].numpy().ravel()
    assert found.max() < classes
    places = np.rint(places_of(locations[0], size) * 1024) / 1024
    kept = last_of_each(places)
    places, rows = places[kept], logits[0].flatten(1).T.double().numpy()[kept]
    pixels = pixels_of(size)
    # What rounding decides: a pixel on the hull is outside of it for one and not for the other.
    hull = ConvexHull(places).equations
    beyond = (pixels @ hull[:, :2].T + hull[:, 2]).max(1)
    inside, outside = beyond < -1e-5, beyond > 1e-5
    scores = LinearNDInterpolator(places, rows)(pixels)
    short_of_best = scores.max(1) - scores[np.arange(len(found)), found]
    assert (short_of_best[inside] < 1e-4).all()
    distances = cdist(pixels, places)
    to_its_class = np.where(rows.argmax(1) == found[:, None], distances, np.inf).min(1)
    np.testing.assert_allclose(to_its_class[outside], distances.min(1)[outside])


def test_linear_follows_the_logits_between_uniform_samples():
    # Two samples a side, of a ramp each: class 1 wins past a third of the way.
    logits = torch.tensor([[[[0.0, 0.0]] * 2, [[-1.0, 2.0]] * 2]])
    locations = torch.tensor(uniform_lattice((2, 2)))[None].float()
    found = linear(logits, locations, (11, 11))
    expected = torch.tensor([0] * 4 + [1] * 7, dtype=torch.uint8)
    torch.testing.assert_close(found[0], expected.expand(11, 11))


def test_a_class_that_wins_at_no_sample_may_win_between_them():
    logits = torch.tensor([[[[3.0, 0.0]] * 2, [[0.0, 3.0]] * 2, [[2.0, 2.0]] * 2]])
    locations = torch.tensor(uniform_lattice((2, 2)))[None]
    assert linear(logits, locations, (9, 9))[0, 4].tolist() == [0] * 3 + [2] * 3 + [1] * 3


@pytest.mark.parametrize("send_back", [nearest, linear_labels])
def test_labels_sampled_at_every_pixel_come_back_as_they_were(send_back):
    labels = torch.randint(0, 19, (2, 12, 16), dtype=torch.uint8)
    labels[0, 3, 4] = 255
    locations = torch.tensor(uniform_lattice((12, 16))).float().expand(2, -1, -1, -1)
    extra = (19,) if send_back is linear_labels else ()
    torch.testing.assert_close(send_back(labels, locations, (12, 16), *extra), labels)


@pytest.mark.parametrize("send_back", [nearest, linear])
def test_the_last_of_several_samples_at_one_place_counts(send_back):
    classes = torch.tensor([[[0, 1], [2, 3], [4, 3], [4, 5]]])
    given_values = classes
    if send_back is linear:
        given_values = torch.nn.functional.one_hot(classes, 6).permute(0, 3, 1, 2).float()
    corners = torch.tensor([[0.0, 0], [1, 0], [0, 1], [1, 1]])
    locations = corners[torch.tensor([[0, 1], [0, 1], [2, 3], [0, 3]])][None]
    found = send_back(given_values, locations, (5, 5))[0]
    assert [found[0, 0], found[0, 4], found[4, 0], found[4, 4]] == [4, 3, 4, 5]


def test_locations_on_a_line_give_the_nearest():
    locations = torch.tensor([[0.1, 0.2], [0.2, 0.4], [0.3, 0.6], [0, 0]]).view(1, 2, 2, 2)
    found = linear(torch.eye(4).view(1, 4, 2, 2), locations, (6, 11))[0].numpy().ravel()
    distances = cdist(pixels_of((6, 11)), places_of(locations[0], (6, 11)))
    assert (distances[np.arange(66), found] <= distances.min(1) + 1e-3).all()


def test_locations_at_one_point_give_the_last_sample():
    locations = torch.full((1, 2, 2, 2), 0.5)
    assert (linear(torch.eye(4).view(1, 4, 2, 2), locations, (6, 11)) == 3).all()


def test_all_pixels_lie_in_triangles_when_locations_of_es_reach_the_border_in_float32():
    lattice = torch.tensor(uniform_lattice((8, 8)))[None].float()
    lattice[:, 1:-1, 1:-1] += 0.08 * torch.randn(
        6, 6, 2, generator=torch.Generator().manual_seed(0)
    )
    size = (1024, 1024)
    locations = es_locations(lattice, (32, 32), size)
    # Logits that are linear in the location: class 1 past the diagonal, wherever the samples are.
    score = locations[..., 0] - locations[..., 1]
    found = linear(torch.stack((-score, score), 1), locations, size)[0]
    rows, columns = np.indices(size)
    expected = columns > rows
    assert (found.numpy() == expected)[abs(columns - rows) > 1].all()


def test_items_of_a_batch_are_independent():
    logits, locations = sampled(3, batch=3)
    together = linear(logits, locations, (20, 30))
    for i in range(3):
        alone = linear(logits[i : i + 1], locations[i : i + 1], (20, 30))
        torch.testing.assert_close(together[i : i + 1], alone)
    classes = logits.argmax(1)
    found = nearest(classes, locations, (20, 30))
    assert found.dtype == classes.dtype
    torch.testing.assert_close(found[1:2], nearest(classes[1:2], locations[1:2], (20, 30)))


@pytest.mark.parametrize(
    ("send_back", "change", "error", "message"),
    [
        (nearest, {"values": torch.zeros(1, 4, 4)}, TypeError, "integers"),
        (nearest, {"rounding": "up"}, ValueError, "rounding"),
        (nearest, {"locations": torch.zeros(1, 4, 5, 2)}, ValueError, "locations"),
        (nearest, {"locations": torch.full((1, 4, 4, 2), 1.01)}, ValueError, "clamp"),
        (linear, {"locations": torch.full((1, 4, 4, 2), torch.nan)}, ValueError, "finite"),
        (linear, {"logits": torch.zeros(1, 300, 4, 4)}, ValueError, "classes"),
        (linear, {"logits": torch.zeros(1, 4, 4, dtype=torch.int)}, ValueError, "logits"),
    ],
)
def test_bad_arguments_are_named(send_back, change, error, message):
    first = {"values": torch.zeros(1, 4, 4, dtype=torch.int)}
    if send_back is linear:
        first = {"logits": torch.zeros(1, 3, 4, 4)}
    arguments = {**first, "locations": torch.zeros(1, 4, 4, 2), "size": (8, 8), **change}
    with pytest.raises(error, match=message):
        send_back(**arguments)


def test_labels_must_be_train_ids():
    with pytest.raises(ValueError, match="trainIds below 19"):
        linear_labels(torch.full((1, 2, 2), 19), torch.zeros(1, 2, 2, 2), (4, 4), 19)
