"""Choosing the results of one suite, machine, dataset and device: columns never mix them."""

import pandas as pd

from lzu.errors import UserError


def _values(frame: pd.DataFrame, column: str) -> list[str]:
    return sorted(frame[column].dropna().astype("str").unique())


def _of_machine(frame: pd.DataFrame, what: str, wanted: str | None, option: str) -> pd.DataFrame:
    machines = _values(frame, "machine")
    if wanted is None:
        if len(machines) > 1:
            raise UserError(
                f"{what} come from several machines ({', '.join(machines)}), which a column must "
                f"not mix; choose one with {option}"
            )
        return frame
    if machines and wanted not in machines:
        raise UserError(f"{option}: no {what} of {wanted!r}; choose from {', '.join(machines)}")
    return frame[frame["machine"] == wanted]


def _refuse_mixture(frame: pd.DataFrame, column: str, what: str, mend: str) -> None:
    values = _values(frame, column)
    if len(values) > 1:
        files = [
            frame.loc[frame[column].astype("str") == value, "file"].iloc[0] for value in values
        ]
        listed = "; ".join(f"{v}: {f}" for v, f in zip(values, files, strict=True))
        raise UserError(f"{what} have several values of {column} ({listed}); {mend}")


def select(
    collected: pd.DataFrame,
    suite: str,
    task: str,
    machine: str | None = None,
    timing_machine: str | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The scores and the timings of one suite and task that may stand in one table.

    Args:
        machine: whose scores; None where all come from one machine.
        timing_machine: whose timings; None where all come from one machine, or to take those of
            `machine`.

    Raises:
        UserError: for several machines with none chosen, a chosen one that has no results, scores
            on different datasets or splits, and timings on different devices, types or threads.
    """
    own = collected[(collected["suite"] == suite) & (collected["task"] == task)]
    scores = _of_machine(own[own["kind"] == "score"], "scores", machine, "machine")
    timings = own[own["kind"] == "timing"]
    machines = _values(timings, "machine")
    if timing_machine is None and len(machines) > 1 and machine in machines:
        timing_machine = machine
    timings = _of_machine(timings, "timings", timing_machine, "timing_machine")
    for column in ("dataset", "dataset_source", "dataset_fingerprint", "split", "images"):
        _refuse_mixture(
            scores, column, "scores", "score all runs on one dataset: run the score rule again"
        )
    for column in ("device", "dtype", "threads"):
        _refuse_mixture(
            timings, column, "timings", "time all methods alike: run the time rule again"
        )
    return scores, timings
