"""What a reader must know about a table's numbers: data, weights, machines, statistics, code."""

from collections.abc import Iterable

import pandas as pd

from lzu.experiments.methods import BASELINE, METHODS
from lzu.experiments.tables import Column, Table
from lzu.experiments.task import Task
from lzu.report.compare.contrasts import FEWEST_RUNS
from lzu.report.compare.scores import RELATIVE
from lzu.report.compare.selection import Selected, values_of
from lzu.results.provenance import git_state

SOURCES = {"real": "the real dataset", "synthetic": "a synthetic world"}


def _span(frame: pd.DataFrame, column: str) -> str:
    low, high = frame[column].min(), frame[column].max()
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def _listed(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def _dataset_notes(table: Table, scores: pd.DataFrame) -> list[str]:
    first = scores.iloc[0]
    source = str(first["dataset_source"])
    data = (
        f"Data: measured on {SOURCES[source]}, {first['dataset']}, split {first['split']}, "
        f"{first['images']} images, fingerprint {str(first['dataset_fingerprint'])[:12]}"
    )
    if not table.is_published:
        return [f"{data}."]
    data += f"; published on the real {table.published_dataset}."
    if source == "real":
        return [data, "Difference: measured - published."]
    return [
        data,
        "Published and measured scores are NOT comparable: the data differ. Compare the "
        f"methods' differences from {BASELINE.label}, not the scores.",
    ]


def _relative_note(relative: tuple[Column, ...]) -> str:
    names = _listed(column.label.removesuffix(RELATIVE) for column in relative)
    return (
        f"{names} are other quantities here than in the paper: their bounds are sizes in pixels, "
        "and the images here have another height. Lines `relative` have the same bounds as in the "
        "paper's images, in heights of the image."
    )


def _training_note(scores: pd.DataFrame) -> str:
    weights = " and ".join(values_of(scores, "initial_weights"))
    return (
        f"Initial weights: {weights}. Trained for {_span(scores, 'epochs')} epochs "
        f"({_span(scores, 'iterations')} iterations)."
    )


def _uncertainty(table: Table, scores: pd.DataFrame) -> str:
    """Where intervals are from: seeds, machines and validation sequences, as far as known."""
    shown = scores["metric"].isin({column.metric for column in table.columns})
    known = scores[shown & scores["value"].notna()]["left_out"].fillna("[]") != "[]"
    runs = "seeds" if scores["machine"].nunique() < 2 else "seeds and machines"
    if not known.any():
        return f"from the spread of {runs} alone; that of the validation sequences is unknown"
    some = "" if known.all() else " (of those runs that tell it)"
    return (
        f"from the spread of {runs} (t) and of the validation sequences{some} (jackknife) together"
    )


def _interval_note(table: Table, scores: pd.DataFrame) -> str:
    each = "seeds" if scores["machine"].nunique() < 2 else "runs, each a seed on a machine"
    return (
        f"Measured: mean over {each}; ± is half the 95 % interval, {_uncertainty(table, scores)}. "
        "A single run has none."
    )


def _verdict_note(table: Table, task: Task) -> str:
    metric = table.column(table.headline).label
    if table.primary is None:
        declared = "No comparison was declared before measuring; all"
    else:
        method, scale = table.primary
        declared = (
            f"Declared before measuring, and tested alone: {METHODS[method].label} at "
            f"{task.scale_label(scale)}; all others"
        )
    return (
        f"Verdicts: on {metric} alone, at 5 %. {declared} are corrected for their number (Holm), "
        f"while printed intervals are not. With fewer than {FEWEST_RUNS} runs a result suggests, "
        "and decides nothing."
    )


def _chips(frame: pd.DataFrame) -> str:
    """The GPUs, or without any the CPUs."""
    return ", ".join(values_of(frame, "gpu") or values_of(frame, "cpu"))


def _machines_note(scores: pd.DataFrame) -> str:
    machines = [f"{name} ({_chips(own)})" for name, own in scores.groupby("machine")]
    return f"Scores from machine{'s' if len(machines) > 1 else ''} {_listed(machines)}."


def _latency_note(table: Table, timings: pd.DataFrame) -> str:
    first = timings.iloc[0]
    return (
        f"Latency from machine {first['machine']} ({_chips(timings)}): {first['device']}, "
        f"{first['dtype']}, {first['threads']} threads, batch 1, median of "
        f"{_span(timings, 'rounds')} rounds; published on one {table.published_device}. ms: the "
        "paper's protocol, baseline plus the zoom and unzoom operations alone. ms e2e: from the "
        "image in memory to the final predictions."
    )


def _code_note(frame: pd.DataFrame) -> str:
    commits = sorted({one for text in values_of(frame, "git_commits") for one in text.split()})
    dirty = " with uncommitted changes" if "True" in values_of(frame, "git_dirty") else ""
    today, _ = git_state()
    # Today's commit is not named: tables would change with every commit.
    other = "; not the code that made this table" if today and set(commits) != {today} else ""
    return f"Code: commit {', '.join(c[:12] for c in commits) or 'unknown'}{dirty}{other}."


def _untold_note(scores: pd.DataFrame, timings: pd.DataFrame) -> str | None:
    """How many files do not tell of what settings they are; None if all do."""
    kinds = ((scores, "trained_data", "scored runs"), (timings, "stamp", "timings"))
    untold = []
    for frame, column, name in kinds:
        files = frame.drop_duplicates("file")
        if missing := int(files[column].isna().sum()):
            untold.append(f"{missing} of {len(files)} {name}")
    if not untold:
        return None
    return f"Of older versions, and so not compared with the suite's settings: {_listed(untold)}."


def footnotes(
    table: Table, task: Task, selected: Selected, relative: tuple[Column, ...], judged: bool
) -> list[str]:
    """The notes below a table, from the scores and timings that it shows.

    Args:
        relative: columns of which the relative form is shown, too.
        judged: whether there are verdicts.
    """
    scores, timings = selected.scores, selected.timings
    notes = []
    if not scores.empty:
        notes += _dataset_notes(table, scores)
        notes += [_relative_note(relative)] if relative else []
        notes += [_training_note(scores), _interval_note(table, scores)]
        notes += [_verdict_note(table, task)] if judged else []
        notes.append(_machines_note(scores))
        notes += [selected.left_out] if selected.left_out else []
    if not timings.empty:
        notes.append(_latency_note(table, timings))
    untold = _untold_note(scores, timings)
    notes += [untold] if untold else []
    both = pd.concat([scores, timings])
    if not both.empty:
        notes.append(_code_note(both))
    return notes
