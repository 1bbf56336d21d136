"""Whether results are of what the suite plans: its settings and, where they are there, its data.

A result file is found by its run's name, which says nothing of learning rates, data and the like.
So whoever shows or keeps results compares their stamps with those of the planned runs.
"""

from typing import Any

import pandas as pd

from lzu.errors import UserError
from lzu.experiments.context import Context
from lzu.experiments.run import Run
from lzu.results.collect import RUN_COLUMNS, options_text
from lzu.results.prior import parameters_of
from lzu.results.stamps import fingerprint, stamp_of, timing_stamp, trained_on

Key = tuple[Any, ...]
Trained = dict[str, str | None]


def agreeing(context: Context, frame: pd.DataFrame) -> pd.DataFrame:
    """`frame` (see `lzu.results.collect`), if all its results are of what the suite plans.

    Own results are compared with the data and priors that there are; kept ones, and own whose data
    is gone, with the suite's settings, given what they say that they were trained on. Older files
    do not say it: they stay, and their empty `trained_data`, or `stamp` of a timing, tells that
    nothing could be compared. What is not planned stays too: no table averages it with what is.

    Raises UserError that names a file of other settings, data or prior.
    """
    runs = {_key(run): run for run in context.runs}
    timed = {_key(run)[:-1]: run for run in context.timed_runs}
    stale: list[dict[str, Any]] = []
    proven: dict[str, Trained] = {}
    files: list[dict[str, Any]] = frame.drop_duplicates("file").to_dict("records")  # type: ignore[assignment]
    for row in files:
        key = tuple(row[name] for name in RUN_COLUMNS)
        if row["kind"] == "timing":
            run = timed.get(key[:-1])
            if run and pd.notna(row["stamp"]) and row["stamp"] != timing_stamp(context, run):
                stale.append(row)
            continue
        if key not in runs:
            continue
        today = _today(context, runs[key])
        told = today or _said(row)
        if told is not None and row["stamp"] != stamp_of(context, runs[key], told):
            stale.append(row)
        elif today is not None:
            proven[row["file"]] = today
    if stale:
        raise UserError(_message(context, stale))
    return _told(frame, proven)


def _key(run: Run) -> Key:
    scales = (run.from_scale, run.to_scale)
    return (run.suite, run.task, run.method, *scales, options_text(run.options), run.seed)


def _said(row: dict[str, Any]) -> Trained | None:
    """What a result says that it was trained on; None if it does not."""
    if pd.isna(row["trained_data"]):
        return None
    saliency = row["trained_saliency"]
    return {"data": row["trained_data"], "saliency": None if pd.isna(saliency) else saliency}


def _today(context: Context, run: Run) -> Trained | None:
    """What the run would be trained on today; None for kept results, and where that is gone."""
    if context.suite.mode == "cached":
        return None
    try:
        return trained_on(context, run)
    except UserError:
        return None


def _told(frame: pd.DataFrame, proven: dict[str, Trained]) -> pd.DataFrame:
    """The frame, in which what an equal stamp proves is told."""
    frame = frame.copy()
    for name in ("data", "saliency"):
        found = frame["file"].map({file: own[name] for file, own in proven.items()})
        found = found.astype("str").where(found.notna())
        column = f"trained_{name}"
        frame[column] = frame[column].fillna(found).astype(frame[column].dtype)
    return frame


def _message(context: Context, stale: list[dict[str, Any]]) -> str:
    first = stale[0]
    where = f"{first['method']} at {first['to_scale']:g} has in suite {context.suite.suite}"
    others = f" ({len(stale)} files are)" if len(stale) > 1 else ""
    if context.suite.mode == "cached":
        mend = (
            "keep results of these settings, with `lzu keep` where they are made; remove the file; "
            "or set the suite back"
        )
    elif first["kind"] == "timing":
        mend = "run `lzu time` again"
    else:
        mend = "train and score the run again"
    return f"{first['file']}: of other settings, data or prior than {where}{others}; {mend}"


def level_error_problem(context: Context, content: dict[str, Any]) -> str | None:
    """What of a file of Eq. 18's errors is not as the suite has it today; None if all is.

    Such a file tells the prior that it is of, so it needs no stamp.
    """
    spec = context.main_prior
    if spec is None:
        return "the suite plans no run that zooms by a prior"
    prior = content["prior"]
    if prior["parameters"] != parameters_of(context, spec):
        return "its prior was made with other settings"
    if content["warp"]["fwhm"] != spec.settings.fwhm:
        return "its warp has another fwhm"
    try:
        today = None if context.suite.mode == "cached" else fingerprint(context, spec.split)
    except UserError:
        today = None
    of_data = "imported" not in prior["source"]
    if of_data and today is not None and prior["source"].get("fingerprint") != today:
        return "its prior was made of other data"
    return None
