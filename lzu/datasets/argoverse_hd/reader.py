"""Reader of Argoverse-HD's files, real or synthetic.

Boxes are left, top, width, height in pixels.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lzu.datasets.argoverse_hd.layout import IMAGE_FOLDER, WHERE, annotation_path, is_synthetic
from lzu.errors import UserError

KEYS = {
    "categories": ("id", "name"),
    "images": ("id", "sid", "fid", "name", "width", "height"),
    "annotations": ("id", "image_id", "category_id", "bbox"),
}
"""Required lists of records, with the keys that each record must have."""


@dataclass(frozen=True)
class ArgoverseHD:
    """One split as it stands in its JSON file, not yet validated.

    Attributes:
        root: folder of the dataset.
        split: "train", "val", or another file's stem.
        path: the annotation file.
        data: its content.
    """

    root: Path
    split: str
    path: Path
    data: dict[str, Any]

    def file_name(self, image: dict[str, Any]) -> str:
        """Path of an image relative to the root, with forward slashes."""
        return f"{IMAGE_FOLDER}/{self.data['seq_dirs'][image['sid']].strip('/')}/{image['name']}"

    @property
    def source(self) -> str:
        """ "synthetic" or "real"."""
        return "synthetic" if is_synthetic(self.root) else "real"


def load(root: str | os.PathLike[str], split: str) -> ArgoverseHD:
    """Read the annotations of a split.

    Raises:
        UserError: the root or the file is missing (says where to get the dataset), the file is no
            valid JSON (says the line and column), or it is not laid out as Argoverse-HD's.
    """
    root, path = Path(root), annotation_path(root, split)
    if not root.is_dir() or not any(root.iterdir()):
        state = "is empty" if root.is_dir() else "does not exist"
        raise UserError(f"the Argoverse-HD root {root} {state} (expected {path}): {WHERE}")
    if not path.is_file():
        raise UserError(f"Argoverse-HD's annotations are missing: expected {path}: {WHERE}")
    data = _read(path)
    if not isinstance(data, dict):
        raise UserError(f"{path} holds a {type(data).__name__}, not an object: get it again")
    missing = [key for key in (*KEYS, "seq_dirs") if not isinstance(data.get(key), list)]
    if missing:
        raise UserError(
            f"{path} has no list {', '.join(map(repr, missing))}: it is not an annotation file of "
            f"Argoverse-HD; {WHERE}"
        )
    return ArgoverseHD(root, split, path, data)


class _RepeatedKeyError(Exception):
    """An object of a JSON file has a key twice."""


def _read(path: Path) -> Any:
    """The content of a JSON file from outside; UserError for whatever is no JSON."""
    try:
        return json.loads(path.read_bytes().decode("utf-8"), object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        raise UserError(
            f"{path} is not valid JSON at line {error.lineno}, column {error.colno} "
            f"({error.msg}; the file has {path.stat().st_size} bytes): "
            "it is probably truncated; get it again"
        ) from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not text (byte {error.start}): get it again") from None
    except _RepeatedKeyError as error:
        raise UserError(f"{path}: {error}, and which value is meant is unknown: keep one") from None
    except RecursionError:
        raise UserError(
            f"{path} is nested too deeply for an annotation file of Argoverse-HD: get it again"
        ) from None
    except ValueError as error:  # a number of more digits than Python reads
        raise UserError(f"{path} holds a number that is none ({error}): get it again") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror})") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        key = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        who = f"with id {found['id']!r:.40} " if isinstance(found.get("id"), int | str) else ""
        raise _RepeatedKeyError(f"an object {who}has the key {key!r:.60} twice")
    return found
