"""Online evaluation of adaptive 3-D detection: each camera's frames in their order.

What was detected in a camera's frame is looked for in the next one of the same camera, where it is
expected by then: the boxes are taken through the global frame by the poses of the two moments, so
that the car's own motion is made up for, and each box is moved on by the velocity that it was
detected with. What leaves one camera for another is not followed.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.structures import InstanceData

import lzu
from lzu.datasets.sequences import frame_order
from lzu.models.frames import Frames
from lzu.models.online import detect_in_order
from lzu.tasks.detection3d.rows import Found, ground_velocity


def camera_sequences(dataset: Any) -> list[list[int]]:
    """The indices of a `Mono3DDataset`'s images, a list a scene and camera, in the frames' order.

    A scene's cameras follow each other.

    Raises UserError as `frame_order` does.
    """
    items = (dataset.get_data_info(index) for index in range(len(dataset)))
    records = [
        {
            "id": index,
            "sid": f"{item['scene']} {item['camera']}",
            "fid": item["frame"],
            "file_name": Path(item["img_path"]).name,
        }
        for index, item in enumerate(items)
    ]
    return frame_order(records, dataset.ann_file)


def detect_online(
    model: Any, dataset: Any, sequences: Sequence[Sequence[int]], *, lanes: int, workers: int = 0
) -> Iterator[Any]:
    """Detect in every frame of the sequences (see `lzu.models.online.detect_in_order`); yield the
    samples with their `pred_instances_3d`."""
    following = partial(_following, model.frames)
    return detect_in_order(model, dataset, sequences, following, lanes=lanes, workers=workers)


@torch.inference_mode()
def preceding(model: Any, dataset: Any, number: int) -> InstanceData:
    """What is expected in the image `number` of a `Mono3DDataset` once `model` has detected in all
    of its camera's frames before it."""
    [own] = [frames for frames in camera_sequences(dataset) if number in frames]
    *_, sample = detect_online(model, dataset, [own[: own.index(number) + 1]], lanes=1)
    found: InstanceData = sample.previous_instances
    return found


def _following(frames: Frames, before: Any, sample: Any) -> InstanceData:
    seconds = sample.timestamp - before.timestamp
    return expected(Found.of_sample(before), seconds, sample, frames)


def expected(found: Found, seconds: float, sample: Any, frames: Frames) -> InstanceData:
    """What was `found` in an image, where it is expected `seconds` later in that of `sample`.

    Args:
        sample: with `cam2img` (3, 3), of the network's frame, `cam2ego` and `ego2global` (4, 4).
        frames: of the images.

    Returns:
        `bboxes` (n, 4), left, top, right, bottom in native pixels, cut to the image, of what is
        seen in it, and its `scores` (n,).
    """
    here = found.ego2global @ found.cam2ego
    there = np.asarray(sample.ego2global) @ np.asarray(sample.cam2ego)
    boxes = found.boxes[:, :7].copy()
    # Over the ground, of which a tilted camera's x and z axes do not lie in the plane.
    boxes[:, :3] += seconds * ground_velocity(here, found.boxes[:, 7:9]) @ here[:2, :3]
    # The boxes stay as they were found: it is the camera that sees them from elsewhere.
    native = np.linalg.solve(frames.matrix.numpy(), np.asarray(sample.cam2img))
    camera = native @ np.linalg.solve(there, here)[:3]
    # Of a detector that is hardly trained a box may be no number. It is not seen then.
    rectangles, seen = lzu.saliency.project_boxes_3d(
        torch.from_numpy(boxes), torch.from_numpy(camera), frames.native, check=False
    )
    return InstanceData(
        bboxes=rectangles[seen].float(), scores=torch.from_numpy(found.scores)[seen].float()
    )
