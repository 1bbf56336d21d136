"""Where Argoverse-HD's files are below a root: images in
`Argoverse-1.1/tracking/{seq_dirs[sid]}/{name}`, annotations in
`Argoverse-HD/annotations/{train,val}.json`.
"""

import hashlib
import json
import os
from pathlib import Path

IMAGE_FOLDER = "Argoverse-1.1/tracking"
ANNOTATION_FOLDER = "Argoverse-HD/annotations"
MARKERS = {split: f"world-{split}.json" for split in ("train", "val")}
"""File in the root of a synthetic world; the real dataset has none."""
SEALS = {split: f".lzu-world-{split}.json" for split in ("train", "val")}
"""A copy of it: workflow managers delete the files that a rule declares before they run it again,
and we must still know our own data from others'."""
WORLD_SCHEMA = "lzu-world/2"
"""Of marks and seals."""

WHERE = (
    "get the images of Argoverse 1.1 (3D tracking, ring_front_center) from "
    "https://www.argoverse.org/av1.html and the annotations (Argoverse-HD) from "
    "https://www.cs.cmu.edu/~mengtial/proj/streaming/, and unpack both into that folder"
)


def annotation_path(root: str | os.PathLike[str], split: str) -> Path:
    """Where the annotations of a split are expected."""
    return Path(root) / ANNOTATION_FOLDER / f"{split}.json"


def is_synthetic(root: str | os.PathLike[str]) -> bool:
    """Whether a root holds a synthetic world that this project wrote.

    A mark or seal tells so by what is in it: another file of its name does not.
    """
    return any(
        _is_mark(Path(root) / name, split)
        for names in (MARKERS, SEALS)
        for split, name in names.items()
    )


def _is_mark(path: Path, split: str) -> bool:
    if not path.is_file():
        return False
    try:
        said = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    wanted = {"schema": WORLD_SCHEMA, "format": "argoverse_hd", "split": split}
    return isinstance(said, dict) and wanted.items() <= said.items()


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
