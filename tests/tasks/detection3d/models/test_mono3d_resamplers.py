"""The monocular adapter with the resamplers that only it has: the padded frame, a warp a camera."""

import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate

from lzu.results.prior import Prior, save_prior
from tests.tasks.detection3d.models.conftest import NATIVE, adapted_block, built, peaked

NETWORK = (44, 80)


@pytest.fixture
def data(dataset):
    given = dataset(network=NETWORK)
    return pseudo_collate([given[k] for k in range(4)])


@pytest.fixture
def each(tmp_path):
    """A prior of two cameras."""
    maps = np.stack([peaked(), np.ones((27, 48))])[:, None].astype(np.float32)
    maps /= maps.sum(axis=(2, 3), keepdims=True)
    source = {"maps": ["CAM_FRONT", "CAM_BACK"]}
    save_prior(tmp_path / "each.npz", Prior(maps, {"native_size": list(NATIVE)}, source))
    return {"kind": "cameras", "prior": str(tmp_path / "each.npz"), "fwhm": 10}


@pytest.mark.parametrize("kind", ["FCOSMono3DHead", "PGDHead"])
def test_images_are_zoomed_by_their_cameras_warps_in_every_mode(data, prior, each, kind):
    several = built(adapted_block(kind, each, network=NETWORK))
    one = built(adapted_block(kind, prior(peaked()), network=NETWORK))
    batch = several.data_preprocessor(data)
    images, samples = batch["inputs"]["imgs"], batch["data_samples"]
    assert [sample.camera for sample in samples] == ["CAM_FRONT", "CAM_BACK"] * 2
    with torch.no_grad():
        zoomed, _ = several.zoom(images, *several.resampler_inputs(samples))
        expected, _ = one.zoom(images)
        torch.testing.assert_close(zoomed[::2], expected[::2])
        assert not torch.allclose(zoomed[1::2], expected[1::2])
        for mode in ("loss", "predict", "tensor"):
            several(**batch, mode=mode)


def test_a_warp_a_camera_goes_with_the_padded_frame(data, prior, each):
    several = built(
        adapted_block("FCOSMono3DHead", {**each, "kind": "cameras_padded"}, network=NETWORK)
    )
    one = built(
        adapted_block("FCOSMono3DHead", {**prior(peaked()), "kind": "warp_padded"}, network=NETWORK)
    )
    batch = several.data_preprocessor(data)
    images, samples = batch["inputs"]["imgs"], batch["data_samples"]
    with torch.no_grad():
        found = several.extract_feat(images, *several.resampler_inputs(samples))
        expected = one.extract_feat(images)
        for level, wanted in zip(found, expected, strict=True):
            torch.testing.assert_close(level[::2], wanted[::2])
        assert not torch.allclose(found[0][1::2], expected[0][1::2])
        for mode in ("loss", "predict", "tensor"):
            several(**batch, mode=mode)


def test_padding_of_the_padded_frame_is_what_the_network_takes_for_padding(data, prior):
    """The official release pads what is normalised, with zeros."""
    block = adapted_block(
        "FCOSMono3DHead", {**prior(np.ones((27, 48))), "kind": "warp_padded"}, network=NETWORK
    )
    for pad_value in (0, 3):
        block["data_preprocessor"]["pad_value"] = pad_value
        model = built(block)
        batch = model.data_preprocessor(data)
        seen = []
        model.resampler.lens.zoom = lambda images, seen=seen, zoom=model.resampler.lens.zoom: (
            seen.append(images) or zoom(images)
        )
        model.resampler(batch["inputs"]["imgs"][..., :90, :150].float())
        padded = model.data_preprocessor.normalise(seen[0])
        assert tuple(padded.shape[-2:]) == (96, 160)
        for part in (padded[..., 90:, :], padded[..., 150:]):
            torch.testing.assert_close(part, torch.full_like(part, pad_value), atol=1e-5, rtol=0)


def test_losses_and_detections_in_the_padded_frame_are_finite(data, prior):
    resampler = {**prior(peaked()), "kind": "warp_padded"}
    model = built(adapted_block("FCOSMono3DHead", resampler, network=NETWORK))
    batch = model.data_preprocessor(data)
    with torch.no_grad():
        assert all(torch.isfinite(loss) for loss in model(**batch, mode="loss").values())
        assert len(model(**batch, mode="predict")[0].pred_instances_3d.scores_3d)
