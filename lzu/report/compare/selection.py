"""Choosing what may stand in one table: one dataset, one device, one code for a row's machines.

Scores of several machines are pooled, a run being a seed on a machine, as long as the machines
measured the same thing. Latencies of several machines never are.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from lzu.errors import UserError

DATA = ("dataset", "dataset_source", "dataset_fingerprint", "split", "images")
DEVICE = ("device", "dtype", "threads")
ROW = ("method", "from_scale", "to_scale", "options")
TRAINED = ("trained_data", "trained_saliency")
CHOOSE = (
    "set `machine` in the suite file to one of them; if they are of one kind, give them one name "
    "before results are made, by `machine_name` there or LZU_MACHINE"
)


@dataclass(frozen=True)
class Selected:
    """The scores and the timings of a table; `left_out` says whose scores were, and why."""

    scores: pd.DataFrame
    timings: pd.DataFrame
    left_out: str | None = None


def values_of(frame: pd.DataFrame, column: str) -> list[str]:
    """The different values of a column as texts, sorted, without empty ones."""
    return sorted(frame[column].dropna().astype("str").unique())


def select(collected: pd.DataFrame, machine: str | None = None) -> Selected:
    """The scores and the timings that may stand in one table.

    Args:
        machine: whose timings; None where all come from one machine. Its scores alone are taken
            where those of several machines are not of one kind.

    Raises:
        UserError: for timings of several machines with none chosen, or of none that was chosen;
            scores of several machines that differ in data, code or settings with none chosen;
            scores on different datasets or splits; timings on different devices, types or threads.
    """
    scores = collected[collected["kind"] == "score"]
    timings = _of_machine(collected[collected["kind"] == "timing"], machine)
    reason = _apart(scores)
    left_out = None
    if reason is not None:
        machines = values_of(scores, "machine")
        if machine not in machines:
            raise UserError(
                f"scores of several machines ({', '.join(machines)}) are not averaged: {reason}; "
                f"{CHOOSE}, or run again what differs"
            )
        scores = scores[scores["machine"] == machine]
        others = ", ".join(name for name in machines if name != machine)
        left_out = f"Scores from {others} are left out: {reason}."
    _refuse_mixture(scores, DATA, "scores", "score all runs on one dataset")
    if reason := _trained_apart(scores):
        raise UserError(f"seeds have {reason}; train all on one dataset")
    _refuse_mixture(timings, DEVICE, "timings", "time all methods alike: run `lzu time` again")
    return Selected(scores, timings, left_out)


def _of_machine(timings: pd.DataFrame, wanted: str | None) -> pd.DataFrame:
    machines = values_of(timings, "machine")
    if wanted is None:
        if len(machines) > 1:
            raise UserError(
                f"latencies come from several machines ({', '.join(machines)}), which are never "
                f"mixed; {CHOOSE}"
            )
        return timings
    if machines and wanted not in machines:
        raise UserError(
            f"machine: there are no latencies of {wanted!r}, but of {', '.join(machines)}; {CHOOSE}"
        )
    return timings[timings["machine"] == wanted]


def _apart(scores: pd.DataFrame) -> str | None:
    """Why the scores of several machines cannot be pooled, with two files; None if they can."""
    if scores["machine"].nunique() < 2:
        return None
    for column in DATA:
        if scores.groupby("machine")[column].agg(_kinds).nunique() > 1:
            return _differing(scores, column)
    for keys, column in (([*ROW, "seed"], "stamp"), ([*ROW], "git_commit")):
        for _, own in scores.groupby(keys):
            if own["machine"].nunique() > 1 and own[column].nunique(dropna=False) > 1:
                return _differing(own, column)
    return _trained_apart(scores)


def _trained_apart(scores: pd.DataFrame) -> str | None:
    """Why the seeds of a row cannot be averaged: other training data or priors, where known."""
    for column in TRAINED:
        for _, own in scores.groupby([*ROW]):
            if own[column].nunique() > 1:
                return _differing(own.dropna(subset=[column]), column)
    return None


def _kinds(values: pd.Series) -> str:
    return ", ".join(sorted(values.dropna().astype("str").unique()))


def _differing(frame: pd.DataFrame, column: str) -> str:
    """The values of a column, each with a file that has it."""
    first = frame.drop_duplicates(column)
    listed = "; ".join(f"{v}: {f}" for v, f in zip(first[column], first["file"], strict=True))
    return f"several values of {column} ({listed})"


def _refuse_mixture(frame: pd.DataFrame, columns: Sequence[str], what: str, mend: str) -> None:
    for column in columns:
        if frame[column].nunique() > 1:
            raise UserError(f"{what} have {_differing(frame, column)}; {mend}")
