"""The mmdet adapter: what it changes in a detector, and what it must not."""

import copy

import numpy as np
import pytest
import torch

import lzu
from lzu.errors import UserError
from lzu.models.frames import Frames
from lzu.tasks.detection2d.model import ToNetworkFrame


def peaked():
    rows, columns = np.mgrid[0:31, 0:51]
    return 0.2 + np.exp(-((rows - 15) ** 2) / 20 - ((columns - 25) ** 2) / 200)


def features(model, batch):
    data = model.data_preprocessor(batch)
    with torch.no_grad():
        return model.extract_feat(data["inputs"]), data


def test_identity_warp_gives_the_features_and_losses_of_uniform(build, batch, write_prior):
    write_prior(np.ones((31, 51)))
    given = batch()
    uniform, data = features(build("uniform"), given)
    warped, _ = features(build("lzu_fixed"), given)
    for a, b in zip(uniform, warped, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-3)
    losses = [
        build(method).loss(data["inputs"], data["data_samples"])
        for method in ("uniform", "lzu_fixed")
    ]
    for name in losses[0]:
        torch.testing.assert_close(sum(losses[0][name]), sum(losses[1][name]), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("scale", [0.5, 1.0])
def test_unzoom_registers_padded_maps_exactly(build, write_prior, scale):
    """Features that hold their own position in the zoomed image must become T^-1 of positions.

    Such features are linear, so bilinear sampling adds no error of its own, and any misregistration
    by padding (the official code has 16 to 20 pixels of it) would show.
    """
    write_prior(peaked())
    model = build("lzu_fixed", scale)
    height, width = model.frames.network
    assert model.frames.padded != (80, 128)
    warp = model.resampler.lens.warp()
    _, unzoom = model.zoom(torch.zeros(1, 3, *model.frames.native))
    for stride in (8, 16, 32):
        rows = torch.arange(model.frames.padded[0] // stride) * stride / (height - 1)
        columns = torch.arange(model.frames.padded[1] // stride) * stride / (width - 1)
        points = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), -1)
        restored = unzoom([points.permute(2, 0, 1)[None]], [stride])[0][0].permute(1, 2, 0)
        inside = (points <= 1).all(-1)
        expected = warp.inverse(points[inside][None])[0]
        assert (expected - points[inside]).abs().max() > 0.02
        # next to the padding a cell may be interpolated with one that lies in it
        interior = (expected <= 1 - stride / (min(height, width) - 1)).all(-1)
        torch.testing.assert_close(
            restored[inside][interior], expected[interior], rtol=0, atol=2e-5
        )
        assert interior.sum() > 0.3 * inside.sum()


def test_predictions_are_in_the_native_frame(build, batch):
    model = build("uniform")
    data = model.data_preprocessor(batch())
    with torch.no_grad():
        model.bbox_head.retina_cls.bias.fill_(2.0)
        native = model.predict(data["inputs"], data["data_samples"])[0].pred_instances.bboxes
        network = model.predict(data["inputs"], data["data_samples"], rescale=False)
        network = network[0].pred_instances.bboxes
    assert len(native)
    torch.testing.assert_close(
        native, model.frames.to_native(network).clamp(min=0).minimum(torch.tensor([256, 160] * 2))
    )
    assert native[:, 2].max() > network[:, 2].max()


def test_parameter_names_are_those_of_the_plain_detector(build, write_prior):
    write_prior(peaked())
    uniform = set(build("uniform").state_dict())
    warped = set(build("lzu_fixed").state_dict())
    assert warped - uniform == {"resampler.lens.saliency"}
    assert not any(name.startswith("resampler") for name in uniform)


def test_saliency_is_not_trained(build, write_prior):
    write_prior(peaked())
    assert not any("resampler" in name for name, _ in build("lzu_fixed").named_parameters())


def test_prior_of_another_image_size_is_refused(build, write_prior):
    write_prior(peaked(), native_size=(1200, 1920))
    with pytest.raises(UserError, match=r"1920x1200.*256x160"):
        build("lzu_fixed")


def test_missing_prior_is_named(build):
    with pytest.raises(UserError, match=r"31x51-a1-b64\.npz: no such prior"):
        build("lzu_fixed")


def test_labels_move_to_the_network_frame_after_a_flip():
    from mmdet.datasets.transforms import RandomFlip
    from mmdet.structures.bbox import HorizontalBoxes

    image = np.zeros((160, 256, 3), np.uint8)
    results = {
        "img": image,
        "img_shape": image.shape[:2],
        "gt_bboxes": HorizontalBoxes(torch.tensor([[10.0, 20.0, 30.0, 60.0]])),
    }
    results = RandomFlip(prob=1.0)(results)
    results = ToNetworkFrame((160, 256), (80, 128))(results)
    frames = Frames((160, 256), (160, 256), (80, 128))
    expected = frames.to_network(torch.tensor([[226.0, 20.0, 246.0, 60.0]]))
    torch.testing.assert_close(results["gt_bboxes"].tensor, expected)
    assert results["img_shape"] == (80, 128)
    assert results["img"].shape == (160, 256, 3)


def test_labels_of_an_image_loaded_at_a_from_scale():
    from mmdet.structures.bbox import HorizontalBoxes

    results = {
        "img": np.zeros((80, 128, 3), np.uint8),
        "gt_bboxes": HorizontalBoxes(torch.tensor([[5.0, 10.0, 15.0, 30.0]])),
    }
    results = ToNetworkFrame((80, 128), (80, 128))(results)
    frames = Frames((160, 256), (80, 128), (80, 128))
    expected = frames.to_network(torch.tensor([[10.0, 20.0, 30.0, 60.0]]))
    torch.testing.assert_close(results["gt_bboxes"].tensor, expected)


def test_an_image_of_another_size_than_given_is_an_error():
    with pytest.raises(ValueError, match="256x160 pixels, expected 128x80"):
        ToNetworkFrame((80, 128), (80, 128))({"img": np.zeros((160, 256, 3), np.uint8)})


def test_zoom_then_network_sees_the_prior_magnified(build, write_prior):
    """What lies at the prior's peak must take more of the network's input than uniformly."""
    write_prior(peaked())
    model = build("lzu_fixed", 1.0)
    image = torch.zeros(1, 3, *model.frames.native)
    image[..., 75:85, 123:133] = 1
    with torch.no_grad():
        zoomed = model.resampler(image)[0]
    assert zoomed.sum() > 1.3 * image.sum()
    assert isinstance(model.resampler.lens, lzu.ZoomUnzoom)


def test_network_input_is_mmdet_s_normalised_image(build, batch):
    """At scale 1 nothing is resampled: the input must be what mmdet's own preprocessor gives."""
    from mmdet.models.data_preprocessors import DetDataPreprocessor

    model = build("uniform", 1.0)
    given = batch(1.0)
    plain = DetDataPreprocessor(
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_size_divisor=32,
    )
    expected = plain(copy.deepcopy(given))["inputs"]
    data = model.data_preprocessor(given)
    torch.testing.assert_close(model.zoom(data["inputs"])[0], expected)
    assert data["data_samples"][0].pad_shape == tuple(expected.shape[-2:])
