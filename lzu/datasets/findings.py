"""What a validator found, in one report."""

import json
import os
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lzu.errors import UserError
from lzu.files import write_text

SHOWN = 5
"""Findings of one kind that a printed report shows."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        kind: short name of the kind of problem, such as "image_missing".
        severity: "error" or "warning".
        file: the file that is wrong or holds what is wrong.
        id: id of the record in that file, None if none is meant.
        message: what is wrong, without file and id.
    """

    kind: str
    severity: str
    file: str
    id: int | str | None
    message: str

    def __str__(self) -> str:
        where = self.file if self.id is None else f"{self.file}, id {self.id}"
        return f"{where}: {self.message}"


@dataclass(frozen=True)
class Report:
    """All findings about one split.

    Attributes:
        dataset, root, split: what was looked at.
        images, annotations: how many there are.
        unit: what annotations are.
        findings: in order of discovery.
        not_learned: how many boxes are no objects to learn, by why (see `lzu.datasets.objects`).
    """

    dataset: str
    root: str
    split: str
    images: int
    annotations: int
    findings: tuple[Finding, ...]
    not_learned: dict[str, int] = field(default_factory=dict)
    unit: str = "boxes"

    @property
    def counts(self) -> dict[str, int]:
        """Number of findings by kind."""
        return dict(Counter(finding.kind for finding in self.findings))

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that forbid using the data."""
        return tuple(finding for finding in self.findings if finding.severity == "error")

    def text(self, shown: int = SHOWN) -> str:
        """Readable report with at most `shown` findings of each kind."""
        head = f"{self.dataset} {self.split} at {self.root}"
        size = f"{self.images} images, {self.annotations} {self.unit}"
        if left_out := {why: number for why, number in self.not_learned.items() if number}:
            listed = ", ".join(f"{why.replace('_', ' ')}: {n}" for why, n in left_out.items())
            size += f" (training and priors leave out {listed})"
        if not self.findings:
            return f"{head}: {size}, nothing wrong"
        errors = len(self.errors)
        lines = [f"{head}: {size}, {errors} errors, {len(self.findings) - errors} warnings"]
        for kind, count in self.counts.items():
            same = [finding for finding in self.findings if finding.kind == kind]
            lines.append(f"  {kind} ({same[0].severity}): {count}")
            lines += [f"    {finding}" for finding in same[:shown]]
            if count > shown:
                lines.append(f"    ... and {count - shown} more")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Everything, fit for JSON."""
        return asdict(self) | {"schema": "lzu-validation/1", "counts": self.counts}

    def publish(self, path: str | os.PathLike[str]) -> "Report":
        """Write the report to a JSON file, errors or not; return it, or raise as below."""
        write_text(path, json.dumps(self.to_dict(), indent=1) + "\n")
        self.raise_if_errors(str(Path(path)))
        return self

    def raise_if_errors(self, full_list: str | None = None) -> None:
        """Raise UserError with the readable report if there is any error.

        `full_list` names the file that holds all findings.
        """
        if self.errors:
            where = f"\n  all findings: {full_list}" if full_list else ""
            raise UserError(
                f"the dataset has errors; mend or get again the files named:\n{self.text()}{where}"
            )
