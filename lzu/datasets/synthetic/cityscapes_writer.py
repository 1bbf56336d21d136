"""Writes the synthetic world in the layout of Cityscapes."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from lzu.datasets.cityscapes.classes import COLOURS, TO_TRAIN_ID
from lzu.datasets.cityscapes.layout import (
    COLOUR_ENDING,
    FORMAT,
    IDS_ENDING,
    IMAGE_ENDING,
    IMAGE_FOLDER,
    LABEL_FOLDER,
    TRAIN_IDS_ENDING,
    FrameName,
)
from lzu.datasets.synthetic.config import SPLITS, WorldConfig
from lzu.datasets.synthetic.ownership import Part
from lzu.datasets.synthetic.render import make_stage, render
from lzu.datasets.synthetic.worlds import Progress, WorldFormat, write_encoded, write_world

CITIES = {
    "train": (
        "ashmere", "birchford", "cedarholm", "dunmarsh", "elderbrook", "fernwick", "gorsefield",
        "hazelmere", "ivyhill", "junipool", "larkmoor", "maplecross", "nettleby", "oakhaven",
        "pinecombe", "quillbury", "rowanstow", "sedgeley",
    ),
    "val": ("thornwell", "ulverdale", "willowgate"),
}  # fmt: skip
"""Invented towns, as many as Cityscapes has cities in each split; sequences are dealt out."""

_FAST = (cv2.IMWRITE_PNG_COMPRESSION, 1)
_COLOUR_BGRA = np.hstack([COLOURS[:, ::-1], np.full((256, 1), 255, np.uint8)])


def write_cityscapes(
    root: str | os.PathLike[str],
    world: WorldConfig,
    jobs: int = 1,
    progress: Progress | None = None,
    splits: Sequence[str] = SPLITS,
) -> Path:
    """Write splits of `world` below `root` as `leftImg8bit` and `gtFine`; see `worlds.write_world`.

    Every frame gets `_labelIds`, `_labelTrainIds` and `_color`, as the dataset's own tools make
    them. A world whose scenery is "city" has all classes.
    """
    return write_world(CITYSCAPES, root, world, jobs, progress, splits)


def frame_name(split: str, index: int, frame: int) -> FrameName:
    """The name of a frame of sequence `index`."""
    cities = CITIES[split]
    city, sequence = cities[index % len(cities)], index // len(cities)
    return FrameName(city, f"{sequence:06d}", f"{frame:06d}")


def _parts(split: str) -> tuple[Part, ...]:
    towns = "|".join(CITIES[split])
    stem = rf"({towns})_\d{{6}}_\d{{6}}"
    endings = "|".join((TRAIN_IDS_ENDING, IDS_ENDING, COLOUR_ENDING)).replace(".", r"\.")
    return (
        Part(Path(IMAGE_FOLDER) / split, (towns, stem + IMAGE_ENDING.replace(".", r"\."))),
        Part(Path(LABEL_FOLDER) / split, (towns, f"{stem}({endings})")),
    )


def _write_sequence(root: Path, world: WorldConfig, split: str, index: int) -> None:
    stage = make_stage(world, split, index)
    for number in range(world.frames(split)):
        name = frame_name(split, index, number)
        frame = render(stage, number, boxes=False, semantic=True)
        ids = frame.semantic
        files = {
            name.image(split): frame.image,
            name.label(split, IDS_ENDING): ids,
            name.label(split, TRAIN_IDS_ENDING): TO_TRAIN_ID[ids],
            name.label(split, COLOUR_ENDING): _COLOUR_BGRA[ids],
        }
        for path, image in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            write_encoded(root / path, image, _FAST)


def _finish(root: Path, world: WorldConfig, split: str, sequences: list[Any]) -> None:
    """All is in the sequences' files."""


CITYSCAPES = WorldFormat(FORMAT, _parts, _write_sequence, _finish, __file__)
