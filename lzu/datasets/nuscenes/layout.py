"""Where nuScenes has its files: `{version}/{table}.json`, `samples/{sensor}/*`, `maps/*`."""

import os
from pathlib import Path

from lzu.datasets import marks

FORMAT = "nuscenes"
"""Of the marks of a synthetic world in this layout."""
VERSIONS = ("v1.0-trainval", "v1.0-mini")
"""Those with public annotations of both splits."""
SPLITS = ("train", "val")
TABLES = (
    "category",
    "attribute",
    "visibility",
    "instance",
    "sensor",
    "calibrated_sensor",
    "ego_pose",
    "log",
    "scene",
    "sample",
    "sample_data",
    "sample_annotation",
    "map",
)
"""Those that nuscenes-devkit reads."""
LIDAR = "LIDAR_TOP"
"""Channel whose time stamp and ego pose are a sample's."""

WHERE = (
    "get the metadata (v1.0-trainval_meta.tgz) and the ten parts of the trainval file blobs, of "
    "which the keyframes are needed, from https://www.nuscenes.org/nuscenes#download (registration "
    "needed) and unpack them into that folder"
)


def root_of(root: str | os.PathLike[str], split: str, synthetic: bool) -> Path:
    """The root of the data set that has `split`: real data has one for all splits, a synthetic
    world one for each, below `root`."""
    return Path(root) / split if synthetic else Path(root)


def table_path(root: str | os.PathLike[str], version: str, table: str) -> Path:
    """The file of a table."""
    return Path(root) / version / f"{table}.json"


def official_split(version: str, split: str) -> str:
    """The devkit's name of "train" or "val" of a version."""
    return f"mini_{split}" if version.endswith("mini") else split


def is_synthetic(root: str | os.PathLike[str]) -> bool:
    """Whether a root holds a synthetic world that this project wrote in this layout."""
    return marks.is_synthetic(root, FORMAT)
