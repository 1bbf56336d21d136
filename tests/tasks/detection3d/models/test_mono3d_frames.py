"""Boxes, centres, depths and intrinsics agree in every frame, and detections come back from any."""

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mmengine.dataset import Compose, pseudo_collate

from lzu.models.frames import Frames
from lzu.tasks.detection3d.dataset import Mono3DDataset
from tests.tasks.detection3d import scenes
from tests.tasks.detection3d.models.conftest import NATIVE, adapted_block, built, pipeline

SCALES = (0.25, 0.4, 0.5, 0.75, 0.9, 1.0)


def frame_sizes(draw_from, draw_to):
    """Sizes of the given and the network's frame; the second pair may stretch an axis."""
    given = tuple(max(2, round(side * draw_from)) for side in NATIVE)
    return given, tuple(max(2, round(side * s)) for side, s in zip(NATIVE, draw_to, strict=True))


def projected(boxes, cam2img):
    """Pixels (n, 2) of the centres of boxes, in float64."""
    centers = boxes.gravity_center.double().numpy() @ np.asarray(cam2img).T
    return centers[:, :2] / centers[:, 2:]


def rectangles(boxes, cam2img, size):
    pixels = boxes.corners.double().numpy() @ np.asarray(cam2img).T
    pixels = pixels[..., :2] / pixels[..., 2:]
    both = np.concatenate([pixels.min(1), pixels.max(1)], axis=1)
    return both.clip(0, [size[1], size[0]] * 2)


@pytest.fixture(scope="module")
def labelled(prepared):
    """All images of the prepared file, whose pipeline is to be set."""
    return Mono3DDataset(prepared, prepared.parent, scenes.CAMERAS)


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    scale=st.sampled_from(SCALES),
    to=st.tuples(st.sampled_from(SCALES), st.sampled_from(SCALES)),
    flip=st.sampled_from([0.0, 1.0]),
    index=st.integers(0, 17),
)
def test_projected_boxes_give_the_centres_and_rectangles_of_every_frame(
    labelled, scale, to, flip, index
):
    given_size, network = frame_sizes(scale, to)
    labelled.pipeline = Compose(pipeline(NATIVE, given_size, network, flip))
    item = labelled[index]
    sample, boxes = item["data_samples"], item["data_samples"].gt_instances_3d
    assert tuple(item["inputs"]["img"].shape[1:]) == given_size
    assert sample.img_shape == network
    if len(boxes.bboxes_3d) == 0:
        return
    centers = projected(boxes.bboxes_3d, sample.cam2img)
    np.testing.assert_allclose(boxes.centers_2d, centers, rtol=1e-4, atol=2e-3)
    np.testing.assert_allclose(boxes.depths, boxes.bboxes_3d.gravity_center[:, 2], rtol=1e-5)
    found = sample.gt_instances.bboxes
    expected = rectangles(boxes.bboxes_3d, sample.cam2img, network)
    # what was cut at the edge of the native image lies up to half a network pixel within
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=0.55)
    inside = ((expected[:, :2] > 0.55) & (expected[:, 2:] < np.array(network[::-1]) - 0.55)).all(1)
    np.testing.assert_allclose(found[inside], expected[inside], rtol=1e-4, atol=5e-3)


def test_a_flip_turns_boxes_in_metres_with_the_image(prepared):
    plain, flipped = (
        Mono3DDataset(prepared, prepared.parent, scenes.CAMERAS, pipeline=pipeline(flip=flip))
        for flip in (0.0, 1.0)
    )
    seen = 0
    for k in range(len(plain)):
        one, other = plain[k], flipped[k]
        assert torch.equal(one["inputs"]["img"].flip(2), other["inputs"]["img"])
        one, other = one["data_samples"], other["data_samples"]
        cx = NATIVE[1] - np.asarray(one.cam2img)[0, 2]
        assert np.asarray(other.cam2img)[0, 2] == cx
        a, b = one.gt_instances_3d, other.gt_instances_3d
        seen += len(a.labels_3d)
        mirror = torch.tensor([-1.0, 1, 1])
        torch.testing.assert_close(a.bboxes_3d.gravity_center * mirror, b.bboxes_3d.gravity_center)
        velocity = a.bboxes_3d.tensor[:, 7:] * torch.tensor([-1.0, 1])
        torch.testing.assert_close(velocity, b.bboxes_3d.tensor[:, 7:])
        # the corners of the mirrored box are the mirrored corners, in another order
        mirrored = (a.bboxes_3d.corners * mirror).sort(1)[0]
        torch.testing.assert_close(mirrored, b.bboxes_3d.corners.sort(1)[0], atol=1e-4, rtol=1e-4)
        heading = torch.stack([a.bboxes_3d.yaw.cos(), -a.bboxes_3d.yaw.sin()], 1)
        other_heading = torch.stack([b.bboxes_3d.yaw.cos(), -b.bboxes_3d.yaw.sin()], 1)
        torch.testing.assert_close(
            heading * torch.tensor([-1.0, 1]), other_heading, atol=1e-5, rtol=0
        )
        boxes = one.gt_instances.bboxes
        width = torch.tensor(NATIVE[1])
        expected = torch.stack(
            [width - boxes[:, 2], boxes[:, 1], width - boxes[:, 0], boxes[:, 3]], 1
        )
        torch.testing.assert_close(expected, other.gt_instances.bboxes)
    assert seen > 30


def test_a_second_pass_over_the_dataset_gives_the_same(prepared):
    """mmdet3d scaled cam2img in place, so that it compounded over epochs."""
    steps = pipeline(NATIVE, (48, 80), (24, 40), flip=1.0)
    dataset = Mono3DDataset(prepared, prepared.parent, scenes.CAMERAS, pipeline=steps)
    first, second = ([dataset[k]["data_samples"] for k in range(len(dataset))] for _ in range(2))
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.cam2img, other.cam2img)
        assert torch.equal(one.gt_instances.bboxes, other.gt_instances.bboxes)
        for name in ("centers_2d", "depths", "attr_labels", "labels_3d"):
            assert torch.equal(one.gt_instances_3d[name], other.gt_instances_3d[name])
        assert torch.equal(
            one.gt_instances_3d.bboxes_3d.tensor, other.gt_instances_3d.bboxes_3d.tensor
        )


def ideal_maps(head, sample, sizes):
    """What a head that is right about everything would give of a sample (see `get_targets`)."""
    points = head.get_points(sizes, torch.float32, torch.device("cpu"))
    truth = sample.gt_instances_3d.clone()
    truth.bboxes_3d = truth.bboxes_3d.clone()  # it writes to them
    found = head.get_targets(points, [truth], [sample.gt_instances])
    maps = []
    for (h, w), stride, labels, boxes, centerness, attributes in zip(
        sizes, head.strides, *found, strict=True
    ):
        scores = torch.full((h * w, head.num_classes), -20.0)
        hit = labels < head.num_classes
        scores[hit, labels[hit]] = 20.0
        directions = head.get_direction_target(boxes, head.dir_offset, one_hot=False)
        directions = torch.nn.functional.one_hot(directions, 2).float()
        boxes = boxes.clone()
        boxes[:, :2] *= stride
        attribute = torch.nn.functional.one_hot(attributes, head.num_attrs + 1)[:, :-1].float()
        whole = (scores, boxes, directions, attribute, centerness[:, None] * 20)
        maps.append([one.T.reshape(1, -1, h, w) for one in whole])
    return [list(level) for level in zip(*maps, strict=True)]


@pytest.mark.parametrize("to", [(0.25, 0.25), (0.5, 0.5), (0.75, 0.75), (1, 1), (0.6, 0.37)])
@pytest.mark.parametrize("scale", [1.0, 0.4])
def test_detections_in_the_network_s_frame_are_the_same_boxes_in_metres_at_any_scale(
    prepared, scale, to
):
    given_size, network = frame_sizes(scale, to)
    block = adapted_block("FCOSMono3DHead", None, NATIVE, given_size, network)
    block["bbox_head"]["num_classes"] = 10
    model = built(block)
    steps = pipeline(NATIVE, given_size, network)
    dataset = Mono3DDataset(prepared, prepared.parent, scenes.CAMERAS, pipeline=steps)
    height, width = Frames(NATIVE, given_size, network).padded
    sizes = [(-(-height // stride), -(-width // stride)) for stride in model.strides]
    seen = 0
    for k in range(len(dataset)):
        data = model.data_preprocessor(pseudo_collate([dataset[k]]))
        (sample,) = data["data_samples"]
        if len(sample.gt_instances_3d.labels_3d) == 0:
            continue
        maps = ideal_maps(model.bbox_head, sample, sizes)
        model.bbox_head.forward = lambda features, maps=maps: tuple(maps)
        found = model.predict(data["inputs"], data["data_samples"])[0].pred_instances_3d
        truth = sample.gt_instances_3d
        distance = torch.cdist(
            found.bboxes_3d.gravity_center.double(), truth.bboxes_3d.gravity_center.double()
        )
        which = distance.argmin(1)
        assert distance.amin(1).max() < 2e-3
        torch.testing.assert_close(found.labels_3d, truth.labels_3d[which])
        torch.testing.assert_close(found.attr_labels, truth.attr_labels[which].clamp(max=8))
        own = truth.bboxes_3d.tensor[which]
        torch.testing.assert_close(
            found.bboxes_3d.tensor[:, 3:6], own[:, 3:6], atol=1e-4, rtol=1e-4
        )
        torch.testing.assert_close(found.bboxes_3d.tensor[:, 7:], own[:, 7:], atol=1e-4, rtol=1e-4)
        turned = (found.bboxes_3d.yaw - own[:, 6]) / 2
        assert turned.sin().abs().max() < 1e-3
        seen += len(which.unique())
    assert seen > 10
