"""Adaptive saliency in the mmdet adapter: whose boxes it is made of, in training and after."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData

import lzu
from lzu.tasks.detection2d.adaptive import Cascade, no_detections, salient_boxes
from lzu.tasks.detection2d.jitter import JitterSeed, jitter_boxes


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


def test_saliency_is_the_density_of_the_boxes_in_native_pixels(model, suite):
    boxes = torch.tensor([[20.0, 30.0, 60.0, 80.0], [200.0, 100.0, 230.0, 120.0]])
    adaptive = suite.detection2d.adaptive
    expected = lzu.Warp.from_saliency(
        lzu.saliency.from_boxes(boxes, suite.detection2d.dataset.native_size),
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
