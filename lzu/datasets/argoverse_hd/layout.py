"""Where Argoverse-HD's files are below a root: images in
`Argoverse-1.1/tracking/{seq_dirs[sid]}/{name}`, annotations in
`Argoverse-HD/annotations/{train,val}.json`.
"""

import hashlib
import os
from pathlib import Path

from lzu.datasets import marks

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


def raw_state(root: str | os.PathLike[str], split: str) -> dict[str, str] | None:
    """What changes when the raw files of a split do, without reading any: cheap for a million.

    The annotation file's size and time, and the times of the folders that hold its images (a
    folder's time changes when a file comes, goes or is renamed). An image that is overwritten in
    its place is not noticed here, but by the fingerprint when the split is prepared again.

    None for a synthetic world: that follows from its settings.
    """
    base = Path(root)
    if is_synthetic(root):
        return None
    path = annotation_path(root, split)
    state = path.stat() if path.is_file() else None
    digest = hashlib.sha256()
    for folder in sorted((base / IMAGE_FOLDER / split).glob("*/*/")):
        digest.update(f"{folder.relative_to(base)} {folder.stat().st_mtime_ns}\n".encode())
    about = "missing" if state is None else f"{state.st_size} {state.st_mtime_ns}"
    return {"annotations": about, "images": digest.hexdigest()}
