"""A run's predictions as columns: rows of nuScenes' submission format, checked."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lzu.datasets.nuscenes.classes import CLASSES
from lzu.errors import UserError
from lzu.tasks.detection3d.scoring.boxes import Boxes
from lzu.tasks.detection3d.scoring.truth import LABEL_OF_ATTRIBUTE

VECTORS = {"translation": 3, "size": 3, "rotation": 4, "velocity": 2}
"""Key of a row -> how many numbers it has."""
NAMES = ("detection_name", "attribute_name")

Results = Mapping[str, Sequence[Mapping[str, Any]]]


@dataclass(frozen=True)
class Found:
    """n predicted boxes, in the order of their file, and their scores (n,)."""

    boxes: Boxes
    score: NDArray[np.float64]


def read_found(
    results: Results, tokens: Sequence[str], classes: Sequence[str], most: int, source: Path | str
) -> Found:
    """The boxes of predictions' `results`.

    Args:
        results: a sample's token -> its rows.
        tokens: of the samples that are to have predictions, if only an empty list.
        classes: that may be predicted.
        most: how many rows a sample may have.
        source: the predictions' file, for messages.

    Raises:
        UserError: a sample is missing, unknown or has too many rows; a row lacks a key, or has a
            class, an attribute or numbers that it cannot have.
    """
    place = {token: k for k, token in enumerate(tokens)}
    _check_samples(results, place, most, source)
    rows = [row for own in results.values() for row in own]
    counts = [len(own) for own in results.values()]
    sample = np.repeat(np.array([place[token] for token in results], dtype=int), counts)
    label_of = {name: CLASSES.index(name) for name in classes}
    try:
        vectors = {
            key: np.array([row[key] for row in rows], dtype=float).reshape(len(rows), width)
            for key, width in VECTORS.items()
        }
        score = np.array([row["detection_score"] for row in rows], dtype=float)
        label = np.array([label_of[row["detection_name"]] for row in rows], dtype=int)
        attribute = [LABEL_OF_ATTRIBUTE[row["attribute_name"]] for row in rows]
        sound = all(np.isfinite(column).all() for column in (*vectors.values(), score))
        sound &= bool((vectors["size"] > 0).all() and vectors["rotation"].any(axis=1).all())
    except (KeyError, TypeError, ValueError):
        sound = False
    if not sound:
        raise UserError(f"{source}: {_first_problem(results, classes)}; predict again")
    return Found(
        Boxes(sample, label, *vectors.values(), np.array(attribute, dtype=int)),
        score,
    )


def _check_samples(
    results: Results, place: Mapping[str, int], most: int, source: Path | str
) -> None:
    unknown = [token for token in results if token not in place]
    missing = [token for token in place if token not in results]
    for tokens, what in ((unknown, "not in the validation data"), (missing, "without predictions")):
        if tokens:
            raise UserError(
                f"{source}: results: {len(tokens)} samples are {what}, the first {tokens[0]}; "
                "predict again"
            )
    for token, rows in results.items():
        if len(rows) > most:
            raise UserError(
                f"{source}: results: sample {token} has {len(rows)} boxes, but nuScenes allows "
                f"{most}; keep those of highest score"
            )


def _first_problem(results: Results, classes: Sequence[str]) -> str:
    """What is wrong with the first row that cannot be scored, and where it is."""
    for token, rows in results.items():
        for number, row in enumerate(rows):
            for problem in _problems(row, classes):
                return f"results: sample {token}: row {number}: {problem}"
    raise AssertionError("all rows are sound")


def _problems(row: Mapping[str, Any], classes: Sequence[str]) -> Iterator[str]:
    for key in (*VECTORS, "detection_score", *NAMES):
        if key not in row:
            yield f"no {key}"
            return
    for key, width in VECTORS.items():
        value = row[key]
        if not isinstance(value, list | tuple) or len(value) != width:
            yield f"{key}: {value!r} are no {width} numbers"
        elif not all(map(_finite, value)):
            yield f"{key}: {value!r} are not all finite numbers"
        elif key == "size" and min(value) <= 0:
            yield f"size: {value!r} are not all positive"
        elif key == "rotation" and not any(value):
            yield "rotation: a quaternion of length 0"
    if not _finite(row["detection_score"]):
        yield f"detection_score: {row['detection_score']!r} is no finite number"
    if row["detection_name"] not in classes:
        yield f"detection_name: {row['detection_name']!r} is none of: {', '.join(classes)}"
    if row["attribute_name"] not in tuple(LABEL_OF_ATTRIBUTE):
        known = ", ".join(filter(None, LABEL_OF_ATTRIBUTE))
        yield f"attribute_name: {row['attribute_name']!r} is neither empty nor one of: {known}"


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
