"""Constructed samples in the form of the prepared file: six cameras around a car, objects about it,
and their labels in each camera by float64 arithmetic of our own."""

import json

import cv2
import numpy as np

from lzu.datasets.nuscenes.classes import CAMERAS, CLASSES

SIZE = (90, 160)
AZIMUTHS = dict(zip(CAMERAS, (0, -55, 55, 180, 110, -110), strict=True))
CORNERS = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) / 2


def turn(axis, angle):
    """(3, 3), about the axis 0, 1 or 2."""
    c, s = np.cos(angle), np.sin(angle)
    i, j = [k for k in range(3) if k != axis]
    rotation = np.eye(3)
    rotation[[i, i, j, j], [i, j, i, j]] = (c, -s, s, c) if axis != 1 else (c, s, -s, c)
    return rotation


def pose(rotation, place):
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = rotation, place
    return matrix


def camera_poses(tilt=0.0, roll=0.0):
    """Camera -> cam2ego: x right, y down, z ahead."""
    level = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])
    return {
        name: pose(
            turn(2, np.radians(angle)) @ level @ turn(0, tilt) @ turn(2, roll),
            [np.cos(np.radians(angle)), np.sin(np.radians(angle)), 1.5],
        )
        for name, angle in AZIMUTHS.items()
    }


def intrinsics(size=SIZE, focal=0.79):
    height, width = size
    return np.array(
        [[focal * width, 0, 0.51 * width], [0, focal * width, 0.48 * height], [0, 0, 1]]
    )


def random_objects(rng, n, reach=25.0):
    """Objects in the frame of the car: (place, w l h, yaw, velocity, label, attribute)."""
    found = []
    for _ in range(n):
        angle, distance = rng.uniform(-np.pi, np.pi), rng.uniform(6, reach)
        label = int(rng.integers(len(CLASSES)))
        found.append(
            {
                "place": [distance * np.cos(angle), distance * np.sin(angle), rng.uniform(0, 1.5)],
                "size": rng.uniform(0.5, 3, 3),
                "yaw": rng.uniform(-np.pi, np.pi),
                "velocity": rng.uniform(-5, 5, 2),
                "label": label,
                "attribute": int(rng.integers(9)),
            }
        )
    return found


def instance_in(camera, matrix, ego2global, thing, size):
    """The row of `cam_instances` of a thing in the global frame; None where it is not seen."""
    sensor = np.linalg.inv(ego2global @ camera)
    centre = sensor[:3, :3] @ thing["place"] + sensor[:3, 3]
    rotation = sensor[:3, :3] @ turn(2, thing["yaw"])
    width, length, height = thing["size"]
    corners = centre + (CORNERS * [length, width, height]) @ rotation.T
    if centre[2] <= 0 or (corners[:, 2] < 0.5).any():
        return None
    pixels = corners @ matrix.T
    pixels = pixels[:, :2] / pixels[:, 2:]
    limit = np.array([size[1], size[0]])
    low, high = pixels.min(0).clip(0, limit), pixels.max(0).clip(0, limit)
    if (high - low).min() <= 1:
        return None
    velocity = sensor[:3, :3] @ [*thing["velocity"], 0]
    middle = matrix @ centre
    # mmdet3d's: minus the devkit's yaw in the camera's frame
    yaw = -np.arctan2(-rotation[0, 1], rotation[0, 0])
    return {
        "token": thing["token"],
        "bbox": [*low, *high],
        "bbox_label": thing["label"],
        "bbox_label_3d": thing["label"],
        "bbox_3d": [*centre, length, height, width, yaw],
        "bbox_3d_isvalid": True,
        "velocity": [velocity[0], velocity[2]],
        "center_2d": list(middle[:2] / middle[2]),
        "depth": centre[2],
        "attr_label": thing["attribute"],
        "num_lidar_pts": 5,
        "num_radar_pts": 0,
    }


def sample(rng, index=0, objects=6, size=SIZE, tilt=0.0, roll=0.0, place=(600.0, 1600.0)):
    """A sample; its `instances` are in the global frame. The car moves between its cameras."""
    heading = rng.uniform(-np.pi, np.pi)
    poses = camera_poses(tilt, roll)
    start = pose(turn(2, heading), [*place, 0])
    things = random_objects(rng, objects)
    for number, thing in enumerate(things):
        thing["token"] = f"annotation-{index}-{number}"
        thing["place"] = start[:3, :3] @ thing["place"] + start[:3, 3]
        thing["yaw"] += heading
    matrix = intrinsics(size)
    images, seen = {}, {}
    for number, (name, camera) in enumerate(poses.items()):
        moved = start @ pose(np.eye(3), [0.1 * number, 0, 0])
        images[name] = {
            "img_path": f"samples/{name}/{index}.jpg",
            "height": size[0],
            "width": size[1],
            "cam2img": matrix.tolist(),
            "cam2ego": camera.tolist(),
            "ego2global": moved.tolist(),
            "timestamp": 1.5e9 + 0.5 * index + 0.01 * number,
        }
        rows = [instance_in(camera, matrix, moved, thing, size) for thing in things]
        seen[name] = [row for row in rows if row is not None]
    return {
        "sample_idx": index,
        "token": f"sample-{index}",
        "scene": "scene-0001",
        "frame": index,
        "ego2global": start.tolist(),
        "images": images,
        "cam_instances": seen,
        "instances": [
            {
                "token": thing["token"],
                "bbox_label_3d": thing["label"],
                "translation": list(thing["place"]),
                "size": list(thing["size"]),
                "rotation": [np.cos(thing["yaw"] / 2), 0, 0, np.sin(thing["yaw"] / 2)],
                "velocity": list(thing["velocity"]),
                "attribute": thing["attribute"],
            }
            for thing in things
        ],
    }


def write_prepared(folder, samples, images=True):
    """The prepared file of samples, and their images below `folder`; returns the file."""
    path = folder / "train.json"
    lines = ",\n".join(json.dumps(one, default=float) for one in samples)
    path.write_text('{"info": {}, "metainfo": {}, "data_list": [\n' + lines + "\n]}\n")
    rng = np.random.default_rng(0)
    for one in samples if images else ():
        for image in one["images"].values():
            file = folder / image["img_path"]
            file.parent.mkdir(parents=True, exist_ok=True)
            pixels = rng.integers(0, 255, (image["height"], image["width"], 3), dtype=np.uint8)
            cv2.imwrite(str(file), pixels)
    return path
