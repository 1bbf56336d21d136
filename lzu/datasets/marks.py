"""The marks of synthetic worlds: files in a root that say that this project wrote it, and how."""

import json
import os
from pathlib import Path

MARKERS = {split: f"world-{split}.json" for split in ("train", "val")}
"""File in the root of a synthetic world; the real dataset has none."""
SEALS = {split: f".lzu-world-{split}.json" for split in ("train", "val")}
"""A copy of it: workflow managers delete the files that a rule declares before they run it again,
and we must still know our own data from others'."""
WORLD_SCHEMA = "lzu-world/2"
"""Of marks and seals."""


def identity(form: str, split: str) -> dict[str, str]:
    """What every mark of `split` has, by which a root is known for a world of the format `form`."""
    return {"schema": WORLD_SCHEMA, "format": form, "split": split}


def is_synthetic(root: str | os.PathLike[str], form: str) -> bool:
    """Whether a root holds a synthetic world that this project wrote in the format `form`.

    A mark or seal tells so by what is in it: another file of its name does not.
    """
    return any(
        _is_mark(Path(root) / name, identity(form, split))
        for names in (MARKERS, SEALS)
        for split, name in names.items()
    )


def _is_mark(path: Path, wanted: dict[str, str]) -> bool:
    if not path.is_file():
        return False
    try:
        said = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(said, dict) and wanted.items() <= said.items()
