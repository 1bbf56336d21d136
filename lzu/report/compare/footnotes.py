"""What a reader must know about a table's numbers: data, weights, machine, method."""

import pandas as pd

from lzu.experiments.registry import Table

SOURCES = {"real": "the real dataset", "synthetic": "a synthetic world"}


def _texts(frame: pd.DataFrame, column: str) -> list[str]:
    return [str(value) for value in frame[column].dropna().unique()]


def _span(frame: pd.DataFrame, column: str) -> str:
    low, high = frame[column].min(), frame[column].max()
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def _dataset_notes(table: Table, scores: pd.DataFrame) -> list[str]:
    first = scores.iloc[0]
    source = str(first["dataset_source"])
    data = (
        f"Data: measured on {SOURCES[source]}, {first['dataset']}, split {first['split']}, "
        f"{first['images']} images, fingerprint {str(first['dataset_fingerprint'])[:12]}; "
        f"published on the real {table.published_dataset}."
    )
    notes = [data]
    if source == "synthetic":
        notes.append(
            "Published and measured scores are NOT comparable: the data differ. Compare the "
            "methods' differences from Uniform, not the scores."
        )
    return notes


def _training_note(scores: pd.DataFrame) -> str:
    weights = " and ".join(sorted(_texts(scores, "initial_weights")))
    return (
        f"Initial weights: {weights}. Trained for {_span(scores, 'epochs')} epochs "
        f"({_span(scores, 'iterations')} iterations)."
    )


def _code_note(frame: pd.DataFrame) -> str:
    commits = [commit[:12] for commit in _texts(frame, "git_commit")] or ["unknown"]
    dirty = " with uncommitted changes" if "True" in _texts(frame, "git_dirty") else ""
    return f"Code: commit {', '.join(commits)}{dirty}."


def footnotes(table: Table, scores: pd.DataFrame, timings: pd.DataFrame) -> list[str]:
    """The notes below a table, from the scores and timings that it shows."""
    notes = []
    if not scores.empty:
        notes += [*_dataset_notes(table, scores), _training_note(scores)]
        notes.append(
            "Measured: mean over seeds; ± is half the 95 % t interval, missing with a single seed. "
            "Difference: measured - published."
        )
        machine = ", ".join(_texts(scores, "machine"))
        chips = ", ".join(_texts(scores, "gpu") or _texts(scores, "cpu"))
        notes.append(f"Scores from machine {machine} ({chips}).")
    if not timings.empty:
        first = timings.iloc[0]
        machine, chips = (
            first["machine"],
            ", ".join(_texts(timings, "gpu") or _texts(timings, "cpu")),
        )
        notes.append(
            f"Latency from machine {machine} ({chips}): {first['device']}, {first['dtype']}, "
            f"{first['threads']} threads, batch 1, median of {_span(timings, 'rounds')} rounds; "
            f"published on one {table.published_device}. ms: the paper's protocol, baseline plus "
            "the zoom and unzoom operations alone. ms e2e: from the image in memory to detections."
        )
    both = pd.concat([scores, timings])
    if not both.empty:
        notes.append(_code_note(both))
    return notes
