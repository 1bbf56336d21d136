"""Gathering result files into one long table: a row for each run and quantity."""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lzu.errors import UserError
from lzu.experiments.run import Run
from lzu.experiments.task import Bins, Task, Unit
from lzu.files import write_atomic
from lzu.results.bins import bin_names
from lzu.results.schema import SUMMARY, provenances, read_metrics, read_timing
from lzu.results.statistics import median_interval

RUN_COLUMNS = ("suite", "task", "method", "from_scale", "to_scale", "options", "seed")

# Column -> pandas type. `kind` is "score" (one row a seed) or "timing" (shared by all seeds, so
# without a seed); what the other kind lacks is empty.
COLUMNS = {
    "kind": "str",
    "suite": "str",
    "task": "str",
    "method": "str",
    "from_scale": "float64",
    "to_scale": "float64",
    "options": "str",
    "seed": "Int64",
    "metric": "str",
    "value": "float64",
    "machine": "str",
    "dataset": "str",
    "dataset_source": "str",
    "dataset_fingerprint": "str",
    "split": "str",
    "images": "Int64",
    "initial_weights": "str",
    "iterations": "Int64",
    "epochs": "float64",
    "stamp": "str",
    "trained_data": "str",
    "trained_saliency": "str",
    "left_out": "str",
    "device": "str",
    "dtype": "str",
    "threads": "Int64",
    "rounds": "Int64",
    "gpu": "str",
    "cpu": "str",
    "git_commit": "str",
    "git_commits": "str",
    "git_dirty": "str",
    "file": "str",
}


def options_text(options: dict[str, str] | tuple[tuple[str, str], ...]) -> str:
    """A run's options as one text, the same for the same options: sorted JSON."""
    return json.dumps(dict(options), sort_keys=True)


def kept_files(folder: str | os.PathLike[str], task: str) -> tuple[list[Path], list[Path]]:
    """The metrics and the timing files of a task that are kept of a suite, of all machines.

    Args:
        folder: `results/measured/<suite>`.
    """
    metrics = Path(folder).glob(f"*/runs/{task}/**/metrics.json")
    timing = Path(folder).glob(f"*/timing/{task}/**/*.json")
    return sorted(metrics), sorted(timing)


def _common(value: dict[str, Any], path: Path) -> dict[str, Any]:
    run, steps = value["run"], provenances(value)
    # Of a chain of steps, the machine is that of the first known one: where the weights are from.
    provenance = steps[0]
    dirty = [step["git_dirty"] for step in steps]
    commits = dict.fromkeys(step["git_commit"] for step in steps if step["git_commit"])
    return {
        "suite": run["suite"],
        "task": run["task"],
        "method": run["method"],
        "from_scale": float(run["from"]),
        "to_scale": float(run["to"]),
        "options": options_text(run["options"]),
        "seed": run.get("seed"),
        "stamp": value.get("stamp"),
        "machine": provenance["machine"],
        "gpu": provenance["gpu"],
        "cpu": provenance["cpu"],
        "git_commit": provenance["git_commit"],
        "git_commits": " ".join(commits) or None,
        "git_dirty": None if None in dirty else str(any(dirty)),
        "file": path.as_posix(),
    }


def bin_metrics(
    values: Mapping[str, Sequence[Any]], bins: Bins, unit: Unit
) -> dict[str, float | None]:
    """A metrics file's bins in a unit as metrics: "AP[8,16)" and "boxes[8,16)" -> value."""
    return {
        name: value
        for what in (bins.metric, bins.count)
        for name, value in zip(
            bin_names(values[unit.lower], what, unit.sign), values[what], strict=True
        )
    }


def _score_rows(path: Path, task: Task) -> list[dict[str, Any]]:
    value = read_metrics(path, task)
    dataset, training = value["dataset"], value["training"]
    trained_on = value.get("trained_on", {})
    row = {
        "kind": "score",
        **_common(value, path),
        "dataset": dataset["name"],
        "dataset_source": dataset["source"],
        "dataset_fingerprint": dataset["fingerprint"],
        "split": dataset["split"],
        "images": dataset["images"],
        "initial_weights": training["initial_weights"],
        "iterations": training["iterations"],
        "epochs": training["epochs"],
        "trained_data": trained_on.get("data"),
        "trained_saliency": trained_on.get("saliency"),
    }
    metrics = dict(value["metrics"]) | value.get("relative", {})
    for bins in task.bins:
        for unit in bins.units:
            if unit.key in value:
                metrics |= bin_metrics(value[unit.key], bins, unit)
    for key, score in task.named.items():
        metrics |= {f"{score}_{name}": one[score] for name, one in value.get(key, {}).items()}
    left_out = value.get("jackknife", {}).get("metrics", {})
    return [
        {**row, "metric": name, "value": number, "left_out": json.dumps(left_out.get(name, []))}
        for name, number in metrics.items()
    ]


def _timing_rows(path: Path, task: Task) -> list[dict[str, Any]]:
    value = read_timing(path)
    samples = {name: np.asarray(times) for name, times in value["samples_ms"].items()}
    row = {
        "kind": "timing",
        **_common(value, path),
        "device": value["device"],
        "dtype": value["dtype"],
        "threads": value["threads"],
        "rounds": len(samples["baseline"]),
    }
    numbers = {name: value["summary"][name] for name in SUMMARY}
    if "gmac" in value["shapes"]:
        numbers["gmac"] = value["shapes"]["gmac"]
    rounds = {
        "latency_ms": samples["baseline"] + samples["added"],
        "end_to_end_ms": samples["end_to_end"],
    }
    for name, times in rounds.items():
        numbers[f"{name}_q25"], numbers[f"{name}_q75"] = np.quantile(times, [0.25, 0.75])
    ratio = median_interval(list(samples["end_to_end"] / samples["end_to_end_baseline"]))
    numbers["end_to_end_ratio_low"], numbers["end_to_end_ratio_high"] = ratio.low, ratio.high
    return [{**row, "metric": name, "value": number} for name, number in numbers.items()]


def _as_frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    columns = {
        name: pd.Series([row.get(name) for row in rows], dtype=kind)
        for name, kind in COLUMNS.items()
    }
    return pd.DataFrame(columns)


def collect(
    task: Task,
    metrics_files: Iterable[str | os.PathLike[str]],
    timing_files: Iterable[str | os.PathLike[str]],
) -> pd.DataFrame:
    """All results in long format: one row for each run and metric, or timing and quantity.

    Args:
        task: that the files are of.
        metrics_files, timing_files: result files; each is checked against its schema.

    Returns:
        A DataFrame with the columns of `COLUMNS`. `value` is empty where a metric is undefined;
        `left_out` is the JSON list of its values with each group of validation sequences left out,
        empty where they are unknown. A timing has its summary and the quartiles over rounds
        (`latency_ms_q25` and so on), in milliseconds, the end-to-end ratio's 95 % interval, and
        `gmac` where the multiply-accumulates were counted.

    Raises:
        UserError: for a file that breaks its schema, and for two files with the same run on the
            same machine.
    """
    owners: dict[tuple[Any, ...], Path] = {}
    rows: list[dict[str, Any]] = []
    for files, rows_of in ((metrics_files, _score_rows), (timing_files, _timing_rows)):
        for path in map(Path, files):
            new = rows_of(path, task)
            key = (new[0]["kind"], new[0]["machine"], *(new[0][name] for name in RUN_COLUMNS))
            if key in owners:
                raise UserError(
                    f"{path}: the same run on the same machine as {owners[key]}; remove one of them"
                )
            owners[key] = path
            rows += new
    return _as_frame(rows)


def write_collected(frame: pd.DataFrame, path: str | os.PathLike[str]) -> None:
    """Write `collect`'s result as CSV, numbers at full precision."""
    with write_atomic(path) as temporary:
        frame.to_csv(temporary, index=False)


def read_collected(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read what `write_collected` wrote.

    Raises:
        UserError: if the file is missing, is not such a CSV file, or has other columns.
    """
    mend = "run the collect rule again"
    try:
        frame = pd.read_csv(path, dtype=COLUMNS, keep_default_na=False, na_values=[""])
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file; {mend}") from error
    except ValueError as error:
        raise UserError(f"{path}: not a table of collected results ({error}); {mend}") from error
    if list(frame.columns) != list(COLUMNS):
        other = sorted(set(frame.columns) ^ set(COLUMNS)) or ["their order"]
        raise UserError(f"{path}: columns differ from this version's ({', '.join(other)}); {mend}")
    return frame


def of_run(frame: pd.DataFrame, run: Run) -> pd.DataFrame:
    """The rows of `frame` that belong to `run`, its timing included, whatever seed that has."""
    same = (
        (frame["suite"] == run.suite)
        & (frame["task"] == run.task)
        & (frame["method"] == run.method)
        & (frame["from_scale"] == run.from_scale)
        & (frame["to_scale"] == run.to_scale)
        & (frame["options"] == options_text(run.options))
    )
    return frame[same & (frame["seed"].isna() | (frame["seed"] == run.seed).fillna(False))]
