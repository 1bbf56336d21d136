"""The tables of nuScenes, read row by row: a table is a JSON list of up to millions of objects.

Memory is that of one row and a piece of the file, however long the table is.
"""

import json
import os
import re
import reprlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from lzu.datasets.nuscenes.layout import TABLES, VERSIONS, WHERE, source_of, table_path
from lzu.errors import UserError

PIECE = 2**20
"""Characters of a file that are read at once."""
LONGEST_ROW = 2**24
"""In characters; what is longer is no row."""
LARGEST = 2**53
"""Of an integer: JSON's readers and NumPy agree about numbers up to there."""

OFTEN = 500_000
"""Rows of a table after which a line tells so."""

Row = dict[str, Any]
Say = Callable[[str], None]
"""Is told how far a long step is, a line at a time."""

_SPACE = re.compile(r"[ \t\r\n]*")
_short = reprlib.Repr()
_short.maxstring = _short.maxother = _short.maxlong = 60


@dataclass(frozen=True)
class Table:
    """A table's file; iterating over it gives its rows.

    Its methods give a value of a row, and raise UserError with file, token, problem and mend if the
    row has no such key or a value of another type there. NaN and infinity are numbers to them.
    """

    path: Path

    def __iter__(self) -> Iterator[Row]:
        return _rows(self.path)

    def text(self, row: Row, key: str) -> str:
        """A string."""
        value = row.get(key)
        if type(value) is not str:
            raise self._wrong(row, key, "a string")
        return value

    def texts(self, row: Row, key: str) -> list[str]:
        """A list of strings."""
        value = row.get(key)
        if type(value) is not list or any(type(one) is not str for one in value):
            raise self._wrong(row, key, "a list of strings")
        return value

    def integer(self, row: Row, key: str) -> int:
        """A whole number from 0 on."""
        value = row.get(key)
        if type(value) is not int or not 0 <= value <= LARGEST:
            raise self._wrong(row, key, "a whole number from 0 on")
        return value

    def flag(self, row: Row, key: str) -> bool:
        """True or false."""
        value = row.get(key)
        if type(value) is not bool:
            raise self._wrong(row, key, "true or false")
        return value

    def numbers(self, row: Row, key: str, count: int) -> list[float]:
        """A list of so many numbers."""
        value = row.get(key)
        if type(value) is not list or len(value) != count or not _are_numbers(value):
            raise self._wrong(row, key, f"a list of {count} numbers")
        return value

    def _wrong(self, row: Row, key: str, wanted: str) -> UserError:
        where = f"{self.path}, token {_short.repr(row.get('token'))}"
        problem = (
            f"{key!r} is {_short.repr(row[key])}, not {wanted}"
            if key in row
            else f"the row has no key {key!r}"
        )
        return UserError(f"{where}: {problem}; get the table again, or correct the row")


def table(root: str | os.PathLike[str], version: str, name: str) -> Table:
    """A table by its name; see `require`."""
    return Table(table_path(root, version, name))


def watched(table: Table, say: Say) -> Iterator[Row]:
    """The rows of a large table, with a line now and then."""
    say(f"reading {table.path}")
    for number, row in enumerate(table):
        if number and number % OFTEN == 0:
            say(f"reading {table.path}: row {number:,}")
        yield row


def require(root: str | os.PathLike[str], version: str) -> None:
    """Raise UserError if the root or one of its tables is missing; it says where to get them."""
    root = Path(root)
    if not root.is_dir() or not any(root.iterdir()):
        state = "is empty" if root.is_dir() else "does not exist"
        raise UserError(f"the nuScenes root {root} {state} (expected {root / version}): {WHERE}")
    if version != VERSIONS[0] and source_of(root, root.resolve().name) == "synthetic":
        raise UserError(
            f"{root}: a synthetic world has no {version}; set dataset.version to {VERSIONS[0]}"
        )
    missing = [name for name in TABLES if not table_path(root, version, name).is_file()]
    if missing:
        files = ", ".join(f"{name}.json" for name in missing)
        raise UserError(f"{root / version} has no {files}, tables of nuScenes: {WHERE}")


def _are_numbers(values: list[Any]) -> bool:
    # A whole number of hundreds of digits is none that can be computed with.
    return all(
        type(value) is float or (type(value) is int and -LARGEST <= value <= LARGEST)
        for value in values
    )


def _rows(path: Path) -> Iterator[Row]:
    try:
        with open(path, encoding="utf-8") as file:
            yield from _decoded(path, file)
    except FileNotFoundError:
        raise UserError(f"{path}: the table is missing: {WHERE}") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not text ({error.reason}): get it again") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror})") from None


def _decoded(path: Path, file: TextIO) -> Iterator[Row]:
    """The objects of a list, each as soon as it is read."""
    decode = json.JSONDecoder().raw_decode
    held, at, before, number = "", 0, 0, 0
    wanted = "["
    while True:
        at = _SPACE.match(held, at).end()  # type: ignore[union-attr]
        if at == len(held):
            before, held, at = before + at, file.read(PIECE), 0
            if not held:
                raise _no_json(path, before, f"it ends where {wanted} should follow")
            continue
        sign = held[at]
        if wanted.startswith("["):
            if sign != "[":
                raise UserError(f"{path} holds no list of rows, so it is no table: get it again")
            at, wanted = at + 1, "a row or ]"
        elif sign == "]" and wanted != "a row":
            if held[at + 1 :].strip() or file.read(PIECE).strip():
                raise _no_json(path, before + at, "something follows its list")
            return
        elif wanted.startswith(","):
            if sign != ",":
                raise _no_json(path, before + at, "no comma follows a row")
            at, wanted = at + 1, "a row"
        else:
            try:
                row, at = decode(held, at)
            except (ValueError, RecursionError) as error:
                more = file.read(PIECE) if len(held) - at < LONGEST_ROW else ""
                if not more:
                    raise _no_json(path, before + at, f"in row {number}, {error}") from None
                before, held, at = before + at, held[at:] + more, 0
                continue
            if type(row) is not dict:
                raise UserError(
                    f"{path}: row {number} is {_short.repr(row)}, not an object; get the table "
                    "again, or correct the row"
                )
            yield row
            number, wanted = number + 1, ", or ]"


def _no_json(path: Path, at: int, problem: str) -> UserError:
    return UserError(
        f"{path} is not valid JSON from character {at} on ({problem}; the file has "
        f"{path.stat().st_size} bytes): it is probably truncated; get it again"
    )
