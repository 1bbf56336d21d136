"""The samples of a split in mmdet3d's words: see `infos`."""

from typing import Any

import numpy as np

from lzu.datasets.nuscenes.classes import ATTRIBUTES, CAMERAS, NO_ATTRIBUTE
from lzu.datasets.nuscenes.geometry import Floats, inverse
from lzu.datasets.nuscenes.records import CHANNELS, Boxes, NuScenes
from lzu.datasets.nuscenes.seen import Seen, mounted, seen, vehicle

_LIDAR = len(CHANNELS) - 1


def sample_infos(
    dataset: NuScenes, start: int, stop: int, velocity: Floats
) -> list[dict[str, Any]]:
    """Samples `start` to `stop` as a prepared file has them.

    `velocity` is that of all boxes: see `velocities`.
    """
    seen_boxes = seen(dataset, start, stop, velocity)
    instances = _of_cameras(dataset.boxes, seen_boxes)
    ends = np.searchsorted(seen_boxes.samples, np.arange(start, stop + 1))
    ego, mount = vehicle(dataset, start, stop), mounted(dataset, start, stop)
    to_global = ego @ mount
    matrices = {
        "cam2ego": mount,
        "ego2global": ego,
        "lidar2cam": inverse(to_global) @ to_global[:, [_LIDAR]],
    }
    lists = {name: matrix.tolist() for name, matrix in matrices.items()}
    infos = []
    for sample in range(start, stop):
        own = {camera: [] for camera in _cameras_of(dataset, sample)}
        for row in range(ends[sample - start], ends[sample - start + 1]):
            own[CAMERAS[seen_boxes.cameras[row]]].append(instances[row])
        poses = {name: values[sample - start] for name, values in lists.items()}
        infos.append(_sample(dataset, sample, velocity, poses, own))
    return infos


def _cameras_of(dataset: NuScenes, sample: int) -> list[str]:
    there = dataset.views.calibrations[sample] >= 0
    return [camera for place, camera in enumerate(CAMERAS) if there[place]]


def _sample(
    dataset: NuScenes,
    sample: int,
    velocity: Floats,
    poses: dict[str, Any],
    cam_instances: dict[str, Any],
) -> dict[str, Any]:
    samples, views, intrinsics = dataset.samples, dataset.views, dataset.calibrations.intrinsics
    images = {}
    for camera in cam_instances:
        at = CAMERAS.index(camera)
        height, width = views.sizes[sample, at].tolist()
        images[camera] = {
            "img_path": views.files[sample, at],
            "height": height,
            "width": width,
            "cam2img": intrinsics[views.calibrations[sample, at]].tolist(),
            **{name: values[at] for name, values in poses.items()},
            "sample_data_token": views.tokens[sample, at],
            "timestamp": int(views.timestamps[sample, at]) / 1e6,
        }
    low, high = dataset.bounds[[sample, sample + 1]]
    return {
        "sample_idx": sample,
        "token": samples.tokens[sample],
        "timestamp": int(samples.timestamps[sample]) / 1e6,
        "scene": dataset.scenes[samples.scenes[sample]],
        "frame": int(samples.frames[sample]),
        "ego2global": poses["ego2global"][_LIDAR],
        "lidar_points": {
            "lidar_path": views.files[sample, _LIDAR],
            "num_pts_feats": 5,
            "lidar2ego": poses["cam2ego"][_LIDAR],
        },
        "images": images,
        "cam_instances": cam_instances,
        "instances": _scored(dataset, low, high, velocity),
        "bicycle_racks": _racks(dataset.boxes, low, high),
    }


def _of_cameras(boxes: Boxes, seen: Seen) -> list[dict[str, Any]]:
    """What is learned: a box as a camera sees it, in mmdet3d's words."""
    columns = zip(
        seen.boxes.tolist(),
        seen.rectangles.tolist(),
        boxes.labels[seen.boxes].tolist(),
        seen.boxes_3d.tolist(),
        seen.velocities.tolist(),
        seen.centres[:, :2].tolist(),
        seen.centres[:, 2].tolist(),
        boxes.attributes[seen.boxes].tolist(),
        boxes.lidar[seen.boxes].tolist(),
        boxes.radar[seen.boxes].tolist(),
        strict=True,
    )
    return [
        {
            "token": boxes.tokens[index],
            "bbox": rectangle,
            "bbox_label": label,
            "bbox_label_3d": label,
            "bbox_3d": box,
            "bbox_3d_isvalid": lidar + radar > 0,
            "velocity": velocity,
            "center_2d": centre,
            "depth": depth,
            "attr_label": attribute,
            "num_lidar_pts": lidar,
            "num_radar_pts": radar,
        }
        for (
            index, rectangle, label, box, velocity, centre, depth, attribute, lidar, radar
        ) in columns
    ]  # fmt: skip


def _scored(dataset: NuScenes, low: int, high: int, velocity: Floats) -> list[dict[str, Any]]:
    """What is scored: all boxes of the ten classes among those from `low` to `high`."""
    boxes = dataset.boxes
    unknown = np.isnan(velocity[low:high, 0])
    columns = zip(
        range(low, high),
        boxes.labels[low:high].tolist(),
        boxes.instances[low:high].tolist(),
        boxes.translations[low:high].tolist(),
        boxes.sizes[low:high].tolist(),
        boxes.rotations[low:high].tolist(),
        velocity[low:high].tolist(),
        unknown.tolist(),
        boxes.attributes[low:high].tolist(),
        boxes.lidar[low:high].tolist(),
        boxes.radar[low:high].tolist(),
        boxes.visibility[low:high].tolist(),
        strict=True,
    )
    return [
        {
            "token": boxes.tokens[index],
            "instance": dataset.instances[instance],
            "bbox_label_3d": label,
            "translation": translation,
            "size": size,
            "rotation": rotation,
            "velocity": None if has_none else own,
            "attribute": "" if attribute == NO_ATTRIBUTE else ATTRIBUTES[attribute],
            "num_lidar_pts": lidar,
            "num_radar_pts": radar,
            "visibility": level or None,
            "bbox_3d_isvalid": lidar + radar > 0,
        }
        for (
            index, label, instance, translation, size, rotation, own, has_none, attribute, lidar,
            radar, level,
        ) in columns
        if label >= 0
    ]  # fmt: skip


def _racks(boxes: Boxes, low: int, high: int) -> list[dict[str, Any]]:
    return [
        {
            "translation": boxes.translations[index].tolist(),
            "size": boxes.sizes[index].tolist(),
            "rotation": boxes.rotations[index].tolist(),
        }
        for index in (low + np.flatnonzero(boxes.racks[low:high])).tolist()
    ]
