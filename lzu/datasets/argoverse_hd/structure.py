"""Whether an annotation file's records are what Argoverse-HD's are: every value that is read has
its type and a size that all later steps can hold. What is not read is named, and left out."""

import reprlib
from collections.abc import Callable, Iterator
from typing import Any

from lzu.datasets.argoverse_hd.reader import KEYS, ArgoverseHD
from lzu.datasets.findings import Finding
from lzu.datasets.images import MOST_PIXELS

LARGEST = 2**53
"""Of an integer: JSON's readers and NumPy agree about numbers up to there."""
OPTIONAL = {"categories": (), "images": (), "annotations": ("iscrowd", "track")}
"""Keys that a record may have beside `KEYS`, and that are read."""
UNREAD = {"categories": ("supercategory",), "images": (), "annotations": ("area",)}
"""Keys that it usually has, and that are not read: a box's area follows from the box."""
LONGEST_NAME, LONGEST_PATH = 255, 2048

_short = reprlib.Repr()
_short.maxstring = _short.maxother = _short.maxlong = 60


def shown(value: Any) -> str:
    """A value in a message: short and printable, whatever it is."""
    return _short.repr(value)


def structure(dataset: ArgoverseHD) -> Iterator[Finding]:
    """Keys that are missing or not read, and values of the wrong type or size."""
    file, data = str(dataset.path), dataset.data
    for part in KEYS:
        if part != "annotations" and not data[part]:
            yield Finding("empty", "error", file, None, f"the list {part!r} is empty")
        yield from _records(file, part, data[part])
    yield from _folders(file, "seq_dirs", data["seq_dirs"])
    sequences = data.get("sequences", [])
    if not isinstance(sequences, list):
        text = f"'sequences' is {shown(sequences)}, not a list: name the sequences, or leave it out"
        yield Finding("bad_value", "error", file, None, text)
        return
    for place, name in enumerate(sequences):
        if problem := _text(name):
            text = f"sequences[{place}] is {shown(name)}, {problem}"
            yield Finding("bad_value", "error", file, None, text)


def _records(file: str, part: str, records: list[Any]) -> Iterator[Finding]:
    keys = KEYS[part]
    read = {*keys, *OPTIONAL[part]}
    known = read | {*UNREAD[part]}
    unread: dict[str, list[int]] = {}
    for place, record in enumerate(records):
        where = f"{part}[{place}]"
        if not isinstance(record, dict):
            text = f"{where} is {shown(record)}, not an object"
            yield Finding("bad_record", "error", file, None, text)
            continue
        who = None if _integer(record.get("id")) else record["id"]
        if missing := [key for key in keys if key not in record]:
            text = f"{where} has no key {', '.join(map(repr, missing))}"
            yield Finding("missing_key", "error", file, who, text)
            continue
        for key, value in record.items():
            if key not in known:
                unread.setdefault(key, []).append(place)
            elif key in read and (problem := VALUES[key](value)):
                text = f"{where}: {key!r} is {shown(value)}, {problem}"
                yield Finding("bad_value", "error", file, who, text)
    for key, places in unread.items():
        text = (
            f"{part}[{places[0]}] has a key {shown(key)}, which is not read and left out "
            f"({len(places)} of {len(records)} have it)"
        )
        yield Finding("unread_key", "warning", file, None, text)


def _folders(file: str, key: str, folders: list[Any]) -> Iterator[Finding]:
    seen: dict[str, int] = {}
    for place, folder in enumerate(folders):
        if problem := path_problem(folder):
            text = f"{key}[{place}] is {shown(folder)}, {problem}"
            yield Finding("bad_value", "error", file, None, text)
            continue
        first = seen.setdefault(folder.rstrip("/"), place)
        if first != place:
            text = f"{key}[{place}] is {shown(folder)}, which {key}[{first}] is already"
            yield Finding("duplicate_folder", "error", file, None, text)


def _integer(value: Any) -> str:
    if not isinstance(value, int) or isinstance(value, bool):
        return "not an integer"
    return "" if abs(value) <= LARGEST else f"not an integer of at most {LARGEST}"


def _side(value: Any) -> str:
    return _integer(value) or ("" if value <= MOST_PIXELS else f"more than {MOST_PIXELS} pixels")


def _box(value: Any) -> str:
    fits = isinstance(value, list) and len(value) == 4
    if fits and all(isinstance(one, float) or not _integer(one) for one in value):
        return ""
    return "not four numbers"


def _flag(value: Any) -> str:
    return "" if isinstance(value, int) and value in (0, 1) else "neither 0 nor 1"


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        return "not a text"
    return "" if value.isprintable() else "not a printable text"


def path_problem(value: Any) -> str:
    """What is wrong with a path that should lie below the images' folder; "" if nothing.

    It is looked at as text: it may neither be absolute nor hold "..". What the disk then has there
    may be a link to anywhere, as data on clusters often is; files are only read through it.
    """
    if problem := _text(value):
        return problem
    parts = value.rstrip("/").split("/")
    if value.startswith("/"):
        return "an absolute path: give it relative to the images' folder"
    if ".." in parts:
        return "a path out of the images' folder: give it without '..'"
    if "" in parts or "." in parts:
        return "a path with an empty part or '.': give it without"
    if len(value) > LONGEST_PATH or max(len(part.encode()) for part in parts) > LONGEST_NAME:
        return "too long for a path"
    return ""


VALUES: dict[str, Callable[[Any], str]] = {
    **dict.fromkeys(("id", "sid", "fid", "image_id", "category_id", "track"), _integer),
    **dict.fromkeys(("width", "height"), _side),
    "bbox": _box,
    "iscrowd": _flag,
    "name": path_problem,
}
"""What is wrong with a value, by key; "" if nothing."""
