"""Writes small data sets of random numbers in nuScenes' exact format, to read and to break."""

import hashlib
import json
from pathlib import Path

import cv2
import numpy as np

from lzu.datasets.marks import MARKERS, identity
from lzu.datasets.nuscenes.classes import ATTRIBUTES, CAMERAS, OF_CATEGORY, OTHER_CATEGORIES
from lzu.datasets.nuscenes.layout import FORMAT

VERSION = "v1.0-trainval"
SCENES = {"train": ("scene-0002", "scene-0001"), "val": ("scene-0003",)}
"""Of the splits of those names, and not in order, on purpose."""
LEVELS = ("v0-40", "v40-60", "v60-80", "v80-100")
TURNS = dict(zip(CAMERAS, (0, -55, 55, 180, 110, -110), strict=True))
"""Degrees to the left."""


def token(*parts) -> str:
    """32 digits, as nuScenes' tokens are."""
    return hashlib.md5(" ".join(map(str, parts)).encode()).hexdigest()


def product(p, q):
    """Of quaternions w, x, y, z."""
    a, b = np.asarray(p[1:]), np.asarray(q[1:])
    return np.concatenate(([p[0] * q[0] - a @ b], p[0] * b + q[0] * a + np.cross(a, b)))


def about(axis, degrees):
    """The quaternion of a turn about x (0), y (1) or z (2)."""
    found = np.zeros(4)
    found[0], found[1 + axis] = np.cos(np.radians(degrees) / 2), np.sin(np.radians(degrees) / 2)
    return found


def tables(seed=0, scenes=None, samples=4, objects=30, size=(900, 1600), tilt=3.0, sweeps=1):
    """All tables of a data set: name -> rows.

    Vehicles and cameras are tilted by up to `tilt` degrees in all directions; objects lie all
    round, some within a camera or a vehicle. Of the time stamps some are 0.5 s apart and some 2 s.
    """
    rng = np.random.default_rng(seed)
    scenes = scenes or [name for names in SCENES.values() for name in names]
    height, width = size
    categories = (*OF_CATEGORY, *OTHER_CATEGORIES)
    grown = "instance calibrated_sensor ego_pose scene sample sample_data sample_annotation"
    made = {name: [] for name in grown.split()}
    made["category"] = [
        {"token": token("category", name), "name": name, "description": ""} for name in categories
    ]
    made["attribute"] = [
        {"token": token("attribute", name), "name": name, "description": ""} for name in ATTRIBUTES
    ]
    made["visibility"] = [
        {"token": str(number), "level": level, "description": ""}
        for number, level in enumerate(LEVELS, 1)
    ]
    channels = (*CAMERAS, "LIDAR_TOP", "RADAR_FRONT")
    modality = {"C": "camera", "L": "lidar", "R": "radar"}
    made["sensor"] = [
        {"token": token("sensor", name), "channel": name, "modality": modality[name[0]]}
        for name in channels
    ]
    made["log"] = [
        {
            "token": token("log", name), "logfile": "", "vehicle": "n", "location": "boston",
            "date_captured": "2018-01-01",
        }
        for name in scenes
    ]  # fmt: skip
    made["map"] = [
        {
            "token": token("map"), "log_tokens": [row["token"] for row in made["log"]],
            "category": "semantic_prior", "filename": "maps/map.png",
        }
    ]  # fmt: skip
    for number, scene in enumerate(scenes):
        _scene(made, rng, number, scene, channels, categories, (height, width, samples, objects),
               tilt, sweeps)  # fmt: skip
    return made


def tilted(rng, quaternion, tilt):
    """Turned by a little more in a direction that is random."""
    for axis in range(3):
        quaternion = product(about(axis, rng.uniform(-tilt, tilt)), quaternion)
    return quaternion / np.linalg.norm(quaternion)


def _scene(made, rng, number, scene, channels, categories, counts, tilt, sweeps):
    height, width, samples, objects = counts
    for channel in channels:
        camera = channel.startswith("CAM")
        rotation = about(2, TURNS.get(channel, 90))
        if camera:
            # A camera's z is the vehicle's x, its x to the right.
            rotation = product(rotation, product(about(2, -90), about(0, -90)))
        focal = width * rng.uniform(0.7, 0.9)
        made["calibrated_sensor"].append({
            "token": token("calibrated", scene, channel),
            "sensor_token": token("sensor", channel),
            "translation": rng.uniform(-1, 1, 3).tolist(),
            "rotation": tilted(rng, rotation, tilt).tolist(),
            "camera_intrinsic": [
                [focal, 0, width / 2 + rng.uniform(-9, 9)], [0, focal, height / 2], [0, 0, 1]
            ] if camera else [],
        })  # fmt: skip
    start = 1_530_000_000_000_000 + number * 10**9
    times = start + np.cumsum([0, *rng.choice([500_000, 2_000_000], samples - 1, p=[0.8, 0.2])])
    tokens = [token("sample", scene, k) for k in range(samples)]
    made["scene"].append({
        "token": token("scene", scene), "log_token": token("log", scene), "nbr_samples": samples,
        "first_sample_token": tokens[0], "last_sample_token": tokens[-1], "name": scene,
        "description": "",
    })  # fmt: skip
    place, heading = rng.uniform(300, 2000, 3) * (1, 1, 0), rng.uniform(-180, 180)
    for k, (sample, time) in enumerate(zip(tokens, times.tolist(), strict=True)):
        made["sample"].append({
            "token": sample, "timestamp": time, "scene_token": token("scene", scene),
            "prev": tokens[k - 1] if k else "", "next": tokens[k + 1] if k + 1 < samples else "",
        })  # fmt: skip
        for channel in channels:
            for sweep in range(sweeps + 1):
                _recording(made, rng, scene, sample, k, channel, sweep, time, place, heading,
                           (height, width, tilt))  # fmt: skip
    for index in range(objects):
        _object(made, rng, scene, index, tokens, place, categories)


def _recording(made, rng, scene, sample, k, channel, sweep, time, place, heading, facts):
    height, width, tilt = facts
    camera, key = channel.startswith("CAM"), sweep == 0
    name = token("data", scene, k, channel, sweep)
    time = time + int(rng.integers(-40_000, 40_000)) - 100_000 * sweep
    made["ego_pose"].append({
        "token": token("pose", name), "timestamp": time,
        "rotation": tilted(rng, about(2, heading + rng.uniform(-5, 5)), tilt).tolist(),
        "translation": (place + rng.uniform(-1, 1, 3)).tolist(),
    })  # fmt: skip
    folder = "samples" if key else "sweeps"
    ending = "jpg" if camera else "pcd.bin" if channel[0] == "L" else "pcd"
    made["sample_data"].append({
        "token": name, "sample_token": sample, "ego_pose_token": token("pose", name),
        "calibrated_sensor_token": token("calibrated", scene, channel), "timestamp": time,
        "fileformat": ending.split(".")[0], "is_key_frame": key,
        "height": height if camera else 0, "width": width if camera else 0,
        "filename": f"{folder}/{channel}/{scene}__{channel}__{time}.{ending}",
        "prev": "", "next": "",
    })  # fmt: skip


def _object(made, rng, scene, index, tokens, place, categories):
    category = categories[index % len(categories)]
    first = int(rng.integers(0, len(tokens)))
    # Now and then an annotation is missing in between, so that its neighbours are far apart.
    there = [k for k in range(first, len(tokens)) if rng.random() < 0.9 or k == first]
    names = [token("annotation", scene, index, k) for k in there]
    instance = token("instance", scene, index)
    made["instance"].append({
        "token": instance, "category_token": token("category", category),
        "nbr_annotations": len(there), "first_annotation_token": names[0],
        "last_annotation_token": names[-1],
    })  # fmt: skip
    far, angle = 40 * rng.uniform() ** 2, rng.uniform(-np.pi, np.pi)
    at = place + np.array([far * np.cos(angle), far * np.sin(angle), rng.uniform(0, 2)])
    wlh, yaw, speed = rng.uniform(0.3, 6, 3), rng.uniform(-180, 180), rng.uniform(-9, 9, 3)
    kind = {"vehicle.bicycle": 0, "vehicle.motorcycle": 0}.get(
        category, 2 if category.startswith("human") else 5
    )
    for place_of, (k, name) in enumerate(zip(there, names, strict=True)):
        attributes = [token("attribute", ATTRIBUTES[kind])] if index % 4 else []
        made["sample_annotation"].append({
            "token": name, "sample_token": tokens[k], "instance_token": instance,
            "visibility_token": str(rng.integers(1, 5)) if index % 5 else "",
            "attribute_tokens": attributes, "translation": (at + k * speed).tolist(),
            "size": wlh.tolist(), "rotation": about(2, yaw + 20 * k).tolist(),
            "prev": names[place_of - 1] if place_of else "",
            "next": names[place_of + 1] if place_of + 1 < len(names) else "",
            "num_lidar_pts": int(rng.integers(0, 3)), "num_radar_pts": int(rng.integers(0, 2)),
        })  # fmt: skip
    rng.shuffle(made["sample_annotation"])


def write(root: Path, made, images=True, marked=True) -> Path:
    """The tables, and for each key frame of a camera an image of noise of its size.

    `marked` as a synthetic world: a real split has all of its scenes.
    """
    (root / VERSION).mkdir(parents=True, exist_ok=True)
    for name, rows in made.items():
        (root / VERSION / f"{name}.json").write_text(json.dumps(rows, indent=0))
    if marked:
        (root / MARKERS["train"]).write_text(json.dumps(identity(FORMAT, "train")))
    (root / "maps").mkdir(exist_ok=True)
    cv2.imwrite(str(root / "maps" / "map.png"), np.zeros((4, 4), np.uint8))
    encoded = {}
    for row in made["sample_data"] if images else ():
        if row["is_key_frame"] and "CAM" in row["filename"]:
            shape = (row["height"], row["width"], 3)
            if shape not in encoded:
                noise = np.random.default_rng(0).integers(0, 99, (9, 16, 3), np.uint8)
                noise = cv2.resize(noise, shape[1::-1])
                encoded[shape] = cv2.imencode(".jpg", noise)[1].tobytes()
            path = root / row["filename"]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encoded[shape])
    return root
