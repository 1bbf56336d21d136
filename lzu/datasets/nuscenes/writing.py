"""Writes a long file line by line, and goes on where a writing that was cut off had come to."""

import hashlib
import os
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import BinaryIO


def write_lines(
    path: str | os.PathLike[str],
    head: str,
    count: int,
    lines: Callable[[int], Iterator[str]],
    end: str,
) -> int:
    """Write `head`, `count` lines and `end` to `path`, which appears when it is whole.

    Until then the lines are in a hidden file beside it, which a writing that was cut off leaves
    behind. The next one with an equal head, by equal code, keeps the lines that are whole there.

    Args:
        path: of the file.
        head: what all lines follow from.
        count: of lines between head and end.
        lines: number of a line -> that line and all after it, without line ends.
        end: last line.

    Returns:
        How many lines were kept.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    key = hashlib.sha256(head.encode() + _code()).hexdigest()[:16]
    own = path.with_name(f".{path.stem}.{key}.partial{path.suffix}")
    for other in path.parent.glob(f".{path.stem}.*.partial{path.suffix}"):
        if other != own:
            other.unlink(missing_ok=True)
    with open(own, "a+b") as file:
        kept = _whole_lines(file, head, count)
        if not kept:
            file.truncate(0)
            file.write(f"{head}\n".encode())
        for line in lines(kept):
            file.write(f"{line}\n".encode())
        file.write(f"{end}\n".encode())
    os.replace(own, path)
    return kept


def _whole_lines(file: BinaryIO, head: str, count: int) -> int:
    """How many of the `count` lines after the head are whole; what follows them is removed."""
    file.seek(0)
    if file.readline() != f"{head}\n".encode():
        return 0
    number, whole = 0, file.tell()
    for line in islice(file, count):
        if line.endswith(b"\n"):
            number, whole = number + 1, whole + len(line)
    file.truncate(whole)
    return number


def _code() -> bytes:
    """What writes the lines."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    return b"".join(file.read_bytes() for file in files)
