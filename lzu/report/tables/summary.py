"""What a suite prints at its end."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from lzu.errors import UserError


def summary(text_table: str, paths: Sequence[str | os.PathLike[str]]) -> str:
    """The terminal table and, below it, where the files are.

    Raises:
        UserError: for a path that does not exist.
    """
    for path in paths:
        if not Path(path).exists():
            raise UserError(f"{path}: was not written; run its rule again")
    listed = "\n".join(f"  {Path(path).as_posix()}" for path in paths)
    return f"{text_table.rstrip()}\n\nWritten:\n{listed}\n"


def print_summary(
    table_file: str | os.PathLike[str],
    paths: Sequence[str | os.PathLike[str]],
    stream: TextIO | None = None,
) -> None:
    """Print `summary` of the plain-text table in `table_file` to `stream` (standard output).

    Raises:
        UserError: for a file that is missing.
    """
    try:
        text = Path(table_file).read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{table_file}: cannot be read ({error}); run the tables rule") from error
    (stream or sys.stdout).write(summary(text, paths))
