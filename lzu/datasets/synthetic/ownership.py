"""What the writer of a synthetic world may delete: what it made, and nothing else.

A mark says that a root is ours by its content; a file that merely has its name says nothing. Even
then the user may have put something there since, or linked a part of the root from elsewhere, so
whatever is to go is looked through first.
"""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

from lzu.datasets.argoverse_hd.layout import (
    IMAGE_FOLDER,
    MARKERS,
    SEALS,
    annotation_path,
)
from lzu.errors import UserError

CAMERA = "ring_front_center"


def sequence_name(split: str, index: int) -> str:
    """Folder name of a sequence."""
    return f"synthetic-{split}-{index:04d}"


def refuse_foreign(root: Path, split: str) -> None:
    """Raise UserError if something of `split` below `root` that is to be replaced is not ours."""
    images, annotations = Path(IMAGE_FOLDER) / split, annotation_path("", split)
    for part in (images, annotations, Path(MARKERS[split]), Path(SEALS[split])):
        for path in (root / part, *(root / folder for folder in part.parents)):
            if path != root and path.is_symlink():
                raise UserError(
                    f"{path} is a link, and the world writer replaces nothing behind one: remove "
                    "it (the root itself may be a link), or give another dataset.root"
                )
    for path in (*_foreign_images(root / images, split), *_foreign_file(root, split)):
        raise UserError(
            f"{path}: not of the synthetic world, whose {split} split is to be replaced here: move "
            "it elsewhere, or give another dataset.root"
        )


def is_leftover(folder: Path, split: str) -> bool:
    """Whether a folder that a writer of `split` may have left holds what it makes, and no more."""
    if folder.is_symlink() or not folder.is_dir():
        return False
    images, annotations = Path(IMAGE_FOLDER) / split, annotation_path("", split)
    known = {path for part in (images, annotations) for path in (part, *part.parents)}
    for path in _walk(folder, without=images):
        part = path.relative_to(folder)
        if part not in known or path.is_symlink() or path.is_dir() == (part == annotations):
            return False
    return not any(_foreign_images(folder / images, split))


def _walk(folder: Path, without: Path) -> Iterator[Path]:
    """All below `folder`, but for what is in one of its folders; links are not followed."""
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            yield Path(place) / name
        folders[:] = [name for name in folders if Path(place) / name != folder / without]


def _foreign_images(folder: Path, split: str) -> Iterator[Path]:
    """What the folder of a split's images holds and the writer does not make."""
    frames = re.compile(rf"{CAMERA}_\d+\.jpg")
    names = re.compile(re.escape(sequence_name(split, 0)).removesuffix("0000") + r"\d{4,}")
    for sequence in _entries(folder):
        if not names.fullmatch(sequence.name) or not sequence.is_dir(follow_symlinks=False):
            yield Path(sequence)
            continue
        for camera in _entries(Path(sequence)):
            if camera.name != CAMERA or not camera.is_dir(follow_symlinks=False):
                yield Path(camera)
                continue
            for frame in _entries(Path(camera)):
                if not frames.fullmatch(frame.name) or not frame.is_file(follow_symlinks=False):
                    yield Path(frame)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    if not folder.exists():
        return []
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder: remove it, or give another dataset.root")
    with os.scandir(folder) as found:
        return sorted(found, key=lambda entry: entry.name)


def _foreign_file(root: Path, split: str) -> Iterator[Path]:
    """The annotations of `split`, if they are not of a synthetic world."""
    path = annotation_path(root, split)
    if not path.exists():
        return
    beginning = f"{split}/{sequence_name(split, 0)}".removesuffix("0000")
    try:
        folders = json.loads(path.read_bytes())["seq_dirs"]
        ours = all(folder.startswith(beginning) for folder in folders)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        ours = False
    if not ours:
        yield path
