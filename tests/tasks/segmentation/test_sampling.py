"""Labels and predictions between the crop and what a network sees, by brute force in float64."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage, spatial
from scipy.interpolate import LinearNDInterpolator

import lzu
from lzu.models.resamplers import UniformResampler, WarpResampler
from lzu.tasks.segmentation.sampling import (
    Uniform,
    View,
    blurred_labels,
    labels_of,
    sample_labels,
    sent_back,
    uniform_points,
    whole,
)

quick = settings(deadline=None, max_examples=25)
sides = st.integers(2, 40)


def random_labels(batch, height, width, seed=0):
    """Patches of trainIds, 255 among them, uint8."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 20, (batch, -(-height // 4), -(-width // 4)))
    labels[labels == 19] = 255
    return torch.from_numpy(labels.repeat(4, 1).repeat(4, 2)[:, :height, :width].astype(np.uint8))


def random_points(batch, h, w, seed=0):
    """Points that reach the borders, and slightly beyond."""
    generator = np.random.default_rng(seed)
    return torch.from_numpy(generator.uniform(-0.05, 1.05, (batch, h, w, 2)))


def nearest_pixels(labels, points):
    """Brute force: the label of the pixel with the smallest distance to each point."""
    labels, points = labels.numpy(), points.double().numpy()
    batch, height, width = labels.shape
    found = np.empty((batch, *points.shape[1:3]), labels.dtype)
    rows, columns = np.arange(height), np.arange(width)
    for index in np.ndindex(found.shape):
        x, y = points[index[0] % len(points), index[1], index[2]] * (width - 1, height - 1)
        row, column = np.abs(rows - y).argmin(), np.abs(columns - x).argmin()
        found[index] = labels[index[0], row, column]
    return torch.from_numpy(found)


@quick
@given(sides, sides, st.integers(1, 9), st.integers(1, 9), st.booleans(), st.integers(0, 99))
def test_labels_are_those_of_the_nearest_pixels(height, width, h, w, shared, seed):
    labels = random_labels(2, height, width, seed)
    points = random_points(1 if shared else 2, h, w, seed)
    assert torch.equal(sample_labels(labels, points), nearest_pixels(labels, points))
    assert torch.equal(sample_labels(labels.long(), points), nearest_pixels(labels, points).long())


def test_corners_of_the_points_are_those_of_the_crop():
    labels = torch.arange(12, dtype=torch.uint8).view(1, 3, 4)
    assert sample_labels(labels, uniform_points((2, 2))).flatten().tolist() == [0, 3, 8, 11]
    assert torch.equal(sample_labels(labels, uniform_points((3, 4))), labels)


class At(View):
    """A view of sampled points, as LDS's and ES's are."""

    def __new__(cls, points, **settings):
        pixels = torch.zeros(len(points), 3, *points.shape[1:3])
        return View(pixels, lambda: points, None, **settings)


def zoomed_view(size, batch=2, image=(24, 32)):
    saliency = torch.rand(1, 1, 5, 6, generator=torch.Generator().manual_seed(2)) + 0.2
    return Uniform(WarpResampler(saliency, size, fwhm=2.0))(torch.zeros(batch, 3, *image))


def uniform_view(size, batch=2, image=(24, 32)):
    return Uniform(UniformResampler(size))(torch.zeros(batch, 3, *image))


@pytest.mark.parametrize("view", [zoomed_view, uniform_view])
def test_what_ends_in_uniform_geometry_learns_on_a_uniform_grid(view):
    labels = random_labels(2, 24, 32)
    # sizes of which no point lies half way between two pixels
    expected = nearest_pixels(labels, uniform_points((8, 8)))
    assert torch.equal(labels_of(view((8, 8)), labels), expected)


def test_what_stays_sampled_learns_where_it_was_sampled():
    labels, points = random_labels(2, 24, 32), random_points(2, 7, 9).clamp(0, 1)
    assert torch.equal(labels_of(At(points), labels), nearest_pixels(labels, points))


def test_points_are_where_the_pixels_were_taken_from():
    y, x = torch.meshgrid(torch.arange(24.0), torch.arange(32.0), indexing="ij")
    images = torch.stack((x, y, x))[None]
    saliency = torch.rand(1, 1, 5, 6, generator=torch.Generator().manual_seed(2)) + 0.2
    for resampler in (UniformResampler((7, 9)), WarpResampler(saliency, (7, 9), fwhm=2.0)):
        view = Uniform(resampler)(images)
        points = view.points() * torch.tensor([31.0, 23.0])
        torch.testing.assert_close(points.movedim(-1, 1), view.pixels[:, :2], atol=1e-4, rtol=0)


@pytest.mark.parametrize("view", [zoomed_view, uniform_view])
def test_logits_in_uniform_geometry_are_interpolated(view):
    logits = torch.randn(2, 5, 7, 9, generator=torch.Generator().manual_seed(1))
    rows, columns = np.arange(24) * 6 / 23, np.arange(32) * 8 / 31
    places = np.stack(np.meshgrid(rows, columns, indexing="ij"))
    expected = [
        np.stack([ndimage.map_coordinates(one, places, order=1) for one in item]).argmax(0)
        for item in logits.double().numpy()
    ]
    found = whole(view((7, 9)), logits, (24, 32))
    assert found.dtype == torch.int64
    assert (found.numpy() == np.stack(expected)).all()


def on_pixels(size, image, seed=0):
    """Distinct pixels (1, h, w, 2) of an image, the corners among them, as points."""
    generator = np.random.default_rng(seed)
    h, w = size
    index = generator.choice(np.arange(1, image[0] * image[1] - 1), h * w, replace=False)
    index[[0, w - 1, -w, -1]] = 0, image[1] - 1, (image[0] - 1) * image[1], image[0] * image[1] - 1
    rows, columns = np.divmod(index.reshape(1, h, w), image[1])
    return torch.from_numpy(np.stack((columns / (image[1] - 1), rows / (image[0] - 1)), -1))


def distances(points, image):
    """(H, W, h * w): the squared distance of every pixel from every point, in pixels."""
    places = np.rint(points[0].reshape(-1, 2).numpy() * (image[1] - 1, image[0] - 1))
    rows, columns = np.mgrid[: image[0], : image[1]]
    return (columns[..., None] - places[:, 0]) ** 2 + (rows[..., None] - places[:, 1]) ** 2


def test_lds_s_predictions_are_those_of_the_nearest_sample():
    points, image = on_pixels((6, 7), (24, 32)), (24, 32)
    logits = torch.randn(1, 5, 6, 7, generator=torch.Generator().manual_seed(1))
    found = whole(At(points), logits, image)[0].numpy()
    far = distances(points, image)
    classes = logits.argmax(1).flatten().numpy()
    near = far <= far.min(-1, keepdims=True)
    # of equally near ones it may be any
    assert (near & (classes == found[..., None])).any(-1).all()


def test_es_s_logits_are_interpolated_on_triangles():
    points, image = on_pixels((6, 7), (24, 32)), (24, 32)
    logits = torch.randn(1, 5, 6, 7, generator=torch.Generator().manual_seed(1))
    found = whole(At(points, back_projection="linear"), logits, image)[0].numpy()
    places = points[0].reshape(-1, 2).numpy() * (31, 23)
    rows, columns = np.mgrid[:24, :32]
    values = logits[0].flatten(1).T.double().numpy()
    scores = LinearNDInterpolator(spatial.Delaunay(places), values)(columns, rows)
    ordered = np.sort(scores, -1)
    clear = ordered[..., -1] - ordered[..., -2] > 1e-4
    assert clear.mean() > 0.95
    assert (found == scores.argmax(-1))[clear].all()


def every_pixel(image):
    return uniform_points(image).double()


@pytest.mark.parametrize(
    "view",
    [
        lambda image: uniform_view(image, image=image),
        lambda image: At(every_pixel(image).expand(2, -1, -1, -1)),
        lambda image: At(every_pixel(image).expand(2, -1, -1, -1), back_projection="linear"),
    ],
    ids=["uniform", "nearest", "linear"],
)
def test_a_sampler_that_sees_every_pixel_loses_nothing(view):
    labels = random_labels(2, 24, 32)
    found = sent_back(view((24, 32)), labels)
    assert torch.equal(found, labels)
    assert found.dtype == labels.dtype


def test_a_zoom_that_sees_enough_loses_nothing():
    labels = random_labels(2, 24, 32)
    assert torch.equal(sent_back(zoomed_view((240, 320)), labels), labels)


def test_what_is_lost_is_lost_by_brute_force():
    labels = random_labels(2, 24, 32)
    view = zoomed_view((12, 16))
    warp = view.unzoom.warp
    seen = nearest_pixels(labels, view.points())
    grid = uniform_points((24, 32)).reshape(1, -1, 2)
    back = warp.inverse(grid).view(1, 24, 32, 2)
    expected = nearest_pixels(seen, back)
    found = sent_back(view, labels)
    assert torch.equal(found, expected)
    assert not torch.equal(found, labels)
    coarse = uniform_view((12, 16))
    expected = nearest_pixels(
        nearest_pixels(labels, uniform_points((12, 16))), uniform_points((24, 32))
    )
    assert torch.equal(sent_back(coarse, labels), expected)


def test_blurred_labels_make_classes_that_are_not_there():
    labels = torch.zeros(1, 1, 9, dtype=torch.int64).expand(1, 9, 9).clone()
    labels[:, :, 5:] = 8
    points = uniform_points((5, 20))
    assert set(blurred_labels(labels, points).unique().tolist()) - {0, 8}
    assert set(sample_labels(labels, points).unique().tolist()) == {0, 8}
    assert torch.equal(
        labels_of(At(points, blurs_labels=True), labels), blurred_labels(labels, points)
    )


@quick
@given(st.integers(0, 99))
def test_blurred_labels_are_trainids_or_none(seed):
    """What is ignored is mixed, too, but never with an outcome that a loss cannot take."""
    labels = random_labels(2, 24, 32, seed)
    found = blurred_labels(labels.long(), random_points(2, 15, 15, seed).float().clamp(0, 1))
    assert ((found <= 18) | (found == 255)).all()
    ignored = torch.full((1, 6, 6), 255)
    assert (blurred_labels(ignored, uniform_points((4, 4))) == 255).all()


@quick
@given(st.integers(0, 99), st.booleans())
def test_no_class_appears_and_255_stays(seed, linear):
    labels = random_labels(1, 24, 32, seed)
    points = on_pixels((6, 7), (24, 32), seed)
    view = At(points, back_projection="linear" if linear else "nearest")
    found = sent_back(view, labels)
    assert set(found.unique().tolist()) <= set(labels.unique().tolist())
    ignored = torch.full_like(labels, 255)
    assert (sent_back(view, ignored) == 255).all()
    assert (labels_of(view, ignored) == 255).all()


def test_a_zoom_by_the_identity_is_uniform():
    warp = lzu.Warp.identity((3, 3))
    points = (warp.zoom_grid((7, 9)) + 1) / 2
    torch.testing.assert_close(points, uniform_points((7, 9)))
