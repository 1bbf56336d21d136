"""FOVEA: plain RetinaNet under the identity warp, and its geometry under strong ones."""

import numpy as np
import pytest
import torch

pytest.importorskip("mmdet")

from mmdet.models.dense_heads import AnchorHead, ATSSHead
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

import lzu
from lzu.errors import UserError
from lzu.experiments.config import load_suite
from lzu.experiments.run import Run
from lzu.models.detection2d import ToNetworkFrame
from lzu.models.fovea import as_fovea
from lzu.models.fovea_frame import ZoomedFeatures, ZoomedFrame
from lzu.models.fovea_head import FOVEAHeadMixin, FOVEARetinaHead
from lzu.runs.detection2d.build import enter_mmdet, model_config

# The L1 loss on deltas of the shipped config, and the demo's GIoU loss on boxes.
SUITES = {"config/smoke.yaml": 0.5, "config/demo.yaml": 0.25}


@pytest.fixture(params=SUITES, ids=["L1", "GIoU"])
def suite(request):
    """In place of the smoke suite alone."""
    return load_suite(request.config.rootpath / request.param)


@pytest.fixture
def scale(suite):
    return SUITES[f"config/{suite.suite}.yaml"]


@pytest.fixture
def build_fovea(suite, paths, write_prior, scale):
    """Build the FOVEA detector, with the weights of `build` and the saliency given."""

    def built(saliency):
        write_prior(saliency)
        enter_mmdet()
        torch.manual_seed(0)
        run = Run(suite.suite, "detection2d", "lzu_fixed", 1.0, scale, 0)
        return MODELS.build(as_fovea(model_config(suite, run, paths))).eval()

    return built


def peaked(row=15, column=25):
    rows, columns = np.mgrid[0:31, 0:51]
    return 0.05 + np.exp(-((rows - row) ** 2) / 20 - ((columns - column) ** 2) / 60)


def frame(*saliency, size=(80, 128), fwhm=22.0):
    maps = torch.stack([torch.from_numpy(s) for s in saliency]).float().unsqueeze(1)
    return ZoomedFrame(lzu.Warp.from_saliency(maps, fwhm=fwhm), size)


def moved(boxes, zoomed, image=0, back=False):
    """The oracle: every coordinate of boxes (N, 4), one by one, in float64; `back` by T^-1."""
    boxes = np.asarray(boxes, dtype=np.float64)
    result = np.empty_like(boxes)
    for axis, (nodes, n) in enumerate(
        ((zoomed.warp.x, zoomed.size[1]), (zoomed.warp.y, zoomed.size[0]))
    ):
        values = nodes[image].double().numpy()
        places = np.arange(len(values)) / (len(values) - 1)
        source, target = (values, places) if back else (places, values)
        for column in (axis, axis + 2):
            at = (boxes[:, column] - 0.5) / (n - 1)
            inside = np.clip(at, 0, 1)
            result[:, column] = (np.interp(inside, source, target) + at - inside) * (n - 1) + 0.5
    return result


def anchors_of(head, sizes):
    return [a.double().numpy() for a in head.prior_generator.grid_priors(sizes, device="cpu")]


def sizes_of(model):
    return [tuple(-(-n // s) for n in model.frames.padded) for s in model.strides]


def samples_with(model, *boxes):
    """A batch with ground truth boxes (n, 4), in the uniform network frame, for each image."""
    samples = []
    for own in boxes:
        own = torch.as_tensor(own, dtype=torch.float32).reshape(-1, 4)
        sample = DetDataSample(
            metainfo={
                "img_shape": model.frames.network,
                "pad_shape": model.frames.padded,
                "scale_factor": (1.0, 1.0),
            }
        )
        sample.gt_instances = InstanceData(
            bboxes=own, labels=torch.arange(len(own)) % model.bbox_head.num_classes
        )
        samples.append(sample)
    return samples


def overlaps(anchors, boxes):
    """IoU (anchors, boxes) in float64."""
    low = np.maximum(anchors[:, None, :2], boxes[None, :, :2])
    high = np.minimum(anchors[:, None, 2:], boxes[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(-1)
    area = [np.prod(b[:, 2:] - b[:, :2], axis=-1) for b in (anchors, boxes)]
    return shared / (area[0][:, None] + area[1][None] - shared)


def deltas_to(anchors, boxes):
    size, own = anchors[:, 2:] - anchors[:, :2], boxes[:, 2:] - boxes[:, :2]
    shift = (boxes[:, :2] + boxes[:, 2:] - anchors[:, :2] - anchors[:, 2:]) / 2 / size
    return np.concatenate([shift, np.log(own / size)], axis=1)


def as_maps(values, sizes):
    """Per level and image (N, C) to (B, A * C, H, W), as a head puts them out."""
    maps = []
    for level, (height, width) in zip(values, sizes, strict=True):
        stacked = torch.from_numpy(np.stack(level)).float()
        maps.append(stacked.reshape(len(level), height, width, -1).permute(0, 3, 1, 2))
    return maps


def total(losses):
    return {name: float(sum(levels).detach()) for name, levels in losses.items()}


# ------------------------------------------------------------------------ identity warp


IDENTITIES = {
    "constant saliency": lambda size: frame(np.ones((31, 51)), size=size),
    "Warp.identity": lambda size: ZoomedFrame(lzu.Warp.identity(), size),
    "one each": lambda size: frame(np.ones((31, 51)), np.ones((31, 51)), size=size),
}
# The last two are smaller than any anchor, of which many hold them entirely.
BOXES = (
    [[20.0, 30.0, 50.0, 60.0], [80.0, 40.0, 110.0, 60.0], [62.0, 12.0, 66.0, 15.0]],
    [[3.5, 2.25, 30.0, 70.0], [100.0, 66.0, 104.0, 69.0]],
)


@pytest.fixture
def plain_and_fovea(build, build_fovea, scale):
    """The plain detector, FOVEA with its weights, and features of two images."""
    fovea = build_fovea(np.ones((31, 51)))
    plain = build("uniform", scale)
    generator = torch.Generator().manual_seed(1)
    channels = plain.bbox_head.in_channels
    features = [torch.randn(2, channels, *size, generator=generator) for size in sizes_of(fovea)]
    return plain, fovea, features


@pytest.mark.parametrize("identity", IDENTITIES.values(), ids=IDENTITIES)
def test_identity_warp_has_the_losses_and_gradients_of_plain_retinanet(plain_and_fovea, identity):
    plain, fovea, features = plain_and_fovea
    zoomed = ZoomedFeatures(features, identity(fovea.frames.network))
    losses = {}
    for model, x in ((plain, tuple(features)), (fovea, zoomed)):
        losses[model] = model.bbox_head.loss(x, samples_with(model, *BOXES))
        sum(sum(levels) for levels in losses[model].values()).backward()
    assert total(losses[plain])["loss_bbox"] > 0.1
    for name, levels in losses[plain].items():
        torch.testing.assert_close(losses[fovea][name], levels, rtol=2e-6, atol=1e-7)
    for (name, a), (_, b) in zip(
        plain.bbox_head.named_parameters(), fovea.bbox_head.named_parameters(), strict=True
    ):
        scale = float(a.grad.abs().max())
        torch.testing.assert_close(b.grad, a.grad, rtol=0, atol=1e-5 * scale, msg=name)


@pytest.mark.parametrize("identity", IDENTITIES.values(), ids=IDENTITIES)
def test_identity_warp_has_the_detections_of_plain_retinanet(plain_and_fovea, identity):
    plain, fovea, features = plain_and_fovea
    zoomed = ZoomedFeatures(features, identity(fovea.frames.network))
    with torch.no_grad():
        for model in (plain, fovea):
            model.bbox_head.retina_cls.bias.fill_(0.5)
        expected = plain.bbox_head.predict(tuple(features), samples_with(plain, *BOXES))
        found = fovea.bbox_head.predict(zoomed, samples_with(fovea, *BOXES))
    for a, b in zip(expected, found, strict=True):
        assert len(a) == 100
        assert torch.equal(a.labels, b.labels)
        assert torch.equal(a.scores, b.scores)
        torch.testing.assert_close(a.bboxes, b.bboxes, rtol=0, atol=1e-4)


def test_identity_warp_whole_detector(build, build_fovea, batch, scale):
    """From pixels; to the small differences of grid sampling and resizing."""
    fovea, plain = build_fovea(np.ones((31, 51))), build("uniform", scale)
    data = plain.data_preprocessor(batch(scale))
    losses = [m.loss(data["inputs"], data["data_samples"]) for m in (plain, fovea)]
    for name, levels in losses[0].items():
        torch.testing.assert_close(losses[1][name], levels, rtol=1e-3, atol=1e-3)


def test_parameter_names_are_those_of_the_plain_detector(build, build_fovea, scale):
    fovea, plain = build_fovea(peaked()), build("uniform", scale)
    assert set(fovea.state_dict()) - set(plain.state_dict()) == {"resampler.lens.saliency"}
    assert not fovea.load_state_dict(plain.state_dict(), strict=False).unexpected_keys


# ------------------------------------------------------------------------ geometry


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


# ------------------------------------------------------------------------ losses, strong warp


def perfect(model, zoomed, boxes, *, naive=False):
    """Maps by which every anchor predicts its best box exactly; `naive`: in the wrong frame."""
    sizes = sizes_of(model)
    levels = []
    for own in anchors_of(model.bbox_head, sizes):
        level = []
        for image, truth in enumerate(boxes):
            truth = np.asarray(truth, dtype=np.float64)
            best = overlaps(moved(own, zoomed, image), truth).argmax(axis=1)
            target = truth if naive else moved(truth, zoomed, image, back=True)
            level.append(deltas_to(own, target[best]))
        levels.append(level)
    return as_maps(levels, sizes)


def bbox_loss(model, zoomed, boxes, bbox_preds):
    """The box loss of what the head would have put out."""
    head = model.bbox_head
    scores = [
        torch.zeros(len(boxes), head.num_base_priors * head.num_classes, *p.shape[-2:])
        for p in bbox_preds
    ]
    samples = samples_with(model, *boxes)
    losses = head.loss_by_feat(
        scores,
        bbox_preds,
        [s.gt_instances for s in samples],
        [s.metainfo for s in samples],
        frame=zoomed,
    )
    return sum(losses["loss_bbox"])


# Large enough that all anchors assigned to one overlap it best.
LARGE = ([[12.0, 20.0, 48.0, 60.0], [70.0, 10.0, 104.0, 50.0]], [[30.0, 8.0, 77.0, 70.0]])


@pytest.mark.parametrize("warps", [1, 2])
def test_perfect_regression_has_no_loss_under_a_strong_warp(build_fovea, warps):
    model = build_fovea(peaked())
    zoomed = frame(*[peaked(), peaked(8, 40)][:warps], size=model.frames.network)
    exact = perfect(model, frame_for_each(zoomed, 2), LARGE)
    wrong = perfect(model, frame_for_each(zoomed, 2), LARGE, naive=True)
    assert bbox_loss(model, zoomed, LARGE, wrong) > 0.1
    assert bbox_loss(model, zoomed, LARGE, exact).abs() < 1e-4


def frame_for_each(zoomed, images):
    warp = zoomed.warp[torch.arange(images) % zoomed.warp.batch]
    return ZoomedFrame(warp, zoomed.size)


def test_regression_loss_counts_errors_relative_to_the_uniform_size(build_fovea):
    """One box off by a tenth of the width of its unwarped anchors: L1 of 0.1 a positive."""
    model = build_fovea(peaked())
    if model.bbox_head.reg_decoded_bbox:
        pytest.skip("of the loss on deltas")
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


# ------------------------------------------------------------------------ detections


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
    assert different["loss_bbox"] != pytest.approx(
        losses([1, 0], peaked(), peaked(5, 45)), rel=0.01
    )


def test_detections_differ_from_those_in_the_zoomed_frame(build_fovea):
    """Suppression is by overlap in the uniform frame."""
    model = build_fovea(peaked())
    zoomed = frame(peaked(), size=model.frames.network)
    head = model.bbox_head
    # A pair at the border of the zoomed part that overlaps by half only in the zoomed frame.
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
    unwarped = frame(peaked(), size=model.frames.network).unwarp(candidates.bboxes[None])[0]
    head.forward = lambda features: ([], [])
    head.predict_by_feat = lambda *args, **kwargs: [candidates]
    found = head.predict(ZoomedFeatures([], zoomed), samples_with(model, BOXES[0]))[0]
    torch.testing.assert_close(found.bboxes, unwarped)


# ------------------------------------------------------------------------ odd ground truth


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


def test_a_box_flipped_and_moved_to_the_network_frame_is_found_there(build_fovea, scale):
    """Labels come by the pipeline of all methods: the head needs nothing of its own from it."""
    from mmdet.structures.bbox import HorizontalBoxes

    model = build_fovea(peaked())
    height, width = model.frames.native
    native = torch.tensor([[0.2 * width, 0.3 * height, 0.5 * width, 0.8 * height]])
    results = {"img": np.zeros((height, width, 3), np.uint8), "gt_bboxes": HorizontalBoxes(native)}
    results = ToNetworkFrame((height, width), model.frames.network)(results)
    boxes = results["gt_bboxes"].tensor.numpy()
    zoomed = frame(peaked(), size=model.frames.network)
    assert bbox_loss(model, zoomed, [boxes], perfect(model, zoomed, [boxes])).abs() < 1e-4
    assert results["img_shape"] == model.frames.network


# ------------------------------------------------------------------------ other heads, bad settings


def test_any_plain_anchor_head_can_be_one():
    """Softmax, Smooth L1 and a random sampler: nothing of RetinaNet is taken for granted."""

    class FOVEAAnchorHead(FOVEAHeadMixin, AnchorHead):
        pass

    enter_mmdet()
    settings = {
        "num_classes": 3,
        "in_channels": 4,
        "feat_channels": 4,
        "anchor_generator": {
            "type": "AnchorGenerator",
            "scales": [3],
            "ratios": [0.5, 1.0, 2.0],
            "strides": [8, 16],
        },
        "loss_cls": {"type": "CrossEntropyLoss"},
        "train_cfg": {
            "assigner": {
                "type": "MaxIoUAssigner",
                "pos_iou_thr": 0.5,
                "neg_iou_thr": 0.4,
                "min_pos_iou": 0.3,
            },
            "sampler": {
                "type": "RandomSampler",
                "num": 64,
                "pos_fraction": 0.5,
                "add_gt_as_proposals": False,
            },
            "allowed_border": 4,
            "pos_weight": -1,
        },
    }
    heads = []
    for kind in (AnchorHead, FOVEAAnchorHead):
        torch.manual_seed(0)
        heads.append(kind(**settings))
        assert not heads[-1].use_sigmoid_cls
    features = [torch.randn(2, 4, 12, 16), torch.randn(2, 4, 6, 8)]
    samples = []
    for boxes in BOXES:
        sample = DetDataSample(metainfo={"img_shape": (80, 128), "pad_shape": (96, 128)})
        boxes = torch.tensor(boxes)
        sample.gt_instances = InstanceData(bboxes=boxes, labels=torch.arange(len(boxes)))
        samples.append(sample)
    identity = ZoomedFeatures(features, ZoomedFrame(lzu.Warp.identity(), (80, 128)))
    strong = ZoomedFeatures(features, frame(peaked()))
    losses = []
    for head, x in ((heads[0], features), (heads[1], identity), (heads[1], strong)):
        torch.manual_seed(0)
        losses.append(total(head.loss(x, samples)))
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)
    assert losses[2] != pytest.approx(losses[0], rel=1e-2)
    assert all(np.isfinite(v) for v in losses[2].values())


def test_a_head_with_losses_of_its_own_is_refused():
    with pytest.raises(TypeError, match="FOVEA needs the"):

        class FOVEAATSSHead(FOVEAHeadMixin, ATSSHead):
            pass


def test_features_that_do_not_say_their_frame_are_refused(build_fovea):
    model = build_fovea(peaked())
    features = tuple(torch.zeros(1, model.bbox_head.in_channels, *s) for s in sizes_of(model))
    with pytest.raises(TypeError, match="ZoomedFeatures"):
        model.bbox_head.predict(features, samples_with(model, BOXES[0]))


@pytest.mark.parametrize("method", ["uniform", "lzu_fixed"])
def test_settings_that_do_not_fit_are_named(suite, paths, write_prior, scale, method):
    write_prior(peaked())
    enter_mmdet()
    run = Run(suite.suite, "detection2d", method, 1.0, scale, 0)
    block = model_config(suite, run, paths)
    if method == "uniform":
        with pytest.raises(UserError, match=r"resampler\.kind"):
            MODELS.build(as_fovea(block))
        return
    block["type"] = "LZUFOVEADetector"
    with pytest.raises(UserError, match=r"bbox_head.type: RetinaHead.*FOVEARetinaHead"):
        MODELS.build(block)
    block["bbox_head"]["type"] = "ATSSHead"
    with pytest.raises(UserError, match=r"bbox_head.type ATSSHead.*RetinaHead"):
        as_fovea(block)


def test_as_fovea_twice_is_as_once(suite, paths, write_prior, scale):
    write_prior(peaked())
    run = Run(suite.suite, "detection2d", "lzu_fixed", 1.0, scale, 0)
    block = as_fovea(as_fovea(model_config(suite, run, paths)))
    assert isinstance(MODELS.build(block).bbox_head, FOVEARetinaHead)
