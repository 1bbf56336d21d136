"""FOVEA is the plain RetinaNet if the warp is the identity."""

import numpy as np
import pytest
import torch

import lzu
from lzu.tasks.detection2d.fovea.frame import ZoomedFeatures, ZoomedFrame
from tests.tasks.detection2d.models.fovea.fovea_oracles import (
    BOXES,
    frame,
    peaked,
    samples_with,
    sizes_of,
    total,
)

IDENTITIES = {
    "constant saliency": lambda size: frame(np.ones((31, 51)), size=size),
    "Warp.identity": lambda size: ZoomedFrame(lzu.Warp.identity(), size),
    "one each": lambda size: frame(np.ones((31, 51)), np.ones((31, 51)), size=size),
}


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
