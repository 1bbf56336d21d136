"""The losses under strong warps, and odd ground truth."""

import numpy as np
import pytest
import torch
from mmdet.structures.bbox import HorizontalBoxes

from lzu.tasks.detection2d.fovea.frame import ZoomedFeatures
from lzu.tasks.detection2d.model import ToNetworkFrame
from tests.tasks.detection2d.models.fovea.fovea_oracles import (
    BOXES,
    LARGE,
    anchors_of,
    as_maps,
    bbox_loss,
    deltas_to,
    frame,
    frame_for_each,
    moved,
    peaked,
    perfect,
    samples_with,
    sizes_of,
)


@pytest.mark.parametrize("warps", [1, 2])
def test_perfect_regression_has_no_loss_under_a_strong_warp(build_fovea, warps):
    model = build_fovea(peaked())
    zoomed = frame(*[peaked(), peaked(8, 40)][:warps], size=model.frames.network)
    exact = perfect(model, frame_for_each(zoomed, 2), LARGE)
    wrong = perfect(model, frame_for_each(zoomed, 2), LARGE, naive=True)
    assert bbox_loss(model, zoomed, LARGE, wrong) > 0.1
    assert bbox_loss(model, zoomed, LARGE, exact).abs() < 1e-4


@pytest.mark.parametrize("suite", ["config/smoke.yaml"], indirect=True)
def test_regression_loss_counts_errors_relative_to_the_uniform_size(build_fovea):
    """One box off by a tenth of the width of its unwarped anchors: L1 of 0.1 a positive."""
    model = build_fovea(peaked())
    zoomed = frame(peaked(), size=model.frames.network)
    sizes = sizes_of(model)
    truth = np.array([[50.0, 25.0, 84.0, 59.0]])
    levels = []
    for own in anchors_of(model.bbox_head, sizes):
        unwarped = moved(own, zoomed)
        width = unwarped[:, 2] - unwarped[:, 0]
        off = np.repeat(truth, len(own), axis=0)
        off[:, 0::2] += 0.1 * width[:, None]
        levels.append([deltas_to(own, moved(off, zoomed, back=True))])
    loss = bbox_loss(model, zoomed, [truth], as_maps(levels, sizes))
    assert float(loss) == pytest.approx(0.1, rel=1e-3)


def test_gradients_reach_all_weights_under_a_strong_warp(build_fovea, batch, scale):
    model = build_fovea(peaked()).train()
    data = model.data_preprocessor(batch(scale))
    losses = model.loss(data["inputs"], data["data_samples"])
    assert all(torch.isfinite(x).all() for levels in losses.values() for x in levels)
    sum(sum(levels) for levels in losses.values()).backward()
    for name, parameter in model.named_parameters():
        assert torch.isfinite(parameter.grad).all(), name
    for name in ("retina_reg", "retina_cls"):
        assert getattr(model.bbox_head, name).weight.grad.abs().max() > 0
    assert model.backbone.conv1.weight.grad.abs().max() > 0


def test_gradient_of_the_regression_loss_is_that_of_finite_differences(build_fovea):
    model = build_fovea(peaked())
    zoomed = frame(peaked(), peaked(8, 40), size=model.frames.network)
    exact = perfect(model, zoomed, LARGE)
    generator = torch.Generator().manual_seed(0)
    offset = [0.1 + 0.1 * torch.rand(p.shape, generator=generator) for p in exact]
    given = [(p + o).requires_grad_() for p, o in zip(exact, offset, strict=True)]
    bbox_loss(model, zoomed, LARGE, given).backward()
    direction = [torch.randn(p.shape, generator=generator) for p in exact]
    slope = sum((p.grad * d).sum() for p, d in zip(given, direction, strict=True))
    step = 2e-3
    with torch.no_grad():
        high, low = (
            bbox_loss(
                model,
                zoomed,
                LARGE,
                [p + sign * step * d for p, d in zip(given, direction, strict=True)],
            )
            for sign in (1, -1)
        )
    assert float((high - low) / (2 * step)) == pytest.approx(float(slope), rel=0.02)


def test_ground_truth_in_the_padding_or_of_no_size_is_left_out(build_fovea):
    model = build_fovea(peaked())
    zoomed = frame(peaked(), size=model.frames.network)
    height, width = model.frames.network
    good = LARGE[0]
    nowhere = [
        [10.0, height, 30.0, height + 12.0],
        [-50.0, 5.0, -20.0, 30.0],
        [width, 10.0, width, 40.0],
        [30.0, 0.0, 60.0, 0.0],
        [5e3, 5e3, 6e3, 6e3],
    ]
    exact = perfect(model, zoomed, [good])
    noisy = [p + 0.1 for p in exact]
    expected = bbox_loss(model, zoomed, [good], noisy)
    torch.testing.assert_close(bbox_loss(model, zoomed, [good + nowhere], noisy), expected)
    # nothing at all to find is no loss on boxes, and no error
    assert bbox_loss(model, zoomed, [nowhere], noisy) == 0


def test_ground_truth_that_reaches_into_the_padding(build_fovea):
    model = build_fovea(peaked())
    zoomed = frame(peaked(), size=model.frames.network)
    height, width = model.frames.network
    boxes = [[[-20.0, -15.0, 30.0, 25.0], [width - 30.0, height - 20.0, width + 25.0, height + 15]]]
    exact = perfect(model, zoomed, boxes)
    assert bbox_loss(model, zoomed, boxes, exact).abs() < 1e-4


def test_wild_predictions_stay_finite(build_fovea):
    """Deltas no training should come to, in losses and detections."""
    model = build_fovea(peaked())
    head, zoomed = model.bbox_head, frame(peaked(), size=model.frames.network)
    generator = torch.Generator().manual_seed(0)
    preds = [
        (300 * torch.randn(1, 4 * head.num_base_priors, *size, generator=generator))
        for size in sizes_of(model)
    ]
    given = [p.clone().requires_grad_() for p in preds]
    loss = bbox_loss(model, zoomed, LARGE[:1], given)
    loss.backward()
    assert torch.isfinite(loss)
    assert all(torch.isfinite(p.grad).all() for p in given)
    scores = [torch.ones(1, p.shape[1] // 4 * head.num_classes, *p.shape[2:]) for p in preds]
    head.forward = lambda features: (scores, preds)
    found = head.predict(ZoomedFeatures([], zoomed), samples_with(model, BOXES[0]))[0]
    assert torch.isfinite(found.bboxes).all()


def test_a_box_of_the_data_pipeline_is_learned_where_it_is(build_fovea, scale):
    """Labels come by the pipeline of all methods: the head needs nothing of its own from it."""

    model = build_fovea(peaked())
    height, width = model.frames.native
    native = torch.tensor([[0.2 * width, 0.3 * height, 0.5 * width, 0.8 * height]])
    results = {"img": np.zeros((height, width, 3), np.uint8), "gt_bboxes": HorizontalBoxes(native)}
    results = ToNetworkFrame((height, width), model.frames.network)(results)
    boxes = results["gt_bboxes"].tensor.numpy()
    zoomed = frame(peaked(), size=model.frames.network)
    assert bbox_loss(model, zoomed, [boxes], perfect(model, zoomed, [boxes])).abs() < 1e-4
    assert results["img_shape"] == model.frames.network
