"""Adaptive saliency in the mmdet adapter: whose boxes it is made of, in training and after."""

import copy
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from mmengine.structures import InstanceData

import lzu
from lzu.experiments.identity import training_identity
from lzu.models.adaptive import no_detections, salient_boxes
from lzu.models.jitter import JitterSeed, jitter_boxes
from lzu.tasks.detection2d.adaptive import Cascade
from lzu.tasks.detection2d.build import model_config
from lzu.tasks.detection2d.model import ResampledSingleStageDetector
from tests.prepared import changed


def instances(boxes, scores=None):
    boxes = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
    scores = torch.ones(len(boxes)) if scores is None else torch.tensor(scores)
    return InstanceData(bboxes=boxes, scores=scores)


@pytest.fixture
def model(build):
    model = build("lzu_adaptive")
    with torch.no_grad():
        # An untrained head finds everything alike: let its scores differ.
        model.bbox_head.retina_cls.weight.mul_(100)
    model.score_threshold, model.max_detections = 0.1, 20
    return model


@pytest.fixture
def given(model, batch):
    data = model.data_preprocessor(batch())
    for seed, sample in enumerate(data["data_samples"]):
        sample.set_metainfo({"jitter_seed": seed})
        sample.previous_instances = no_detections()
    return data["inputs"], data["data_samples"]


def seen_boxes(model, monkeypatch):
    """Record the boxes that each call of the resampler is given."""
    seen = []
    forward = model.resampler.forward

    def recorded(images, *inputs):
        seen.append([boxes.clone() for boxes in inputs[0]])
        return forward(images, *inputs)

    monkeypatch.setattr(model.resampler, "forward", recorded)
    return seen


def test_the_boxes_that_count():
    found = instances(
        [[0, 0, 9, 9], [1, 0, 9, 9], [2, 0, 9, 9], [3, 0, 3, 9], [4, 0, 9, 9]],
        [0.3, 0.2, 0.9, 0.95, 0.5],
    )
    assert salient_boxes(found, 0.3, 100)[:, 0].tolist() == [0, 2, 4]
    assert salient_boxes(found, 0.3, 2)[:, 0].tolist() == [2, 4]
    assert salient_boxes(no_detections(), 0.3, 2).shape == (0, 4)


def test_without_detections_it_is_the_uniform_detector(build, model, given):
    images, samples = given
    uniform = build("uniform")
    with torch.no_grad():
        expected = uniform.extract_feat(images)
        found = model.extract_feat(images, *model.resampler_inputs(samples))
    for a, b in zip(expected, found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-3)


def test_every_item_of_a_batch_has_a_warp_of_its_own(model, given):
    images, samples = given
    samples[0].previous_instances = instances([[20, 30, 60, 80], [30, 40, 50, 60]])
    samples[1].previous_instances = instances([[200, 100, 230, 120]])
    with torch.no_grad():
        together = model.extract_feat(images, *model.resampler_inputs(samples))
        for item in range(2):
            one = slice(item, item + 1)
            alone = model.extract_feat(images[one], *model.resampler_inputs(samples[one]))
            for a, b in zip(together, alone, strict=True):
                torch.testing.assert_close(a[one], b, rtol=1e-4, atol=1e-4)


def test_saliency_is_the_density_of_the_boxes_in_native_pixels(model, context):
    boxes = torch.tensor([[20.0, 30.0, 60.0, 80.0], [200.0, 100.0, 230.0, 120.0]])
    adaptive = context.settings.adaptive
    expected = lzu.Warp.from_saliency(
        lzu.saliency.from_boxes(boxes, context.settings.dataset.native_size),
        fwhm=adaptive.fwhm,
    )
    found = model.resampler.lens.warp([boxes])
    torch.testing.assert_close(found.x, expected.x)
    torch.testing.assert_close(found.y, expected.y)
    assert adaptive.fwhm == 10


def test_a_sample_without_its_previous_detections_is_an_error(model, given):
    images, samples = given
    del samples[1].previous_instances
    with pytest.raises(AttributeError, match="previous_instances"):
        model.predict(images, samples)


def test_training_sees_jittered_ground_truth(model, given, monkeypatch):
    images, samples = given
    seen = seen_boxes(model, monkeypatch)
    model.jitter = (7.5, 3.0)
    model.train().loss(images, samples)
    assert len(seen) == 1
    truth = [model.frames.to_native(sample.gt_instances.bboxes) for sample in samples]
    for seed, (boxes, found) in enumerate(zip(truth, seen[0], strict=True)):
        expected = jitter_boxes(boxes, seed, (7.5, 3.0), model.frames.native)
        torch.testing.assert_close(found, expected)
        assert (found - boxes).abs().max() > 0.5


def test_the_cascade_sees_jittered_detections_of_the_same_image(model, given, monkeypatch):
    images, samples = given
    model.jitter = (0.0, 0.0)
    for sample in samples:
        truth = model.frames.to_native(sample.gt_instances.bboxes)
        sample.previous_instances = instances(truth.tolist())
    model.eval()
    with torch.no_grad():
        detected = [s.pred_instances for s in model.predict(images, samples)]
    expected = [salient_boxes(d, model.score_threshold, model.max_detections) for d in detected]
    for sample in samples:
        del sample.pred_instances
    seen = seen_boxes(model, monkeypatch)
    model.train()
    model.cascade = True
    model.loss(images, samples)
    first, second = seen
    for sample, boxes in zip(samples, first, strict=True):
        torch.testing.assert_close(boxes, model.frames.to_native(sample.gt_instances.bboxes))
    for boxes, found in zip(expected, second, strict=True):
        assert len(found) == 20
        # the order among equal scores is not the point
        torch.testing.assert_close(found.sort(0).values, boxes.sort(0).values, rtol=0, atol=1e-2)
    assert not any("pred_instances" in sample for sample in samples)


def test_detections_are_jittered_too(model, given, monkeypatch):
    images, samples = given
    found = instances([[20, 30, 60, 80], [200, 100, 230, 120]], [0.9, 0.8])

    def detect(images, samples):
        for sample in samples:
            sample.pred_instances = found.clone()
        return samples

    monkeypatch.setattr(model, "predict", detect)
    seen = seen_boxes(model, monkeypatch)
    model.jitter, model.cascade = (7.5, 3.0), True
    model.train().loss(images, samples)
    for seed, boxes in enumerate(seen[0]):
        expected = jitter_boxes(found.bboxes, seed, (7.5, 3.0), model.frames.native)
        torch.testing.assert_close(boxes, expected)


def test_the_cascade_s_own_pass_leaves_no_trace_in_the_model(model, given):
    """Batch statistics move once an iteration, and the mode is training again."""
    images, samples = given
    model.train()
    counts = []
    for cascade in (False, True):
        model.cascade = cascade
        losses = model.loss(images, samples)
        counts.append(model.backbone.bn1.num_batches_tracked.item())
        assert model.training
        assert model.backbone.bn1.training
        sum(sum(value) for value in losses.values()).backward()
        assert model.backbone.conv1.weight.grad is not None
    assert counts == [1, 2]


@pytest.fixture
def preceded(model, given, monkeypatch):
    """Simulate what precedes samples of many seeds, in training; the losses are left out.

    Returns seed -> (boxes, scores) that the sample's saliency is made of.
    """
    monkeypatch.setattr(ResampledSingleStageDetector, "loss", lambda *_: {})
    _, [sample, _] = given

    def simulate(seeds, share, cascade=False):
        model.uniform_share, model.cascade = share, cascade
        samples = [copy.deepcopy(sample) for _ in seeds]
        for seed, one in zip(seeds, samples, strict=True):
            del one.previous_instances
            one.set_metainfo({"jitter_seed": seed})
        model.train().loss(None, samples)
        own = [one.previous_instances for one in samples]
        return {seed: (one.bboxes, one.scores) for seed, one in zip(seeds, own, strict=True)}

    return simulate


@pytest.fixture
def truth(model, given):
    """The boxes, in native pixels, of the samples that are `preceded`."""
    return model.frames.to_native(given[1][0].gt_instances.bboxes)


def equal(found, boxes, scores):
    return torch.equal(found[0], boxes) and torch.equal(found[1], scores)


def test_at_share_0_no_image_is_seen_uniformly(model, preceded, truth):
    assert model.uniform_share == 0
    model.jitter = (7.5, 3.0)
    for seed, found in preceded(range(200), 0.0).items():
        expected = jitter_boxes(truth, seed, model.jitter, model.frames.native)
        assert equal(found, expected, torch.ones(2))


def uniform_seeds(found):
    """The seeds of the images that nothing precedes."""
    return {seed for seed, (boxes, scores) in found.items() if len(boxes) == len(scores) == 0}


@pytest.mark.parametrize("share", [0.1, 0.4])
def test_a_share_of_the_images_is_seen_uniformly_and_the_others_as_without(preceded, share):
    seeds = range(2000)
    found, without = preceded(seeds, share), preceded(seeds, 0.0)
    uniform = uniform_seeds(found)
    # within four standard deviations
    deviation = (share * (1 - share) / len(seeds)) ** 0.5
    assert len(uniform) / len(seeds) == pytest.approx(share, abs=4 * deviation)
    for seed in set(seeds) - uniform:
        assert equal(found[seed], *without[seed])
    assert all(boxes.shape == (0, 4) for boxes, _ in (found[seed] for seed in uniform))


def test_which_images_are_seen_uniformly_follows_from_the_jitter_s_seed_alone(preceded):
    """Not from their order, nor from what was drawn before: a resumed training does the same."""
    whole = preceded(range(200), 0.3)
    np.random.seed(1)
    torch.manual_seed(1)
    resumed = preceded(range(199, 99, -1), 0.3)
    for seed, found in resumed.items():
        assert equal(found, *whole[seed])
    assert 0 < len(uniform_seeds(resumed)) < 100
    # nor is it drawn of a generator that others draw of
    state = np.random.get_state()[1].copy(), torch.get_rng_state()
    preceded(range(10), 0.3)
    assert np.array_equal(np.random.get_state()[1], state[0])
    assert torch.equal(torch.get_rng_state(), state[1])


def test_the_cascade_sees_the_same_images_uniformly_in_both_passes(model, preceded, monkeypatch):
    model.jitter = (7.5, 3.0)
    found = instances([[20, 30, 60, 80], [200, 100, 230, 120], [5, 5, 25, 40]], [0.9, 0.8, 0.4])
    first = {}

    def detect(images, samples):
        for sample in samples:
            own = sample.previous_instances
            first[sample.jitter_seed] = own.bboxes, own.scores
            sample.pred_instances = found.clone()
        return samples

    monkeypatch.setattr(model, "predict", detect)
    seeds = range(300)
    second = preceded(seeds, 0.3, cascade=True)
    before = preceded(seeds, 0.3)
    for seed in seeds:
        assert equal(first[seed], *before[seed])
    uniform = uniform_seeds(second)
    assert uniform == uniform_seeds(first)
    assert 0 < len(uniform) < len(seeds)
    for seed in set(seeds) - uniform:
        expected = jitter_boxes(found.bboxes, seed, model.jitter, model.frames.native)
        assert equal(second[seed], expected, found.scores)


def test_an_image_that_nothing_precedes_is_trained_on_as_by_the_uniform_detector(
    build, model, given
):
    images, samples = given
    # the other's weights, whose classifier the fixture multiplied
    uniform = build("uniform").train()
    model.load_state_dict(uniform.state_dict())
    jittered = model.train().loss(images, samples)
    model.uniform_share = 1 - 1e-9
    losses, expected = model.loss(images, samples), uniform.loss(images, samples)
    for name, levels in expected.items():
        torch.testing.assert_close(sum(losses[name]), sum(levels), rtol=1e-3, atol=1e-3)
    boxes, other = (sum(one["loss_bbox"]).item() for one in (jittered, expected))
    assert boxes != pytest.approx(other, rel=2e-3)


def test_a_variant_has_the_share_of_its_options(context):
    methods = context.settings.methods
    own = methods["lzu_adaptive"].model_copy(update={"variants": ({"uniform_share": 0.1},)})
    given = changed(context, methods={**methods, "lzu_adaptive": own})
    runs = [run for run in given.main_runs if (run.method, run.seed) == ("lzu_adaptive", 0)]
    plain, variant = runs
    assert (plain.options, variant.options) == ((), (("uniform_share", "0.1"),))
    assert variant.variant == "1-0.5/uniform_share=0.1"
    blocks = [model_config(given, run) for run in runs]
    assert [block.pop("uniform_share") for block in blocks] == [0, 0.1]
    assert blocks[0] == blocks[1]
    assert MODELS.build(model_config(given, variant)).uniform_share == 0.1
    identities = [training_identity(given, run) for run in runs]
    assert identities[0]["run"] != identities[1]["run"]
    assert identities[1]["adaptive"].pop("uniform_share") == 0.1
    assert identities[0]["adaptive"] == identities[1]["adaptive"]


def test_flipped_images_get_flipped_saliency(model):
    """Boxes and image flip together, before the boxes become saliency."""
    from mmdet.datasets.transforms import RandomFlip
    from mmdet.structures.bbox import HorizontalBoxes

    from lzu.tasks.detection2d.model import ToNetworkFrame

    image = np.zeros((160, 256, 3), np.uint8)
    image[20:60, 10:30] = 255
    saliency = []
    for flip in (0.0, 1.0):
        results = {
            "img": image,
            "img_shape": (160, 256),
            "gt_bboxes": HorizontalBoxes(torch.tensor([[10.0, 20.0, 30.0, 60.0]])),
        }
        results = ToNetworkFrame((160, 256), (80, 128))(RandomFlip(prob=flip)(results))
        boxes = model.frames.to_native(results["gt_bboxes"].tensor)
        rows, columns = results["img"].any(axis=2).nonzero()
        bright = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        assert boxes[0].tolist() == pytest.approx(bright, abs=1e-3)
        saliency.append(model.resampler.lens.saliency([boxes]))
    torch.testing.assert_close(saliency[1], saliency[0].flip(-1), rtol=1e-4, atol=1e-7)
    assert saliency[0].max() > 5 * saliency[0].min()


@pytest.mark.parametrize("first", [0, 3])
def test_the_hook_looks_at_the_iteration_alone(model, first):
    hook = Cascade(first)
    for iteration in (5, 2, 3, 0):
        hook.before_train_iter(SimpleNamespace(model=model, iter=iteration), 0)
        assert model.cascade == (iteration >= first)


def test_the_jitter_s_seed_is_a_function_of_the_draw():
    from lzu.models.draws import Draws

    class Seeds:
        def __len__(self):
            return 3

        def __getitem__(self, index):
            return JitterSeed()({})["jitter_seed"]

    seeds = [Draws(Seeds(), seed=0)[draw] for draw in range(9)]
    assert len(set(seeds)) == 9
    again = Draws(Seeds(), seed=0)
    assert [again[draw] for draw in reversed(range(9))] == seeds[::-1]


def test_no_state_is_added_to_the_detector(build, model):
    assert set(model.state_dict()) == set(build("uniform").state_dict())
