"""Writes the synthetic world in the layout of nuScenes: all tables that its devkit reads."""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from lzu.datasets.nuscenes.classes import (
    ATTRIBUTES,
    CAMERAS,
    OF_CATEGORY,
    OTHER_CATEGORIES,
)
from lzu.datasets.nuscenes.layout import FORMAT, LIDAR, TABLES, VERSIONS, table_path
from lzu.datasets.nuscenes.splits import scene_names
from lzu.datasets.synthetic.camera import calibration
from lzu.datasets.synthetic.config import SPLITS, WorldConfig
from lzu.datasets.synthetic.labels_3d import Box3D, seen_boxes_3d
from lzu.datasets.synthetic.ownership import Part
from lzu.datasets.synthetic.render import Frame, make_stage, render
from lzu.datasets.synthetic.worlds import Progress, WorldFormat, write_encoded, write_world
from lzu.errors import UserError

Row = dict[str, Any]
Tables = dict[str, list[Row]]

VERSION = VERSIONS[0]
LOCATION = "synthetic"
CATEGORY = {
    **{kind: category for category, kind in reversed(OF_CATEGORY.items())},
    "bus": "vehicle.bus.rigid",
}
"""Class -> the category that its objects are of."""
VISIBILITY = {"1": "v0-40", "2": "v40-60", "3": "v60-80", "4": "v80-100"}
LIDAR_PLACE, LIDAR_ROTATION = (0.94, 0.0, 1.84), (0.5**0.5, 0.0, 0.0, -(0.5**0.5))
"""In the ego frame; nuScenes' lidar has x to the right and y forward."""
POINTS_PER_STERADIAN = 7000
"""Of a lidar with 32 beams over 40 degrees and a column every third of a degree."""
RADAR_SHARE = 25
"""Lidar's points for one of the radars', which see vehicles alone."""
EPOCH = {"train": 1_530_000_000_000_000, "val": 1_540_000_000_000_000}
"""Time of a split's first sample in microseconds; sequences begin an hour apart."""


def write_nuscenes(
    root: str | os.PathLike[str],
    world: WorldConfig,
    jobs: int = 1,
    progress: Progress | None = None,
    splits: Sequence[str] = SPLITS,
) -> Path:
    """Write splits of `world` below `root`, each as a dataset of its own: `root/train` and
    `root/val` hold `v1.0-trainval`, `samples` and `maps`; see `worlds.write_world`.

    Scenes have the names of nuScenes' own in that split. All frames are samples (key frames) with
    one time stamp and ego pose for all sensors; the ego frame is level, and the rig's pitch is in
    the calibration, which is of its sample. Objects are annotated all round, up to 80 m, if a
    camera shows them in at least one sample of their scene; in samples where none does
    (`labels_3d.seen_boxes_3d`) they have visibility 1 and no points, so the devkit leaves them out.
    Riders are no objects of their own. The samples of the lidar are in the tables, as the devkit
    takes a sample's pose from them, but their point clouds are not written.

    Raises:
        UserError: more sequences than the split has scenes; and see `worlds.write_world`.
    """
    for split in splits:
        _scene_names(world, split)
    return write_world(NUSCENES, root, world, jobs, progress, splits)


def sequence_name(split: str, index: int) -> str:
    """Name of a drive's log, which its files begin with."""
    return f"synthetic-{split}-{index:04d}"


def _scene_names(world: WorldConfig, split: str) -> list[str]:
    names = sorted(scene_names(VERSION, split))
    count = world.sequences(split)
    if count > len(names):
        raise UserError(
            f"world setting {split}_sequences is {count}: nuScenes has {len(names)} scenes in that "
            "split, and every sequence takes the name of one; ask for no more"
        )
    return names[:count]


def _parts(split: str) -> tuple[Part, ...]:
    sensors = "|".join(CAMERAS)
    log = sequence_name(split, 0).removesuffix("0000")
    image = rf"{log}\d{{4}}__({sensors})__\d+\.jpg"
    return (
        Part(Path(split) / VERSION, (rf"({'|'.join(TABLES)})\.json",)),
        Part(Path(split) / "samples", (sensors, image)),
        Part(Path(split) / "maps", (r"[0-9a-f]{32}\.png",)),
    )


def _namer(world: WorldConfig, split: str) -> Callable[..., str]:
    """Makes tokens of what they stand for: 32 hexadecimal digits, the same in equal worlds."""
    beginning = hashlib.sha256(json.dumps(world.of_split(split), sort_keys=True).encode())

    def token(*what: object) -> str:
        digest = beginning.copy()
        digest.update("\0".join(map(str, what)).encode())
        return digest.hexdigest()[:32]

    return token


def _write_sequence(root: Path, world: WorldConfig, split: str, index: int) -> Tables:
    """Write the images of one sequence; the rows of all tables that are of it alone, but for its
    scene's and log's names."""
    token, stage = _namer(world, split), make_stage(world, split, index)
    names = [name for name in CAMERAS if name in world.cameras]
    tables: Tables = {name: [] for name in TABLES}
    moments: list[tuple[str, tuple[Box3D, ...]]] = []
    for name in names:
        (root / split / "samples" / name).mkdir(parents=True, exist_ok=True)
    for number in range(world.frames(split)):
        at = round(number * world.interval_s(split) * 1e6)
        stamp = EPOCH[split] + 3_600_000_000 * index + at
        sample = token("sample", index, number)
        tables["sample"].append(
            {"token": sample, "timestamp": stamp, "scene_token": token("scene", index)}
        )
        frames = [render(stage, number, name) for name in names]
        for name, frame in zip((LIDAR, *names), (None, *frames), strict=True):
            key = ("sample_data", index, number, name)
            row = _sample_data(token, key, sample, stamp, sequence_name(split, index), frame)
            tables["sample_data"].append(row)
            pose = frames[0].snapshot.pose
            tables["ego_pose"].append(
                {
                    "token": row["ego_pose_token"],
                    "timestamp": stamp,
                    "translation": [pose.x, pose.y, 0.0],
                    "rotation": _upright(pose.yaw),
                }
            )
            if frame is not None:
                path = root / split / row["filename"]
                write_encoded(path, frame.image, (cv2.IMWRITE_JPEG_QUALITY, world.jpeg_quality))
            tables["calibrated_sensor"].append(_calibrated(token, row, name, frame))
        moments.append((sample, seen_boxes_3d(stage.sequence, frames)))
    _link(tables["sample"])
    for name in (LIDAR, *names):
        _link([row for row in tables["sample_data"] if f"/{name}/" in row["filename"]])
    _annotate(token, index, moments, tables)
    return tables


def _sample_data(
    token: Callable[..., str],
    key: tuple[object, ...],
    sample: str,
    stamp: int,
    log: str,
    frame: Frame | None,
) -> Row:
    name, ending = key[-1], ".pcd.bin" if frame is None else ".jpg"
    height, width = (0, 0) if frame is None else frame.camera.size
    return {
        "token": token(*key),
        "sample_token": sample,
        "ego_pose_token": token("ego_pose", *key),
        "calibrated_sensor_token": token("calibrated_sensor", *key),
        "timestamp": stamp,
        "fileformat": "pcd" if frame is None else "jpg",
        "is_key_frame": True,
        "height": height,
        "width": width,
        "filename": f"samples/{name}/{log}__{name}__{stamp}{ending}",
    }


def _calibrated(token: Callable[..., str], data: Row, name: str, frame: Frame | None) -> Row:
    if frame is None:
        place, rotation, intrinsic = LIDAR_PLACE, LIDAR_ROTATION, []
    else:
        place, rotation = calibration(frame.snapshot.pose, name)
        intrinsic = frame.camera.intrinsic.tolist()
    return {
        "token": data["calibrated_sensor_token"],
        "sensor_token": token("sensor", name),
        "translation": list(place),
        "rotation": list(rotation),
        "camera_intrinsic": intrinsic,
    }


def _upright(yaw: float) -> list[float]:
    """Quaternion (w, x, y, z) of a turn about z."""
    return [float(np.cos(yaw / 2)), 0.0, 0.0, float(np.sin(yaw / 2))]


def _link(rows: Sequence[Row]) -> None:
    """Fill in "prev" and "next" of rows that follow each other."""
    for row in rows:
        row.update(prev="", next="")
    for before, after in pairwise(rows):
        before["next"], after["prev"] = after["token"], before["token"]


def _annotate(
    token: Callable[..., str],
    index: int,
    moments: Sequence[tuple[str, tuple[Box3D, ...]]],
    tables: Tables,
) -> None:
    """Add the rows of instances and annotations of a sequence; see `write_nuscenes`."""
    seen = {box.track for _, boxes in moments for box in boxes if box.visible > 0}
    instances: dict[int, list[Row]] = {}
    kinds: dict[int, str] = {}
    for number, (sample, boxes) in enumerate(moments):
        for box in boxes:
            if box.track in seen:
                row = _annotation(token, (index, number, box.track), sample, box)
                tables["sample_annotation"].append(row)
                instances.setdefault(box.track, []).append(row)
                kinds[box.track] = box.kind
    for track, rows in instances.items():
        _link(rows)
        tables["instance"].append(
            {
                "token": rows[0]["instance_token"],
                "category_token": token("category", CATEGORY[kinds[track]]),
                "nbr_annotations": len(rows),
                "first_annotation_token": rows[0]["token"],
                "last_annotation_token": rows[-1]["token"],
            }
        )


def _annotation(
    token: Callable[..., str], key: tuple[int, int, int], sample: str, box: Box3D
) -> Row:
    index, _, track = key
    lidar = max(1, round(POINTS_PER_STERADIAN * box.solid_angle)) if box.visible > 0 else 0
    vehicle = box.kind not in ("pedestrian", "traffic_cone", "barrier")
    length, width, height = box.size
    return {
        "token": token("sample_annotation", *key),
        "sample_token": sample,
        "instance_token": token("instance", index, track),
        "visibility_token": str(1 + sum(box.visible >= least for least in (0.4, 0.6, 0.8))),
        "attribute_tokens": [token("attribute", box.attribute)] if box.attribute else [],
        # Millimetres, as nuScenes' own.
        "translation": [round(value, 3) for value in box.centre],
        "size": [round(value, 3) for value in (width, length, height)],
        "rotation": _upright(box.yaw),
        "num_lidar_pts": lidar,
        "num_radar_pts": min(lidar // RADAR_SHARE, 20) if vehicle else 0,
    }


def _finish(root: Path, world: WorldConfig, split: str, sequences: list[Tables]) -> None:
    token = _namer(world, split)
    tables: Tables = {name: [] for name in TABLES}
    for found in sequences:
        for name, rows in found.items():
            tables[name] += rows
    for index, (name, found) in enumerate(zip(_scene_names(world, split), sequences, strict=True)):
        samples, log = found["sample"], sequence_name(split, index)
        tables["scene"].append(
            {
                "token": token("scene", index),
                "log_token": token("log", index),
                "nbr_samples": len(samples),
                "first_sample_token": samples[0]["token"],
                "last_sample_token": samples[-1]["token"],
                "name": name,
                "description": f"Synthetic street, sequence {index} of {split}",
            }
        )
        tables["log"].append(
            {
                "token": token("log", index),
                "logfile": log,
                "vehicle": "synthetic",
                "date_captured": "2018-01-01",
                "location": LOCATION,
            }
        )
    tables |= _vocabulary(token, world)
    # The devkit wants a map; this one says that all is road.
    mask = f"maps/{token('map')}.png"
    logs = [row["token"] for row in tables["log"]]
    tables["map"] = [
        {"token": token("map"), "log_tokens": logs, "category": "semantic_prior", "filename": mask}
    ]
    write_encoded(root / split / mask, np.full((16, 16), 255, np.uint8), ())
    for name, rows in tables.items():
        table_path(root / split, VERSION, name).write_text(json.dumps(rows, separators=(",", ":")))


def _vocabulary(token: Callable[..., str], world: WorldConfig) -> Tables:
    """The tables that say what there may be."""

    def named(table: str, names: Iterable[str]) -> list[Row]:
        return [{"token": token(table, name), "name": name, "description": ""} for name in names]

    sensors = ((LIDAR, "lidar"), *((name, "camera") for name in CAMERAS if name in world.cameras))
    return {
        "category": named("category", (*OF_CATEGORY, *OTHER_CATEGORIES)),
        "attribute": named("attribute", ATTRIBUTES),
        "visibility": [
            {"token": key, "level": level, "description": ""} for key, level in VISIBILITY.items()
        ],
        "sensor": [
            {"token": token("sensor", name), "channel": name, "modality": modality}
            for name, modality in sensors
        ],
    }


NUSCENES = WorldFormat(FORMAT, _parts, _write_sequence, _finish, __file__)
