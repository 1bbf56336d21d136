"""Adaptive saliency in the mmdet3d adapter: whose boxes it is made of, in training and after."""

import copy
from itertools import pairwise

import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmengine.structures import InstanceData

import lzu.tasks.detection3d.adaptive  # noqa: F401  (it registers the detector)
from lzu.models.adaptive import no_detections, salient_boxes
from lzu.models.draws import Draws
from lzu.models.jitter import JitterSeed, jitter_boxes
from lzu.tasks.detection3d.dataset import Mono3DDataset
from lzu.tasks.detection3d.online import camera_sequences, detect_online, expected, preceding
from lzu.tasks.detection3d.rows import Found
from tests.tasks.detection3d import scenes
from tests.tasks.detection3d.models.conftest import (
    CLASSES,
    META,
    NATIVE,
    adapted_block,
    built,
    pipeline,
)

NETWORK = (48, 80)
CAMERAS = ("CAM_FRONT", "CAM_BACK_LEFT")
BOXES = {"kind": "boxes", "lattice": (27, 48), "fwhm": 10, "amplitude": 1.0, "bandwidth": 20.0}


def block(**own):
    found = adapted_block("FCOSMono3DHead", BOXES, network=NETWORK)
    given = {"score_threshold": 0.01, "max_detections": 5, "jitter": (2.0, 1.0), **own}
    return {**found, "type": "LZUAdaptiveMono3DDetector", **given}


@pytest.fixture
def model():
    return built(block())


@pytest.fixture(scope="module")
def sequences(tmp_path_factory):
    """The prepared file of scenes of 3, 1 and 2 frames, in which a car drives on."""
    folder = tmp_path_factory.mktemp("following")
    samples = []
    for scene, count in enumerate((3, 1, 2)):
        for frame in range(count):
            one = scenes.sample(np.random.default_rng(scene), frame, objects=60, size=NATIVE)
            for image in one["images"].values():
                image["ego2global"][0][3] += 0.5 * frame
                image["img_path"] = f"{scene}/{image['img_path']}"
            samples.append({**one, "scene": f"scene-{scene}", "token": f"{scene}-{frame}"})
    return scenes.write_prepared(folder, samples)


@pytest.fixture
def videos(sequences):
    steps = pipeline(network=NETWORK, labels=False)
    folder = sequences.parent
    return Mono3DDataset(sequences, folder, CAMERAS, CLASSES, pipeline=steps, test_mode=True)


@pytest.fixture
def training(sequences):
    """Samples that are learned from: they have a seed for the jitter."""
    steps = pipeline(network=NETWORK, flip=0.5)
    steps.insert(-1, {"type": "LZUJitterSeed"})
    steps[-1] = {**steps[-1], "meta_keys": (*META, "jitter_seed")}
    return Mono3DDataset(sequences, sequences.parent, CAMERAS, CLASSES, pipeline=steps)


def detect(model, dataset, lanes):
    """Index -> (what precedes the image, the boxes of its saliency, and what is found)."""
    found = {}
    with torch.inference_mode():
        for sample in detect_online(model, dataset, camera_sequences(dataset), lanes=lanes):
            boxes = model.resampler_inputs([sample])[0][0]
            found[sample.sample_idx] = (sample.previous_instances, boxes, sample)
    return found


def test_saliency_is_made_of_what_the_camera_s_frame_before_had(model, videos):
    found = detect(model, videos, lanes=4)
    assert sorted(found) == list(range(len(videos)))
    chosen = 0
    for sequence in camera_sequences(videos):
        assert len(found[sequence[0]][0]) == 0
        for before, frame in pairwise(sequence):
            last, sample = found[before][2], found[frame][2]
            assert (last.camera, last.sample_token[0]) == (sample.camera, sample.sample_token[0])
            assert sample.timestamp - last.timestamp == pytest.approx(0.5)
            own = expected(Found.of_sample(last), 0.5, sample, model.frames)
            torch.testing.assert_close(found[frame][0].bboxes, own.bboxes)
            boxes = found[frame][1]
            torch.testing.assert_close(boxes, salient_boxes(own, 0.01, 5))
            chosen += len(boxes)
    assert chosen > 10


def test_what_precedes_one_image_is_found_by_its_camera_s_frames_alone(model, videos):
    whole = detect(model, videos, lanes=4)
    for sequence in camera_sequences(videos)[:2]:
        for frame in sequence:
            own = preceding(model, videos, frame)
            torch.testing.assert_close(own.bboxes, whole[frame][0].bboxes, rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize("lanes", [2, 5])
def test_cameras_side_by_side_change_nothing(model, videos, lanes):
    alone, together = detect(model, videos, lanes=1), detect(model, videos, lanes=lanes)
    for index, (_, boxes, sample) in alone.items():
        own, other = sample.pred_instances_3d, together[index][2].pred_instances_3d
        torch.testing.assert_close(together[index][1], boxes, rtol=1e-3, atol=1e-2)
        assert len(own) == len(other) > 0
        torch.testing.assert_close(own.scores_3d, other.scores_3d, rtol=1e-3, atol=1e-4)


def test_without_detections_it_is_the_uniform_detector(model, videos):
    uniform = built(adapted_block("FCOSMono3DHead", network=NETWORK))
    data = model.data_preprocessor(pseudo_collate([videos[0], videos[1]]))
    images, samples = data["inputs"]["imgs"], data["data_samples"]
    for sample in samples:
        sample.previous_instances = no_detections()
    with torch.no_grad():
        expected_levels = uniform.extract_feat(images)
        levels = model.extract_feat(images, *model.resampler_inputs(samples))
        traced = model(data["inputs"], mode="tensor")
        own = model.bbox_head.forward(levels)
    for a, b in zip(levels, expected_levels, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(traced[0], own[0], rtol=1e-3, atol=1e-3)
    del samples[1].previous_instances
    with pytest.raises(AttributeError, match="previous_instances"):
        model.predict(data["inputs"], samples)


def salient(model, data):
    """The boxes that each image's saliency is made of in training."""
    seen = []
    forward = model.resampler.forward
    model.resampler.forward = lambda images, boxes: (seen.extend(boxes), forward(images, boxes))[1]
    data = model.data_preprocessor(copy.deepcopy(data), True)
    with torch.no_grad():
        losses = model.train().loss(data["inputs"], data["data_samples"])
    assert all(torch.isfinite(loss) for loss in losses.values())
    return seen, data["data_samples"]


def test_training_sees_the_projected_ground_truth_jittered_in_native_pixels(model, training):
    data = pseudo_collate([training[index] for index in range(12)])
    moved = salient(model, data)[0]
    model = built(block(jitter=(0.0, 0.0)))
    still, samples = salient(model, data)
    count = 0
    for sample, boxes, own in zip(samples, still, moved, strict=True):
        truth = model.frames.to_native(sample.gt_instances.bboxes)
        # 3-D boxes are in the frame of the image, flipped with it: projected they are the same
        corners = sample.gt_instances_3d.bboxes_3d.corners.double().numpy()
        pixels = corners @ np.linalg.solve(model.frames.matrix.numpy(), sample.cam2img).T
        near = (corners[..., 2] < 0.5).any(1)
        pixels = pixels[..., :2] / pixels[..., 2:]
        limit = np.array(NATIVE[::-1])
        low, high = (end.clip(0, limit) for end in (pixels.min(1), pixels.max(1)))
        projected = np.concatenate([low, high], 1)[~near]
        np.testing.assert_allclose(projected, truth[~near], atol=0.05)
        torch.testing.assert_close(boxes[:5], truth[:5], rtol=0, atol=1e-3)
        expected_boxes = jitter_boxes(truth, sample.jitter_seed, (2.0, 1.0), NATIVE)
        torch.testing.assert_close(own, expected_boxes[:5], rtol=0, atol=1e-3)
        count += len(own)
    assert count > 5


def test_a_share_of_the_training_images_is_seen_uniformly(training):
    model = built(block(uniform_share=0.5))
    draws = Draws(training, seed=0)
    seen = salient(model, pseudo_collate([draws[n] for n in range(12)]))[0]
    assert 0 < sum(len(boxes) == 0 for boxes in seen) < 12
    sure = built(block(uniform_share=1 - 1e-9))
    assert not any(map(len, salient(sure, pseudo_collate([training[0], training[1]]))[0]))


def test_a_resumed_training_moves_the_boxes_as_an_undisturbed_one(model, training):
    draws = Draws(training, seed=3)
    whole = salient(model, pseudo_collate([draws[n] for n in range(8)]))[0]
    np.random.seed(5)
    torch.manual_seed(5)
    again = Draws(training, seed=3)
    resumed = salient(built(block()), pseudo_collate([again[n] for n in range(4, 8)]))[0]
    for boxes, own in zip(whole[4:], resumed, strict=True):
        assert torch.equal(boxes, own)
    seeds = [draws[n]["data_samples"].jitter_seed for n in range(8)]
    assert len(set(seeds)) == 8
    assert "jitter_seed" in JitterSeed()({})


def test_no_state_is_added_to_the_detector(model):
    uniform = built(adapted_block("FCOSMono3DHead", network=NETWORK))
    assert set(model.state_dict()) == set(uniform.state_dict())
    assert isinstance(no_detections(), InstanceData)
