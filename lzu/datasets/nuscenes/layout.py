"""Where nuScenes has its files: `{version}/{table}.json`, `samples/{sensor}/*`, `maps/*`."""

import os
from pathlib import Path

from lzu.datasets import marks
from lzu.datasets.raw import file_state, folders_state

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
    "which the keyframes are needed, or v1.0-mini.tgz for the mini set, from "
    "https://www.nuscenes.org/nuscenes#download (registration needed) and unpack them into the root"
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


def source_of(root: str | os.PathLike[str], split: str) -> str:
    """ "synthetic" or "real": what the root of the data set that has `split` is of; a synthetic
    world is marked there, or where the roots of all its splits are."""
    above = Path(root).resolve()
    roots = (above, above.parent) if above.name == split else (above,)
    return "synthetic" if any(is_synthetic(one) for one in roots) else "real"


def raw_state(root: str | os.PathLike[str], split: str) -> dict[str, str]:
    """What changes when the raw files of a split do, without reading any: the tables' sizes and
    times, and the state of the folders of images (see `folders_state`)."""
    base = root_of(root, split, is_synthetic(root))
    tables = sorted(base.glob("v*/[!.]*.json"))
    return {
        "tables": " ".join(f"{path.relative_to(base)} {file_state(path)}" for path in tables),
        "images": folders_state(base, (base / "samples").glob("CAM_*/")),
    }
