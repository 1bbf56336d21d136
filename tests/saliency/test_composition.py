import copy

import numpy as np
import pytest
import torch

from lzu import Warp, ZoomUnzoom, saliency
from lzu.saliency import Composed, compose
from tests.core.oracles import random_saliency

LATTICE = (5, 7)


def boxes_saliency(boxes: torch.Tensor) -> torch.Tensor:
    return saliency.from_boxes(boxes, (48, 80), LATTICE, bandwidth=8)


def test_it_is_the_weighted_mean_of_maps_of_sum_one():
    maps = [random_saliency(seed, LATTICE, batch=2, dtype=torch.float64) for seed in range(3)]
    weights = [0.5, 3, 1]
    got = compose(*zip(maps, weights, strict=True))
    expected = np.zeros((2, *LATTICE))
    for item in range(2):
        for map_, weight in zip(maps, weights, strict=True):
            cells = map_[item, 0].numpy()
            expected[item] += weight / 4.5 * cells / cells.sum()
    assert got.dtype == torch.float64
    np.testing.assert_allclose(got[:, 0].numpy(), expected, rtol=1e-12)
    np.testing.assert_allclose(got.sum(dim=(1, 2, 3)).numpy(), 1, rtol=1e-12)


def test_scales_of_maps_and_of_weights_do_not_matter():
    a, b = random_saliency(0, LATTICE), random_saliency(1, LATTICE)
    torch.testing.assert_close(compose((a, 0.2), (b, 0.6)), compose((a * 1000, 1), (b / 7, 3)))


def test_one_term_is_itself_scaled_to_sum_one():
    a = random_saliency(0, LATTICE)
    torch.testing.assert_close(compose((a, 17.0)), a / a.sum())


def test_a_batch_of_one_serves_all():
    prior, adaptive = random_saliency(0, LATTICE), random_saliency(1, LATTICE, batch=3)
    together = compose((prior, 0.3), (adaptive, 0.7))
    alone = [compose((prior, 0.3), (item[None], 0.7)) for item in adaptive]
    torch.testing.assert_close(together, torch.cat(alone))
    torch.testing.assert_close(compose((adaptive, 0.7), (prior, 0.3)), together)


def test_uniform_is_a_floor():
    spike = torch.zeros(1, 1, *LATTICE)
    spike[0, 0, 2, 3] = 1
    got = compose((spike, 0.9), (saliency.uniform(LATTICE), 0.1))
    assert got.min().item() == pytest.approx(0.1 / 35)
    Warp.from_saliency(got)


@pytest.mark.parametrize(
    ("dtypes", "expected"),
    [
        ((torch.float16, torch.bfloat16), torch.float32),
        ((torch.float32, torch.float64), torch.float64),
    ],
)
def test_dtypes(dtypes, expected, device):
    maps = [random_saliency(0, LATTICE).to(device, dtype) for dtype in dtypes]
    got = compose((maps[0], 1), (maps[1], 1))
    assert got.dtype == expected
    assert got.device.type == device.type
    assert got.sum().item() == pytest.approx(1, abs=1e-6)


def test_gradients():
    maps = [
        random_saliency(0, LATTICE, dtype=torch.float64),
        random_saliency(1, LATTICE, batch=2, dtype=torch.float64),
    ]
    for map_ in maps:
        map_.requires_grad_()
    assert torch.autograd.gradcheck(lambda a, b: compose((a, 0.3), (b, 2.0)), maps)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (float("nan"), "a NaN"),
        (float("inf"), "an infinity"),
        (-1e-9, "a negative value"),
        (0.0, "nothing but zeros"),
    ],
)
def test_bad_values_are_named(value, problem):
    good, bad = random_saliency(0, LATTICE, batch=2), torch.zeros(2, 1, *LATTICE)
    bad[0] = 1
    bad[1, 0, 3, 4] = value
    with pytest.raises(ValueError, match=f"saliency of term 1 has {problem} in batch item 1"):
        compose((good, 1), (bad, 1))
    compose((good, 1), (bad, 1), check=False)


def test_bad_terms_are_named():
    a = random_saliency(0, LATTICE)
    two, three = random_saliency(0, LATTICE, batch=2), random_saliency(0, LATTICE, batch=3)
    with pytest.raises(ValueError, match="at least one term"):
        compose()
    with pytest.raises(TypeError, match=r"term 0 must be a pair \(saliency, weight\)"):
        compose(a, a)
    with pytest.raises(TypeError, match="saliency of term 1 must be floating point"):
        compose((a, 1), (a.long(), 1))
    with pytest.raises(ValueError, match=r"saliency of term 1 must be \(B, 1, h, w\)"):
        compose((a, 1), (a[0], 1))
    with pytest.raises(ValueError, match=r"term 1 has \(7, 5\) cells, but term 0 has \(5, 7\)"):
        compose((a, 1), (a.mT, 1))
    with pytest.raises(ValueError, match="term 2 has 3 batch items, but those before it 2"):
        compose((a, 1), (two, 1), (three, 1))
    with pytest.raises(ValueError, match="term 1 is on meta, but term 0 on cpu"):
        compose((a, 1), (a.to("meta"), 1))


@pytest.mark.parametrize("weight", [0, -1, float("nan"), float("inf")])
def test_a_weight_that_is_not_positive(weight):
    a = random_saliency(0, LATTICE)
    with pytest.raises(ValueError, match="the weight of term 1 must be positive and finite"):
        compose((a, 1), (a, weight))


def test_composed_is_a_source_of_saliency():
    prior = random_saliency(0, LATTICE)
    lens = ZoomUnzoom(Composed(prior, boxes_saliency, weight=0.25), (24, 40), fwhm=5)
    boxes = torch.tensor([[[10.0, 10, 20, 20]], [[50.0, 30, 60, 40]]])
    images = torch.rand(2, 3, 48, 80)
    expected = Warp.from_saliency(compose((prior, 1), (boxes_saliency(boxes), 3)), fwhm=5)
    zoomed, warp = lens.zoom(images, boxes)
    torch.testing.assert_close(warp.x, expected.x)
    torch.testing.assert_close(zoomed, expected.zoom(images, (24, 40)))


def test_composed_keeps_its_prior_in_its_state():
    prior = random_saliency(0, LATTICE)
    module = Composed(prior, boxes_saliency)
    assert torch.equal(module.state_dict()["prior"], prior)
    prior.zero_()
    assert module.prior.min() > 0
    other = Composed(random_saliency(1, LATTICE), boxes_saliency)
    other.load_state_dict(copy.deepcopy(module.state_dict()))
    assert torch.equal(other.prior, module.prior)
    assert not list(module.parameters())


def test_composed_trains_its_source():
    learned = saliency.LearnedSaliency(LATTICE, input_size=(17, 25))
    module = Composed(random_saliency(0, LATTICE), learned)
    assert len(list(module.parameters())) == len(list(learned.parameters()))
    module(torch.rand(2, 3, 48, 80))[..., 0, 0].sum().backward()
    assert learned.head.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_half_precision_model_keeps_a_precise_prior(dtype):
    prior = random_saliency(0, LATTICE)
    module = Composed(prior, boxes_saliency).to(dtype)
    assert torch.equal(module.prior, prior)
    assert module.double().prior.dtype == torch.float64


def test_composed_refuses_bad_arguments():
    prior = random_saliency(0, LATTICE)
    with pytest.raises(TypeError, match="source must be callable, got Tensor"):
        Composed(prior, prior)
    for weight in (0, 1, 1.5, float("nan")):
        with pytest.raises(ValueError, match="weight must be between 0 and 1"):
            Composed(prior, boxes_saliency, weight)
    with pytest.raises(ValueError, match=r"prior must be \(1, 1, h, w\)"):
        Composed(prior.repeat(2, 1, 1, 1), boxes_saliency)
    with pytest.raises(ValueError, match="term 0 has a negative value"):
        Composed(-prior, boxes_saliency, check=False)
    with pytest.raises(ValueError, match=r"term 1 has \(4, 4\) cells, but term 0 has \(5, 7\)"):
        Composed(prior, lambda: saliency.uniform((4, 4)))()


def test_its_representation_says_what_it_is():
    module = Composed(random_saliency(0, LATTICE), boxes_saliency, weight=0.3)
    assert "prior of (5, 7) cells, weight=0.3" in repr(module)
