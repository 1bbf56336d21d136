from pathlib import Path

import cv2
import numpy as np
import pytest

from lzu.datasets.cityscapes.classes import COLOURS, IDS, TO_TRAIN_ID

SIZE = (32, 64)
"""(height, width) of the constructed images."""
FRAMES = {
    "train": (
        "ashton_000000_000019", "ashton_000001_000019", "ashton_000001_000049",
        "berg_000000_000019", "berg_000001_000019", "castle_000000_000019",
    ),
    "val": ("dale_000000_000019",),
}  # fmt: skip
"""Two cities with equal sequence and frame numbers, on purpose."""


def files(root: Path, split: str, name: str) -> dict[str, Path]:
    """The paths of a frame's files by what they are."""
    city = name.split("_")[0]
    endings = {
        "image": ("leftImg8bit", "leftImg8bit.png"),
        "ids": ("gtFine", "gtFine_labelIds.png"),
        "train_ids": ("gtFine", "gtFine_labelTrainIds.png"),
        "colour": ("gtFine", "gtFine_color.png"),
        "instances": ("gtFine", "gtFine_instanceIds.png"),
        "polygons": ("gtFine", "gtFine_polygons.json"),
    }
    return {
        what: root / folder / split / city / f"{name}_{ending}"
        for what, (folder, ending) in endings.items()
    }


def label_ids(seed: int) -> np.ndarray:
    """(H, W) uint8 blocks of random ids; the upper half is road, so that no two are alike."""
    rng = np.random.default_rng(seed)
    blocks = rng.choice(sorted(i % 256 for i in IDS.values()), (4, 8)).astype(np.uint8)
    ids = blocks.repeat(8, 0).repeat(8, 1)
    ids[:8] = IDS["road"]
    return ids


def write(root: Path) -> Path:
    """A dataset as it comes from its makers, before anybody has made trainIds of it."""
    for split, names in FRAMES.items():
        for number, name in enumerate(names):
            paths = files(root, split, name)
            for path in paths.values():
                path.parent.mkdir(parents=True, exist_ok=True)
            rng = np.random.default_rng(number)
            ids = label_ids(number)
            cv2.imwrite(str(paths["image"]), rng.integers(0, 256, (*SIZE, 3), np.uint8))
            cv2.imwrite(str(paths["ids"]), ids)
            cv2.imwrite(str(paths["colour"]), COLOURS[ids][..., ::-1])
            cv2.imwrite(str(paths["instances"]), ids.astype(np.uint16) * 1000)
            paths["polygons"].write_text("{}")
    return root


def add_train_ids(root: Path) -> None:
    """What the dataset's own script adds: an image of trainIds beside each one of ids."""
    for path in (root / "gtFine").rglob("*_labelIds.png"):
        ids = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        cv2.imwrite(str(path).replace("labelIds", "labelTrainIds"), TO_TRAIN_ID[ids])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A small constructed dataset to break."""
    return write(tmp_path / "cityscapes")
