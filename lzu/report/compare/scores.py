"""From collected rows to scores, run by run, as the statistics take them."""

import json

import pandas as pd

from lzu.errors import UserError
from lzu.experiments.tables import Row
from lzu.report.compare.uncertainty import RunKey, Scores
from lzu.results.collect import options_text

RELATIVE = "_rel"
"""Ends a metric's name where its sizes are in heights of the image, as in the paper's images."""


def of_row(frame: pd.DataFrame, row: Row) -> pd.DataFrame:
    """What was measured of a row of a table, all its seeds and machines."""
    return frame[
        (frame["method"] == row.method)
        & (frame["from_scale"] == row.from_scale)
        & (frame["to_scale"] == row.to_scale)
        & (frame["options"] == options_text(row.options))
    ]


def runs_of(scores: pd.DataFrame) -> tuple[RunKey, ...]:
    """The (machine, seed) pairs that scores are of."""
    pairs = zip(scores["machine"], scores["seed"], strict=True)
    return tuple(sorted({(str(machine), int(seed)) for machine, seed in pairs}))


def scores_by_metric(scores: pd.DataFrame) -> dict[str, Scores]:
    """Metric -> its value in each run, with the leave-one-out values that are known.

    Runs for which a metric is undefined are left out, and metrics that are undefined in all.

    Raises:
        UserError: if runs of a metric have unequally many leave-one-out values.
    """
    found = {}
    for metric, own in scores[scores["value"].notna()].groupby("metric", sort=False):
        keys = [(str(m), int(s)) for m, s in zip(own["machine"], own["seed"], strict=True)]
        left_out = {
            key: tuple(values)
            for key, text in zip(keys, own["left_out"], strict=True)
            if (values := _left_out(text))
        }
        if len({len(values) for values in left_out.values()}) > 1:
            raise UserError(
                f"{metric}: the validation sequences were left out in different groups in "
                f"{', '.join(own['file'])}; score these runs again"
            )
        found[str(metric)] = Scores(dict(zip(keys, own["value"], strict=True)), left_out)
    return found


def _left_out(text: str | None) -> list[float]:
    """The leave-one-out values; empty where they are unknown or one of them is undefined."""
    values = [] if pd.isna(text) else json.loads(str(text))
    return [] if None in values else values
