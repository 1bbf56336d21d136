"""From the detections in the images of one sample to rows of a nuScenes submission.

What mmdet3d's metric does, at once for all boxes of a sample, and without two of its slips: a box
goes to the global frame by the ego pose at its own camera's time (mmdet3d: at the lidar's, which is
off by the way driven in between), and its yaw and velocity are turned back exactly as they were
made, in the plane of the ground (mmdet3d: with the camera's tilt). Nor is there a second threshold
of scores, of 0.01: the detector's own `score_thr` decides.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from mmcv.ops import nms_rotated
from nuscenes.eval.detection.config import config_factory

from lzu.datasets.nuscenes.classes import ATTRIBUTES

OVERLAP = 0.05
"""Of two boxes of one class seen from above: from here on the one of the lower score goes."""
LEAST_SIZE = 1e-4
"""Metres; the devkit takes none of 0."""
MOST_BOXES = 500
"""Of a sample; the devkit takes no more."""
RANGES: dict[str, float] = config_factory("detection_cvpr_2019").class_range
"""Class -> how far from the car, in metres, a box is scored; what lies beyond is not told."""

# The family of a class's attributes, and that which is told where another is found (mmdet3d's).
_FALL_BACK = {
    "car": ("vehicle.", "vehicle.parked"),
    "truck": ("vehicle.", "vehicle.parked"),
    "trailer": ("vehicle.", "vehicle.parked"),
    "bus": ("vehicle.", "vehicle.moving"),
    "construction_vehicle": ("vehicle.", "vehicle.parked"),
    "bicycle": ("cycle.", "cycle.without_rider"),
    "motorcycle": ("cycle.", "cycle.without_rider"),
    "pedestrian": ("pedestrian.", "pedestrian.moving"),
}


@dataclass(frozen=True)
class Found:
    """The detections in one image.

    Attributes:
        camera: name.
        cam2ego, ego2global: (4, 4), the latter of the camera's own time.
        boxes: (n, 9), as `CameraInstance3DBoxes.tensor`: x, y, z of the bottom's centre, l, h, w,
            yaw, and the velocity along x and z, in the camera's frame.
        scores, labels, attributes: (n,); labels are places in the network's classes, attributes
            those in `ATTRIBUTES`, or past them.
    """

    camera: str
    cam2ego: np.ndarray
    ego2global: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray
    attributes: np.ndarray

    @classmethod
    def of_sample(cls, sample: Any) -> "Found":
        """What the adapter predicted for an image."""
        found = sample.pred_instances_3d.cpu()
        return cls(
            sample.camera,
            np.asarray(sample.cam2ego),
            np.asarray(sample.ego2global),
            found.bboxes_3d.tensor.double().numpy(),
            found.scores_3d.double().numpy(),
            found.labels_3d.numpy(),
            found.attr_labels.numpy(),
        )


def rows_of_sample(samples: Sequence[Any], classes: Sequence[str]) -> list[dict[str, Any]]:
    """`submission_rows` of what the adapter predicted for the images of one sample."""
    return submission_rows([Found.of_sample(sample) for sample in samples], classes)


def submission_rows(images: Sequence[Found], classes: Sequence[str]) -> list[dict[str, Any]]:
    """The rows of one sample, best score first, of what was found in its images.

    A row is nuScenes' (translation, size w l h, rotation w x y z, velocity, detection_name,
    detection_score, attribute_name), without the sample's token, and with its `camera`. Of boxes
    of one class that overlap, in one image or in two, the best is told; one with a number that is
    not finite is not.

    >>> submission_rows([], ["car"])
    []
    """
    if not images:
        return []
    parts = [_in_global(one, classes) for one in images]
    boxes, origin = np.concatenate([part for part, _ in parts]), images[0].ego2global[:3, 3]
    kept = [index for _, index in parts]
    scores, labels, attributes = (
        np.concatenate([getattr(one, name)[k] for one, k in zip(images, kept, strict=True)])
        for name in ("scores", "labels", "attributes")
    )
    cameras = np.repeat([one.camera for one in images], [len(k) for k in kept])
    best = _without_doubles(boxes, scores, labels, origin)
    return [
        {
            "translation": [round(v, 4) for v in box[:3]],
            "size": [max(round(v, 4), LEAST_SIZE) for v in box[3:6]],
            "rotation": [round(math.cos(box[6] / 2), 6), 0.0, 0.0, round(math.sin(box[6] / 2), 6)],
            "velocity": [round(v, 4) for v in box[7:9]],
            "detection_name": classes[label],
            "detection_score": round(score, 5),
            "attribute_name": attribute_name(classes[label], attribute),
            "camera": camera,
        }
        for box, score, label, attribute, camera in zip(
            boxes[best].tolist(),
            scores[best].tolist(),
            labels[best].tolist(),
            attributes[best].tolist(),
            cameras[best].tolist(),
            strict=True,
        )
    ]


def attribute_name(class_name: str, label: int) -> str:
    """The attribute of that label, if the class can have it; else the usual one of the class."""
    family, usual = _FALL_BACK.get(class_name, ("", ""))
    found = ATTRIBUTES[label] if 0 <= label < len(ATTRIBUTES) else ""
    return found if family and found.startswith(family) else usual


def _in_global(image: Found, classes: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Boxes (m, 9) in the global frame (x, y, z of the centre, w, l, h, yaw, velocity along x and
    y) of those that are scored, and their places (m,) among the image's."""
    boxes = image.boxes
    centers = boxes[:, :3] - boxes[:, 4:5] * np.array([0, 0.5, 0])
    around = centers @ image.cam2ego[:3, :3].T + image.cam2ego[:3, 3]
    reach = np.array([RANGES[name] for name in classes])[image.labels]
    # what a network that is lost finds may be no box at all
    finite = np.isfinite(boxes).all(1)
    kept = np.flatnonzero(finite & (np.hypot(around[:, 0], around[:, 1]) <= reach))
    rotation = image.ego2global[:3, :3] @ image.cam2ego[:3, :3]
    place = around[kept] @ image.ego2global[:3, :3].T + image.ego2global[:3, 3]
    # The yaw of a box upright in the world is that about the camera's x axis, seen from above.
    yaw = np.arctan2(rotation[1, 0], rotation[0, 0]) - boxes[kept, 6]
    velocity = ground_velocity(rotation, boxes[kept, 7:9])
    size = boxes[kept][:, [5, 3, 4]]
    return np.concatenate([place, size, yaw[:, None], velocity], axis=1), kept


def ground_velocity(rotation: np.ndarray, velocity: np.ndarray) -> np.ndarray:
    """(n, 2): the global velocity along x and y of what moves along the ground with `velocity`
    (n, 2) along a camera's x and z axes. `rotation` turns from the camera's frame to the global one
    (3, 3; of a larger matrix it is the upper left part)."""
    found: np.ndarray = np.linalg.solve(rotation[:2, [0, 2]].T, velocity.T).T
    return found


def _without_doubles(
    boxes: np.ndarray, scores: np.ndarray, labels: np.ndarray, origin: np.ndarray
) -> np.ndarray:
    """The places of boxes to tell, best score first: rotated non-maximum suppression from above."""
    # Global coordinates have too many digits for float32.
    seen = np.concatenate([boxes[:, :2] - origin[:2], boxes[:, [4, 3, 6]]], axis=1)
    above, score = torch.from_numpy(seen).float(), torch.from_numpy(scores).float()
    kept = [np.empty(0, dtype=np.int64)]
    for label in np.unique(labels):
        index = np.flatnonzero(labels == label)
        _, left = nms_rotated(above[index], score[index], OVERLAP)
        kept.append(index[left.numpy()])
    joined = np.concatenate(kept)
    return joined[np.argsort(-scores[joined], kind="stable")][:MOST_BOXES]
