"""Where Argoverse-HD's files are below a root: images in
`Argoverse-1.1/tracking/{seq_dirs[sid]}/{name}`, annotations in
`Argoverse-HD/annotations/{train,val}.json`.
"""

import os
from pathlib import Path

from lzu.datasets import marks
from lzu.datasets.raw import file_state, folders_state

IMAGE_FOLDER = "Argoverse-1.1/tracking"
ANNOTATION_FOLDER = "Argoverse-HD/annotations"
FORMAT = "argoverse_hd"
"""Of the marks of a synthetic world in this layout."""

WHERE = (
    "get the images of Argoverse 1.1 (3D tracking, ring_front_center) from "
    "https://www.argoverse.org/av1.html and the annotations (Argoverse-HD) from "
    "https://www.cs.cmu.edu/~mengtial/proj/streaming/, and unpack both into that folder"
)


def annotation_path(root: str | os.PathLike[str], split: str) -> Path:
    """Where the annotations of a split are expected."""
    return Path(root) / ANNOTATION_FOLDER / f"{split}.json"


def is_synthetic(root: str | os.PathLike[str]) -> bool:
    """Whether a root holds a synthetic world that this project wrote in this layout."""
    return marks.is_synthetic(root, FORMAT)


def raw_state(root: str | os.PathLike[str], split: str) -> dict[str, str]:
    """What changes when the raw files of a split do, without reading any: the annotation file's
    size and time, and the state of the images' folders (see `folders_state`)."""
    base = Path(root)
    folders = (base / IMAGE_FOLDER / split).glob("*/*/")
    return {
        "annotations": file_state(annotation_path(root, split)),
        "images": folders_state(base, folders),
    }
