"""Findings as they are collected from tables of millions of rows."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from lzu.datasets.findings import Finding
from lzu.datasets.nuscenes.tables import Row, Table

MOST = 1000
"""Findings of one kind in one file that are kept; of the others the number is told."""


@dataclass
class Collected:
    """Findings so far, all of them errors."""

    found: list[Finding] = field(default_factory=list)
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, kind: str, file: Path, token: str | None, text: str) -> None:
        """One more thing that is wrong, with the row that has `token`."""
        self.counts[kind, str(file)] += 1
        if self.counts[kind, str(file)] <= MOST:
            self.found.append(Finding(kind, "error", str(file), token, text))

    def all(self) -> tuple[Finding, ...]:
        """The findings, and one for each kind that has more than are kept."""
        more = (
            Finding(kind, "error", file, None, f"{count - MOST:,} more of this kind, not listed")
            for (kind, file), count in self.counts.items()
            if count > MOST
        )
        return (*self.found, *more)


def refers(
    table: Table, row: Row, key: str, targets: object, name: str, problems: Collected
) -> bool:
    """Whether a row's `key` is a token of the table `name`; a finding says if it is not."""
    token = table.text(row, key)
    if token in targets:  # type: ignore[operator]
        return True
    text = f"{key} {token!r} is no token of {name}.json"
    problems.add("dangling_token", table.path, table.text(row, "token"), text)
    return False


def by_token(table: Table, problems: Collected) -> dict[str, Row]:
    """All rows of a small table."""
    rows: dict[str, Row] = {}
    for row in table:
        token = table.text(row, "token")
        if token in rows:
            problems.add("duplicate_token", table.path, token, "another row has this token, too")
        rows[token] = row
    return rows
