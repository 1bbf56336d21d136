import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lzu import Warp, saliency
from lzu.saliency import BoundaryDensity, from_boundaries, semantic_boundaries

sizes = st.tuples(st.integers(1, 9), st.integers(1, 9))


def boundaries_by_pixel(labels: np.ndarray, ignore: int | None) -> np.ndarray:
    height, width = labels.shape
    found = np.zeros(labels.shape, dtype=bool)
    for y in range(height):
        for x in range(width):
            for down in (-1, 0, 1):
                for right in (-1, 0, 1):
                    v, u = y + down, x + right
                    if not (0 <= v < height and 0 <= u < width):
                        continue
                    if ignore is not None and ignore in (labels[y, x], labels[v, u]):
                        continue
                    found[y, x] |= labels[y, x] != labels[v, u]
    return found


def pooled_by_cell(values: np.ndarray, lattice: tuple[int, int]) -> np.ndarray:
    pooled = np.zeros(lattice)
    for i in range(lattice[0]):
        for j in range(lattice[1]):
            rows, columns = (
                range(cell * side // cells, math.ceil((cell + 1) * side / cells))
                for cell, side, cells in zip((i, j), values.shape, lattice, strict=True)
            )
            pooled[i, j] = np.mean([values[y, x] for y in rows for x in columns])
    return pooled


@settings(deadline=None, max_examples=60)
@given(data=st.data(), size=sizes, ignore=st.sampled_from([None, 0, 2]), kinds=st.integers(1, 3))
def test_boundaries_differ_from_one_of_eight_neighbours(data, size, ignore, kinds):
    values = data.draw(st.lists(st.integers(0, kinds), min_size=81, max_size=81))
    labels = np.array(values[: size[0] * size[1]]).reshape(size)
    got = semantic_boundaries(torch.from_numpy(labels), ignore=ignore)
    assert got.dtype == torch.bool
    np.testing.assert_array_equal(got.numpy(), boundaries_by_pixel(labels, ignore))


@pytest.mark.parametrize(
    ("size", "lattice"), [((256, 256), (45, 45)), ((20, 33), (7, 5)), ((6, 5), (9, 8))]
)
@pytest.mark.parametrize("ignore", [None, 255])
def test_from_boundaries_pools_intensities(size, lattice, ignore, device):
    coarse = np.array([[0, 0, 255], [0, 3, 255], [0, 0, 0]], dtype=np.uint8)
    rows, columns = (np.arange(side) * 3 // side for side in size)
    labels = np.stack([blocks[rows][:, columns] for blocks in (coarse, coarse.T)])
    got = from_boundaries(
        torch.from_numpy(labels).to(device), lattice, boundary=150, background=2, ignore=ignore
    )
    assert got.shape == (2, 1, *lattice)
    assert got.dtype == torch.float32
    assert got.device.type == device.type
    for item, label in zip(got[:, 0].cpu().numpy(), labels, strict=True):
        found = boundaries_by_pixel(label, ignore)
        assert 0 < found.mean() < 1
        expected = pooled_by_cell(np.where(found, 150.0, 2.0), lattice)
        np.testing.assert_allclose(item, expected / expected.sum(), rtol=1e-5)


def test_the_known_value_of_one_edge_by_hand():
    # Columns 1 and 2 of 4 are boundaries, one in each cell of 2 columns: all cells are alike.
    labels = torch.tensor([[0, 0, 1, 1]]).repeat(4, 1)
    assert torch.equal(from_boundaries(labels, (2, 2)), torch.full((1, 1, 2, 2), 0.25))
    # On 4 columns of cells they stand alone.
    expected = torch.tensor([1.0, 200, 200, 1]) / (402 * 2)
    torch.testing.assert_close(from_boundaries(labels, (2, 4))[0, 0], expected.repeat(2, 1))


def test_one_class_and_nothing_but_ignored_pixels_are_uniform():
    flat = torch.full((64, 64), 3)
    torch.testing.assert_close(from_boundaries(flat, (5, 7)), saliency.uniform((5, 7)))
    flat[20:30] = 255
    assert from_boundaries(flat, (5, 7)).std() > 0
    torch.testing.assert_close(from_boundaries(flat, (5, 7), ignore=255), saliency.uniform((5, 7)))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64])
def test_all_integer_labels_give_the_same(dtype):
    labels = torch.randint(0, 19, (3, 32, 40))
    assert torch.equal(from_boundaries(labels.to(dtype)), from_boundaries(labels))


def test_labels_that_float32_cannot_tell_apart():
    labels = torch.tensor([[2**24, 2**24 + 1]])
    assert semantic_boundaries(labels).all()


def test_batch_items_are_independent():
    labels = torch.randint(0, 3, (3, 30, 31))
    alone = torch.cat([from_boundaries(item, (8, 9)) for item in labels])
    torch.testing.assert_close(from_boundaries(labels, (8, 9)), alone)


def test_a_density_averages_intensities_over_images():
    # Large areas of one class, so that images differ in how much boundary they have.
    labels = torch.randint(0, 3, (5, 4, 4), dtype=torch.uint8)
    labels = labels.repeat_interleave(8, 1).repeat_interleave(8, 2)
    labels[0] = 1
    density = BoundaryDensity((9, 7), ignore=2)
    density.add(labels[:2])
    density.add(labels[2])
    density.add(labels[3:])
    assert density.count == 5
    for boundary in (200.0, 3.0):
        images = [
            pooled_by_cell(np.where(boundaries_by_pixel(label, 2), boundary, 1.0), (9, 7))
            for label in labels.numpy()
        ]
        expected = np.mean(images, axis=0)
        got = density.saliency(boundary)
        assert got.shape == (1, 1, 9, 7)
        assert got.dtype == torch.float32
        np.testing.assert_allclose(got[0, 0].numpy(), expected / expected.sum(), rtol=1e-5)


def test_a_density_without_images_is_uniform():
    torch.testing.assert_close(BoundaryDensity((4, 5)).saliency(), saliency.uniform((4, 5)))


def test_it_magnifies_the_boundary():
    labels = torch.zeros(256, 256, dtype=torch.uint8)
    labels[128:] = 1
    warp = Warp.from_saliency(from_boundaries(labels), fwhm=15)
    along_x, along_y = warp.magnification((41, 41), per_axis=True)[0].unbind(-1)
    torch.testing.assert_close(along_x, torch.ones(41, 41), atol=1e-3, rtol=0)
    assert (along_y[19:22] > 1.5).all()
    assert (along_y[:10] < 1).all()
    assert (along_y[-10:] < 1).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bool])
def test_labels_that_are_no_integers(dtype):
    with pytest.raises(TypeError, match="labels must be integers, got torch"):
        from_boundaries(torch.zeros(4, 4).to(dtype))
    with pytest.raises(TypeError, match=r"labels must be a tensor \(..., H, W\), got list"):
        from_boundaries([[0, 1]])


@pytest.mark.parametrize("shape", [(4,), (1, 1, 4, 4), (0, 4, 4), (4, 0), (1, 0, 4)])
def test_labels_of_a_wrong_shape(shape):
    with pytest.raises(ValueError, match=r"labels must be .*got \("):
        from_boundaries(torch.zeros(shape, dtype=torch.uint8))
    with pytest.raises(ValueError, match=r"labels must be .*got \("):
        BoundaryDensity().add(torch.zeros(shape, dtype=torch.uint8))


def test_a_label_to_ignore_that_cannot_occur():
    with pytest.raises(ValueError, match=r"ignore=255 cannot occur in torch\.int8 labels"):
        from_boundaries(torch.zeros(4, 4, dtype=torch.int8), ignore=255)
    with pytest.raises(ValueError, match="ignore=-1 cannot occur"):
        from_boundaries(torch.zeros(4, 4, dtype=torch.uint8), ignore=-1)


@pytest.mark.parametrize("name", ["boundary", "background"])
@pytest.mark.parametrize("value", [0, -1.0, float("nan"), float("inf")])
def test_an_intensity_that_is_not_positive(name, value):
    with pytest.raises(ValueError, match=f"{name} must be positive"):
        from_boundaries(torch.zeros(4, 4, dtype=torch.uint8), **{name: value})
    with pytest.raises(ValueError, match=f"{name} must be positive"):
        BoundaryDensity().saliency(**{name: value})


def test_a_lattice_that_is_too_small():
    with pytest.raises(ValueError, match="lattice must be at least 2"):
        from_boundaries(torch.zeros(4, 4, dtype=torch.uint8), (1, 4))
    with pytest.raises(ValueError, match="lattice must be at least 2"):
        BoundaryDensity((4, 1))
