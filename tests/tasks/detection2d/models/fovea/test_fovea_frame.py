"""Boxes, anchors and detections under strong warps, from the zoomed frame to native pixels."""

import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData

import lzu
from lzu.tasks.detection2d.fovea.frame import ZoomedFeatures, ZoomedFrame
from tests.tasks.detection2d.models.fovea.fovea_oracles import (
    BOXES,
    anchors_of,
    as_maps,
    deltas_to,
    frame,
    moved,
    overlaps,
    peaked,
    samples_with,
    sizes_of,
    total,
)


def test_unwarped_boxes_are_those_of_the_oracle():
    zoomed = frame(peaked(), peaked(5, 45))
    magnification = zoomed.warp.magnification((80, 128), per_axis=True)
    assert magnification.max() > 2
    assert magnification.min() < 0.6
    rng = np.random.default_rng(0)
    corners = rng.uniform(-60, 220, (500, 2, 2))
    boxes = np.concatenate([corners.min(1), corners.max(1)], axis=1)
    found = zoomed.unwarp(torch.from_numpy(boxes)[None].float()).double().numpy()
    image = torch.arange(500) % 2
    each = zoomed.unwarp_each(torch.from_numpy(boxes).float(), image).double().numpy()
    for index in range(2):
        expected = moved(boxes, zoomed, index)
        assert np.abs(expected - boxes).max() > 10
        np.testing.assert_allclose(found[index], expected, rtol=0, atol=5e-5)
        mine = image.numpy() == index
        np.testing.assert_allclose(each[mine], expected[mine], rtol=0, atol=5e-5)


def test_targets_are_assigned_to_unwarped_anchors(build_fovea, monkeypatch):
    """The head assigns to anchors that the oracle unwarps, padding and all."""
    model = build_fovea(peaked())
    seen = {}
    assign = model.bbox_head.get_targets

    def spy(anchors, *args, **kwargs):
        seen["anchors"] = anchors
        return assign(anchors, *args, **kwargs)

    monkeypatch.setattr(model.bbox_head, "get_targets", spy)
    sizes = sizes_of(model)
    zoomed = frame(peaked(), peaked(5, 45), size=model.frames.network)
    features = [torch.zeros(2, model.bbox_head.in_channels, *size) for size in sizes]
    model.bbox_head.loss(ZoomedFeatures(features, zoomed), samples_with(model, *BOXES))
    for image in range(2):
        for level, own in enumerate(anchors_of(model.bbox_head, sizes)):
            expected = moved(own, zoomed, image)
            found = seen["anchors"][image][level].double().numpy()
            np.testing.assert_allclose(found, expected, rtol=0, atol=1.1e-3)
            assert (found[:, 2:] > found[:, :2]).all()
    outermost = np.concatenate(anchors_of(model.bbox_head, sizes))
    assert outermost.min() < -5
    assert outermost.max() > max(model.frames.padded)


def test_a_nonseparable_warp_is_refused():
    saliency = torch.rand(1, 1, 31, 51) + 1
    warp = lzu.Warp.from_saliency(saliency, separable=False)
    with pytest.raises(ValueError, match="separable"):
        ZoomedFrame(warp, (80, 128))


@pytest.mark.parametrize("warps", [1, 2])
def test_exact_boxes_come_back_in_native_pixels(build_fovea, monkeypatch, suite, warps):
    saliency = [peaked(), peaked(8, 40)][:warps]
    model = build_fovea(saliency[0])
    maps = torch.from_numpy(np.stack(saliency)).float().unsqueeze(1)
    model.resampler.lens = lzu.ZoomUnzoom(maps, size=model.frames.network, fwhm=22)
    zoomed = ZoomedFrame(model.resampler.lens.warp(), model.frames.network)
    height, width = model.frames.native
    # in fractions of the image; one reaches its corner
    shares = np.array([[0.15, 0.2, 0.4, 0.6], [0.5, 0.3, 0.65, 0.55], [0.8, 0.6, 1, 1]])
    native = torch.from_numpy(shares * [width, height, width, height])
    network = model.frames.to_network(native).numpy()
    sizes, head = sizes_of(model), model.bbox_head
    scores, deltas = [], []
    for own in anchors_of(head, sizes):
        score, delta = [], []
        for image in range(2):
            image = image % warps
            best = overlaps(moved(own, zoomed, image), network)
            target = moved(network, zoomed, image, back=True)[best.argmax(axis=1)]
            delta.append(deltas_to(own, target))
            logits = np.full((len(own), head.num_classes), -20.0)
            near = np.nonzero(best.max(axis=1) > 0.2)[0]
            logits[near, best.argmax(axis=1)[near] % head.num_classes] = best.max(axis=1)[near]
            score.append(logits)
        scores.append(score)
        deltas.append(delta)
    outputs = as_maps(scores, sizes), as_maps(deltas, sizes)
    monkeypatch.setattr(head, "forward", lambda features: outputs)
    images = torch.zeros(2, 3, *model.frames.given, dtype=torch.uint8)
    for sample in model.predict(images, samples_with(model, *BOXES)):
        found = sample.pred_instances
        order = found.labels.argsort()
        assert found.labels[order].tolist() == [0, 1, 2]
        torch.testing.assert_close(
            found.bboxes[order], native.float(), rtol=0, atol=1e-2, check_dtype=False
        )


def test_a_warp_for_each_image_is_as_each_image_alone(build_fovea, batch, scale):
    both = [torch.from_numpy(s).float()[None, None] for s in (peaked(), peaked(5, 45))]
    model = build_fovea(peaked())
    with torch.no_grad():
        model.bbox_head.retina_cls.bias.fill_(0.5)
    images = model.data_preprocessor(batch(scale))["inputs"]

    def detect(saliency, images):
        model.resampler.lens = lzu.ZoomUnzoom(saliency, size=model.frames.network)
        samples = samples_with(model, *BOXES[: len(images)])
        with torch.no_grad():
            return [s.pred_instances for s in model.predict(images, samples)]

    together = detect(torch.cat(both), images)
    alone = [detect(both[i], images[i : i + 1])[0] for i in range(2)]
    for a, b in zip(together, alone, strict=True):
        assert len(a)
        torch.testing.assert_close(a.bboxes, b.bboxes, rtol=0, atol=1e-2)
        torch.testing.assert_close(a.scores, b.scores)
    assert not torch.allclose(*(x.bboxes[:20] for x in together), atol=1)


def test_losses_of_a_warp_for_each_image(build_fovea, batch, scale):
    """Two like warps are one warp; images may change places with their warps, not without."""
    model = build_fovea(peaked())
    data = model.data_preprocessor(batch(scale))
    images = data["inputs"]

    def losses(order, *saliency):
        maps = torch.from_numpy(np.stack(saliency)).float().unsqueeze(1)
        model.resampler.lens = lzu.ZoomUnzoom(maps, size=model.frames.network)
        samples = samples_with(model, *[BOXES[i] for i in order])
        with torch.no_grad():
            return total(model.loss(images[order], samples))

    one, two = losses([0, 1], peaked()), losses([0, 1], peaked(), peaked())
    assert one == pytest.approx(two, rel=1e-4)
    different = losses([0, 1], peaked(), peaked(5, 45))
    swapped = losses([1, 0], peaked(5, 45), peaked())
    assert different == pytest.approx(swapped, rel=1e-4)
    crossed = losses([1, 0], peaked(), peaked(5, 45))
    assert different["loss_bbox"] != pytest.approx(crossed["loss_bbox"], rel=0.01)


def test_suppression_is_by_overlap_in_the_uniform_frame(build_fovea):
    model = build_fovea(peaked())
    zoomed = frame(peaked(), size=model.frames.network)
    head = model.bbox_head
    # A pair whose overlap is above the threshold of 0.5 in the zoomed frame alone.
    for left in np.linspace(5, 60, 111):
        pair = np.array([[left, 30.0, left + 30, 60.0], [left + 9.5, 30.0, left + 39.5, 60.0]])
        inside = overlaps(pair[:1], pair[1:])[0, 0]
        outside = overlaps(*(moved(p[None], zoomed) for p in pair))[0, 0]
        if inside > 0.505 and outside < 0.495:
            break
    else:
        raise AssertionError("no such pair")
    candidates = InstanceData(
        bboxes=torch.from_numpy(pair).float(),
        scores=torch.tensor([0.9, 0.8]),
        labels=torch.tensor([0, 0]),
    )
    unwarped = zoomed.unwarp(candidates.bboxes[None])[0]
    head.forward = lambda features: ([], [])
    head.predict_by_feat = lambda *args, **kwargs: [candidates]
    found = head.predict(ZoomedFeatures([], zoomed), samples_with(model, BOXES[0]))[0]
    torch.testing.assert_close(found.bboxes, unwarped)
