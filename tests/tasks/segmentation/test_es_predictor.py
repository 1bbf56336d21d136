import numpy as np
import pytest
import torch

from lzu.tasks.segmentation.es.fit import fit_predictor, from_arrays, mirrored_locations
from lzu.tasks.segmentation.es.predictor import LocationPredictor
from lzu.tasks.segmentation.es.targets import target_locations, uniform_lattice


def samples(count=24, seed=0):
    """Images of one bright rectangle on black, and the targets of its outline."""
    random = np.random.default_rng(seed)
    images = np.zeros((count, 3, 64, 64), np.uint8)
    targets = []
    for image in images:
        (top, left), (height, width) = random.integers(4, 40, 2), random.integers(8, 20, 2)
        image[:, top : top + height, left : left + width] = 255
        targets.append(target_locations((image[0] > 0).astype(np.uint8)))
    return torch.from_numpy(images), torch.from_numpy(np.stack(targets))


def test_locations_have_the_border_of_the_targets():
    predictor = LocationPredictor().eval()
    torch.nn.init.normal_(predictor.shifts.weight)
    locations = predictor(torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8))
    assert locations.shape == (2, 8, 8, 2)
    assert (locations[:, :, 0, 0] == 0).all()
    assert (locations[:, :, -1, 0] == 1).all()
    assert (locations[:, 0, :, 1] == 0).all()
    assert (locations[:, -1, :, 1] == 1).all()
    assert ((locations >= 0) & (locations <= 1)).all()


def test_training_starts_from_the_uniform_lattice():
    locations = LocationPredictor().eval()(torch.zeros(1, 3, 64, 64))
    uniform = torch.tensor(uniform_lattice((8, 8))).float()
    torch.testing.assert_close(locations[0], uniform, atol=0.05, rtol=0)


def test_the_network_sees_images_of_its_size_alone():
    with pytest.raises(ValueError, match="images must be"):
        LocationPredictor()(torch.zeros(1, 3, 32, 32))


def test_training_lowers_the_error_and_its_weights_load():
    weights, losses = fit_predictor(from_arrays(*samples()), 25, rate=0.05, batch=8)
    assert len(losses) == 25
    assert np.mean(losses[-5:]) < 0.7 * np.mean(losses[:3])
    LocationPredictor().load_state_dict(weights)


def test_training_is_a_function_of_its_arguments():
    images, targets = samples(8)
    torch.manual_seed(3)
    state = torch.random.get_rng_state()
    first, losses = fit_predictor(from_arrays(images, targets), 3, batch=4, seed=1)
    assert (torch.random.get_rng_state() == state).all()
    torch.manual_seed(4)
    with torch.no_grad():
        second, again = fit_predictor(from_arrays(images, targets), 3, batch=4, seed=1)
    assert losses == again
    assert all((first[name] == second[name]).all() for name in first)
    assert fit_predictor(from_arrays(images, targets), 3, batch=4, seed=2)[1] != losses


def test_the_target_of_a_mirrored_image_is_the_mirrored_target():
    labels = np.zeros((64, 64), np.uint8)
    labels[10:30, 5:21] = 1
    target = torch.tensor(target_locations(labels))[None]
    mirrored = torch.tensor(target_locations(np.ascontiguousarray(labels[:, ::-1])))
    torch.testing.assert_close(mirrored_locations(target)[0], mirrored)


def test_samples_are_drawn_in_pairs_and_mirrored_in_pairs():
    images = torch.arange(40, dtype=torch.uint8).view(40, 1, 1, 1).repeat(1, 3, 8, 8)
    images[:, :, :, :4] += 100
    lattice = torch.tensor(uniform_lattice((8, 8)))
    targets = lattice * torch.arange(40).view(40, 1, 1, 1) / 1000
    some, theirs = from_arrays(images, targets)(np.random.default_rng(0), 32)
    mirrored = some[:, 0, 0, 0] < 100
    assert 0 < mirrored.sum() < 32
    number = some[:, 0, 0].min(1).values.double()
    torch.testing.assert_close(theirs[:, 7, 7, 1], number / 1000)
    torch.testing.assert_close(theirs[:, 0, 0, 0], torch.where(mirrored, 1 - number / 1000, 0))
    plain, _ = from_arrays(images, targets, flip=False)(np.random.default_rng(0), 32)
    assert (plain[:, 0, 0, 0] >= 100).all()


def test_bad_samples_are_named():
    with pytest.raises(ValueError, match="as many"):
        from_arrays(torch.zeros(2, 3, 64, 64), torch.zeros(3, 8, 8, 2))
