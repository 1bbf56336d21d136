"""A random world in nuScenes' tables, as the devkit reads it, and the same as prepared samples.

Boxes stand beyond their class's range and within it, in bicycle racks, without points, without
attributes, and alone or far apart in time, so that they have no velocity.
"""

import json
from dataclasses import dataclass

import numpy as np
from nuscenes import NuScenes
from nuscenes.utils.splits import create_splits_scenes
from PIL import Image

from lzu.datasets.nuscenes.classes import (
    ATTRIBUTES,
    BICYCLE_RACK,
    CAMERAS,
    CLASSES,
    NO_ATTRIBUTE,
    OF_CATEGORY,
    OTHER_CATEGORIES,
)
from lzu.datasets.nuscenes.layout import LIDAR, TABLES

VERSION = "v1.0-mini"
SCENES = tuple(create_splits_scenes()["mini_val"])
HEIGHT, WIDTH = 900, 1600
CATEGORIES = (*OF_CATEGORY, *OTHER_CATEGORIES)
ATTRIBUTES_OF = {
    **dict.fromkeys(("bicycle", "motorcycle"), ATTRIBUTES[:2]),
    "pedestrian": ATTRIBUTES[2:5],
    **dict.fromkeys(("car", "truck", "trailer", "bus", "construction_vehicle"), ATTRIBUTES[5:]),
}


@dataclass
class World:
    """`nusc` is the devkit's view of it, `samples` are those of a prepared file."""

    nusc: NuScenes
    samples: list


def yaw_rotation(yaw):
    """The quaternion w, x, y, z of a turn about the vertical."""
    return [float(np.cos(yaw / 2)), 0.0, 0.0, float(np.sin(yaw / 2))]


def write_tables(root, seed=0, frames=4, objects=30):
    """Write tables of two scenes; some objects are of categories that are of no class."""
    draw = np.random.default_rng(seed)
    tables = {name: [] for name in TABLES}
    tables["category"] = [{"token": f"c-{n}", "name": n, "description": ""} for n in CATEGORIES]
    tables["attribute"] = [{"token": f"a-{n}", "name": n, "description": ""} for n in ATTRIBUTES]
    tables["visibility"] = [{"token": "4", "level": "v80-100", "description": ""}]
    tables["sensor"] = [{"token": "s", "channel": LIDAR, "modality": "lidar"}]
    calibration = {"token": "cs", "sensor_token": "s", "camera_intrinsic": []}
    tables["calibrated_sensor"] = [
        {**calibration, "translation": [0.9, 0.0, 1.8], "rotation": yaw_rotation(-np.pi / 2)}
    ]
    for place, scene in enumerate(SCENES):
        _scene(tables, draw, scene, frames, objects, 500.0 * (place + 1))
    tables["map"] = [{"token": "m", "log_tokens": [], "category": "", "filename": "maps/m.png"}]
    (root / "maps").mkdir(parents=True)
    Image.new("L", (1, 1)).save(root / "maps" / "m.png")
    for name, records in tables.items():
        path = root / VERSION / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(records))


def _scene(tables, draw, scene, frames, objects, where):
    tokens = [f"{scene}-{k}" for k in range(frames)]
    after = [*tokens[1:], ""]
    # the third interval is longer than the devkit takes a velocity from
    times = np.cumsum([0, 500_000, 500_000, 4_000_000, *[500_000] * frames][:frames]).tolist()
    ego = [[where + 4.0 * k, where, 0.0] for k in range(frames)]
    tables["scene"].append(
        {
            "token": scene,
            "name": scene,
            "log_token": "",
            "description": "",
            "nbr_samples": frames,
            "first_sample_token": tokens[0],
            "last_sample_token": tokens[-1],
        }
    )
    for k, token in enumerate(tokens):
        links = {"prev": tokens[k - 1] if k else "", "next": after[k]}
        common = {"token": token, "timestamp": times[k]}
        tables["sample"].append({**common, "scene_token": scene, **links})
        tables["ego_pose"].append({**common, "translation": ego[k], "rotation": yaw_rotation(0.2)})
        tables["sample_data"].append(
            {
                **common,
                "sample_token": token,
                "ego_pose_token": token,
                "calibrated_sensor_token": "cs",
                "filename": "",
                "fileformat": "pcd",
                "is_key_frame": True,
                "height": 0,
                "width": 0,
                "prev": "",
                "next": "",
            }
        )
    racks = [_instance(tables, draw, tokens, ego, f"{scene}-r{n}", BICYCLE_RACK) for n in range(2)]
    for n in range(objects):
        category = str(draw.choice(CATEGORIES[: len(OF_CATEGORY) + 2]))
        rack = racks[n % 2] if "cycle" in category and draw.random() < 0.4 else None
        _instance(tables, draw, tokens, ego, f"{scene}-{n}", category, rack)


def _instance(tables, draw, tokens, ego, name, category, rack=None):
    """An object in some of a scene's samples; gives its first place."""
    there = np.flatnonzero(draw.random(len(tokens)) < 0.8)
    if category == BICYCLE_RACK or not len(there):
        there = np.arange(len(tokens))
    start = np.array(ego[0]) + draw.uniform((-55, -55, -0.5), (55, 55, 1.0))
    speed = draw.normal(0, 3, 2) * (draw.random() < 0.6) * (category != BICYCLE_RACK)
    if rack is not None:
        start, speed = rack + draw.uniform(-1.2, 1.2, 3), np.zeros(2)
    size = [2.0, 6.0, 2.0] if category == BICYCLE_RACK else draw.uniform(0.4, 5, 3).tolist()
    marks = [f"{name}@{k}" for k in there]
    tables["instance"].append(
        {
            "token": name,
            "category_token": f"c-{category}",
            "nbr_annotations": len(marks),
            "first_annotation_token": marks[0],
            "last_annotation_token": marks[-1],
        }
    )
    known = ATTRIBUTES_OF.get(OF_CATEGORY.get(category))
    for n, k in enumerate(there):
        attribute = [f"a-{draw.choice(known)}"] if known and draw.random() < 0.9 else []
        tables["sample_annotation"].append(
            {
                "token": marks[n],
                "sample_token": tokens[k],
                "instance_token": name,
                "visibility_token": "4",
                "attribute_tokens": attribute,
                "translation": (start + np.append(speed * k * 0.5, 0)).tolist(),
                "size": size,
                "rotation": yaw_rotation(draw.uniform(-np.pi, np.pi)),
                "prev": marks[n - 1] if n else "",
                "next": marks[n + 1] if n + 1 < len(marks) else "",
                "num_lidar_pts": int(draw.integers(0, 3)),
                "num_radar_pts": int(draw.integers(0, 2)),
            }
        )
    return start


def prepared(nusc, seed=0):
    """The devkit's view of a world as samples of a prepared file, seen by random cameras."""
    draw = np.random.default_rng(seed)
    return [_prepared(nusc, draw, place, one) for place, one in enumerate(nusc.sample)]


def _prepared(nusc, draw, place, sample):
    data = nusc.get("sample_data", sample["data"][LIDAR])
    pose = np.eye(4)
    pose[:3, 3] = nusc.get("ego_pose", data["ego_pose_token"])["translation"]
    instances, racks = [], []
    for token in sample["anns"]:
        one = nusc.get("sample_annotation", token)
        box = {key: one[key] for key in ("translation", "size", "rotation")}
        if one["category_name"] == BICYCLE_RACK:
            racks.append(box)
        if one["category_name"] in OF_CATEGORY:
            instances.append({"token": token, **box, **_labels(nusc, one)})
    seen = {name: [] for name in CAMERAS}
    for one in instances:
        for name in draw.choice(CAMERAS, draw.integers(0, 3), replace=False):
            left, top = draw.uniform((0, 0), (WIDTH - 20, HEIGHT - 20))
            width, height = draw.uniform(1, WIDTH - left), draw.uniform(1, HEIGHT - top)
            box = [left, top, left + width, top + height]
            seen[name].append({"token": one["token"], "bbox": box})
    return {
        "sample_idx": place,
        "token": sample["token"],
        "scene": nusc.get("scene", sample["scene_token"])["name"],
        "ego2global": pose.tolist(),
        "images": {name: {"height": HEIGHT, "width": WIDTH} for name in CAMERAS},
        "cam_instances": seen,
        "instances": instances,
        "bicycle_racks": racks,
    }


def _labels(nusc, one):
    velocity = nusc.box_velocity(one["token"])[:2].tolist()
    attributes = [nusc.get("attribute", token)["name"] for token in one["attribute_tokens"]]
    return {
        "bbox_label_3d": CLASSES.index(OF_CATEGORY[one["category_name"]]),
        "velocity": None if np.isnan(velocity).any() else velocity,
        "attribute": (attributes or [""])[0],
        "num_lidar_pts": one["num_lidar_pts"],
        "num_radar_pts": one["num_radar_pts"],
    }


def world(root, seed=0, **counts):
    """Write a world below `root` and read it."""
    write_tables(root, seed, **counts)
    nusc = NuScenes(VERSION, str(root), verbose=False)
    return World(nusc, prepared(nusc, seed))


def row(name, score, instance):
    """A row of predictions that says what is true of an instance."""
    return {
        "translation": instance["translation"],
        "size": instance["size"],
        "rotation": instance["rotation"],
        "velocity": instance["velocity"] or [0.0, 0.0],
        "detection_name": name,
        "detection_score": score,
        "attribute_name": instance["attribute"],
    }


def perfect(samples):
    """All that is there, each thing with a score of its own."""
    found, score = {}, 1.0
    for sample in samples:
        rows = found[sample["token"]] = []
        for one in sample["instances"]:
            score -= 1e-5
            rows.append(row(CLASSES[one["bbox_label_3d"]], score, one))
    return found


def disturbed(samples, seed=0, others=25, classes=CLASSES):
    """Rows near what is there, several for a thing, and some anywhere; many scores are equal."""
    draw = np.random.default_rng(seed)
    found = {}
    for sample in draw.permutation(samples):
        rows = found[sample["token"]] = []
        centre = np.array(sample["ego2global"])[:3, 3]
        for one in sample["instances"]:
            name = CLASSES[one["bbox_label_3d"]]
            for _ in range(int(draw.integers(0, 4)) if name in classes else 0):
                rows.append(_moved(draw, row(name, 0.0, one)))
        for _ in range(others):
            place = centre + draw.uniform(-50, 50, 3) * (1, 1, 0)
            box = {"translation": place.tolist(), "size": [2.0, 4.0, 1.5], "velocity": None}
            box |= {"rotation": yaw_rotation(draw.uniform(-3, 3)), "attribute": ""}
            rows.append(_moved(draw, row(str(draw.choice(classes)), 0.0, box)))
    return found


def _moved(draw, one):
    around = draw.choice([0.1, 0.7, 2.0, 4.0])
    wrong = draw.random() < 0.3
    attribute = (*ATTRIBUTES, "")[draw.integers(NO_ATTRIBUTE + 1)] if wrong else None
    return {
        **one,
        "translation": (np.array(one["translation"]) + draw.normal(0, around, 3)).tolist(),
        "size": (np.array(one["size"]) * draw.uniform(0.7, 1.4, 3)).tolist(),
        "rotation": (np.array(one["rotation"]) + draw.normal(0, 0.2, 4)).tolist(),
        "velocity": (np.array(one["velocity"]) + draw.normal(0, 1, 2)).tolist(),
        "detection_score": round(float(draw.random()), 2),
        "attribute_name": one["attribute_name"] if attribute is None else attribute,
    }
