"""Writes the synthetic world in the layout of Argoverse-HD."""

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2

from lzu.datasets.argoverse_hd.classes import CLASSES, COCO_INDICES, coco_mapping
from lzu.datasets.argoverse_hd.layout import FORMAT, IMAGE_FOLDER, annotation_path
from lzu.datasets.synthetic.config import SPLITS, WorldConfig
from lzu.datasets.synthetic.ownership import Part
from lzu.datasets.synthetic.render import make_stage, render
from lzu.datasets.synthetic.worlds import Progress, WorldFormat, write_encoded, write_world

CAMERA = "ring_front_center"


def write_argoverse_hd(
    root: str | os.PathLike[str],
    world: WorldConfig,
    jobs: int = 1,
    progress: Progress | None = None,
    splits: Sequence[str] = SPLITS,
) -> Path:
    """Write splits of `world` below `root` as `Argoverse-1.1` and `Argoverse-HD`; see
    `worlds.write_world`."""
    return write_world(ARGOVERSE_HD, root, world, jobs, progress, splits)


def sequence_name(split: str, index: int) -> str:
    """Folder name of a sequence."""
    return f"synthetic-{split}-{index:04d}"


def _parts(split: str) -> tuple[Part, ...]:
    sequences = re.escape(sequence_name(split, 0)).removesuffix("0000") + r"\d{4,}"
    levels = (sequences, CAMERA, rf"{CAMERA}_\d+\.jpg")

    def is_ours(path: Path) -> bool:
        beginning = f"{split}/{sequence_name(split, 0)}".removesuffix("0000")
        try:
            folders = json.loads(path.read_bytes())["seq_dirs"]
            return all(folder.startswith(beginning) for folder in folders)
        except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
            return False

    return (
        Part(Path(IMAGE_FOLDER) / split, levels),
        Part(annotation_path("", split), is_ours=is_ours),
    )


def _write_sequence(root: Path, world: WorldConfig, split: str, index: int) -> list[dict[str, Any]]:
    """Write the images of one sequence; its frames as {name, boxes: [(category, track, ltwh)]}."""
    folder = root / IMAGE_FOLDER / split / sequence_name(split, index) / CAMERA
    folder.mkdir(parents=True)
    stage = make_stage(world, split, index)
    frames = []
    for number in range(world.frames(split)):
        frame = render(stage, number)
        stamp = 315_970_000_000_000_000 + round(number * world.interval_s(split) * 1e9)
        name = f"{CAMERA}_{stamp}.jpg"
        write_encoded(folder / name, frame.image, (cv2.IMWRITE_JPEG_QUALITY, world.jpeg_quality))
        boxes = []
        for box in frame.boxes:
            if box.category < 0:
                continue
            left, top = round(box.left, 2), round(box.top, 2)
            size = (round(box.right - left, 2), round(box.bottom - top, 2))
            boxes.append((box.category, box.track, (left, top, *size)))
        frames.append({"name": name, "boxes": boxes})
    return frames


def _finish(
    root: Path, world: WorldConfig, split: str, sequences: list[list[dict[str, Any]]]
) -> None:
    path = annotation_path(root, split)
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(_annotations(world, split, sequences), separators=(",", ":")))


def _annotations(
    world: WorldConfig, split: str, sequences: list[list[dict[str, Any]]]
) -> dict[str, Any]:
    images, annotations = [], []
    tracks: dict[tuple[int, int], int] = {}
    for sid, frames in enumerate(sequences):
        for fid, frame in enumerate(frames):
            image = {"id": len(images), "sid": sid, "fid": fid, "name": frame["name"]}
            images.append(image | {"width": world.width, "height": world.height})
            for category, actor, box in frame["boxes"]:
                annotations.append(
                    {
                        "id": len(annotations),
                        "image_id": image["id"],
                        "category_id": category,
                        "bbox": list(box),
                        "area": round(box[2] * box[3], 4),
                        "iscrowd": 0,
                        "track": tracks.setdefault((sid, actor), len(tracks)),
                    }
                )
    names = [sequence_name(split, index) for index in range(len(sequences))]
    return {
        "categories": [{"id": k, "name": name} for k, name in enumerate(CLASSES)],
        "images": images,
        "annotations": annotations,
        "sequences": names,
        "seq_dirs": [f"{split}/{name}/{CAMERA}" for name in names],
        "coco_subset": list(COCO_INDICES),
        "coco_mapping": coco_mapping(),
    }


ARGOVERSE_HD = WorldFormat(FORMAT, _parts, _write_sequence, _finish, __file__)
