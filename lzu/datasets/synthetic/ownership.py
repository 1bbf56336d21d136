"""What the writer of a synthetic world may delete: what it made, and nothing else.

A mark says that a root is ours by its content; a file that merely has its name says nothing. Even
then the user may have put something there since, or linked a part of the root from elsewhere, so
whatever is to go is looked through first.
"""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lzu.datasets.marks import MARKERS, SEALS
from lzu.errors import UserError


@dataclass(frozen=True)
class Part:
    """A file or a folder of a split that is replaced as a whole.

    Attributes:
        path: below the root.
        levels: of a folder: patterns of the names in it, of those in these folders, and so on; the
            last one is of files. None: it is a file.
        is_ours: of a file: whether it is one of a synthetic world, by its content.
    """

    path: Path
    levels: tuple[str, ...] | None = None
    is_ours: Callable[[Path], bool] = lambda path: True


def refuse_foreign(root: Path, parts: tuple[Part, ...], split: str) -> None:
    """Raise UserError if something of `split` below `root` that is to be replaced is not ours."""
    for part in (*(one.path for one in parts), Path(MARKERS[split]), Path(SEALS[split])):
        for path in (root / part, *(root / folder for folder in part.parents)):
            if path != root and path.is_symlink():
                raise UserError(
                    f"{path} is a link, and the world writer replaces nothing behind one: remove "
                    "it (the root itself may be a link), or give another dataset.root"
                )
    for path in (path for part in parts for path in _foreign(root, part, contents=True)):
        raise UserError(
            f"{path}: not of the synthetic world, whose {split} split is to be replaced here: move "
            "it elsewhere, or give another dataset.root"
        )


def is_leftover(folder: Path, parts: tuple[Part, ...]) -> bool:
    """Whether a folder that a writer of `parts` may have left holds what it makes, and no more."""
    if folder.is_symlink() or not folder.is_dir():
        return False
    files = {part.path for part in parts if part.levels is None}
    folders = {part.path for part in parts} - files
    known = {path for part in parts for path in (part.path, *part.path.parents)}
    for path in _walk(folder, without={folder / one for one in folders}):
        below = path.relative_to(folder)
        if below not in known or path.is_symlink() or path.is_dir() == (below in files):
            return False
    return not any(path for part in parts for path in _foreign(folder, part, contents=False))


def _walk(folder: Path, without: set[Path]) -> Iterator[Path]:
    """All below `folder`, but for what is in some of its folders; links are not followed."""
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            yield Path(place) / name
        folders[:] = [name for name in folders if Path(place) / name not in without]


def _foreign(root: Path, part: Part, contents: bool) -> Iterator[Path]:
    """What is there of a part and the writer does not make; `contents`: files are looked into."""
    path = root / part.path
    if part.levels is not None:
        yield from _below(path, part.levels)
    elif contents and path.exists() and not part.is_ours(path):
        yield path


def _below(folder: Path, levels: tuple[str, ...]) -> Iterator[Path]:
    pattern = re.compile(levels[0])
    for entry in _entries(folder):
        is_file = len(levels) == 1
        fits = entry.is_file if is_file else entry.is_dir
        if not pattern.fullmatch(entry.name) or not fits(follow_symlinks=False):
            yield Path(entry)
        elif not is_file:
            yield from _below(Path(entry), levels[1:])


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    if not folder.exists():
        return []
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder: remove it, or give another dataset.root")
    with os.scandir(folder) as found:
        return sorted(found, key=lambda entry: entry.name)
