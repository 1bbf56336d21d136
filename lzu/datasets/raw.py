"""Cheap summaries of raw files, by which it is noticed that they have changed."""

import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeVar

FOLDERS, FILES = 64, 2048
"""Of a split, in how many folders files are looked at, and at how many in all."""

T = TypeVar("T")


def file_state(path: Path) -> str:
    """Size and time of a file, or "missing"."""
    try:
        found = path.stat()
    except OSError:
        return "missing"
    return f"{found.st_size} {found.st_mtime_ns}"


def digest_of_sizes(root: Path, names: Iterable[str]) -> str:
    """A hash of files' names below `root`, as they come, and of their sizes in bytes."""
    digest = hashlib.sha256()
    for name in names:
        digest.update(f"{name} {(root / name).stat().st_size}\n".encode())
    return digest.hexdigest()


def folders_state(
    base: Path,
    folders: Iterable[Path],
    endings: tuple[str, ...] = ("",),
    *,
    most_folders: int = FOLDERS,
    most_files: int = FILES,
) -> str:
    """A hash that changes when the files in `folders` do, without reading any; cheap for a million.

    It holds every folder's time, which changes when a file comes, goes or is renamed, and the size
    and time of files that are spread evenly: of at most `most_files` in at most `most_folders`
    folders. So files that were overwritten in their place are noticed if they are all or many, or
    if there are few (in each folder no more than its share of `most_files`); of a large set a
    single one may not be.

    Args:
        base: below which paths are told, so that a copy elsewhere may have the same state.
        endings: of the names of the files that are looked at.
    """
    digest = hashlib.sha256()
    folders = sorted(folders)
    for folder in folders:
        digest.update(f"{folder.relative_to(base)} {folder.stat().st_mtime_ns}\n".encode())
    looked_in = _evenly(folders, most_folders)
    for folder in looked_in:
        names = sorted(name for name in os.listdir(folder) if name.endswith(endings))
        for name in _evenly(names, max(1, most_files // len(looked_in))):
            path = folder / name
            digest.update(f"{path.relative_to(base)} {file_state(path)}\n".encode())
    return digest.hexdigest()


def _evenly(items: Sequence[T], most: int) -> list[T]:
    """At most so many of the items, from the first one on at equal distances.

    >>> _evenly("abcdef", 3)
    ['a', 'c', 'e']
    """
    count = min(len(items), most)
    return [items[k * len(items) // count] for k in range(count)]
