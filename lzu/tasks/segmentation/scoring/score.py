"""Scores of a run's predictions on Cityscapes (no torch, no mm*)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lzu.datasets.cityscapes.classes import CLASSES
from lzu.datasets.cityscapes.reader import stream_train_ids
from lzu.datasets.cityscapes.split import group_of
from lzu.errors import UserError
from lzu.experiments.context import Context
from lzu.experiments.run import Run
from lzu.files import read_json
from lzu.results.jackknife import leave_out
from lzu.results.percent import percent
from lzu.results.predictions import PREDICTIONS
from lzu.tasks.segmentation.metrics import BOUNDARY_F, IOU, MEANS
from lzu.tasks.segmentation.scoring.boundary import (
    LOWER_EDGES,
    boundary_f,
    confusions_by_distance,
)
from lzu.tasks.segmentation.scoring.confusion import CLASS_COUNT, iou, mean_iou
from lzu.tasks.segmentation.scoring.maps import unpack_map
from lzu.tasks.segmentation.scoring.predictions import matched

CITIES = 10
"""So many cities make the units of the jackknife; with fewer, it is over sequences."""

GIVEN = tuple(space for space in MEANS if space != "full")
"""The confusions that predictions bring along."""


@dataclass(frozen=True)
class Found:
    """What the scores of a run are made of.

    Attributes:
        confusions: keys of `MEANS` -> each image's (I, 19, 19), rows truth.
        boundary_f: (I,) each image's, 0 to 1, NaN where it is undefined.
        by_distance: (7, 19, 19) of all images, by `distance_bins`.
    """

    confusions: dict[str, NDArray[np.int64]]
    boundary_f: NDArray[np.float64]
    by_distance: NDArray[np.int64]

    def scores(self, kept: NDArray[np.bool_]) -> dict[str, float]:
        """Every metric, as a share of 1, of the images kept (I,); NaN where it is undefined."""
        pooled = {space: each[kept].sum(axis=0) for space, each in self.confusions.items()}
        defined = self.boundary_f[kept & ~np.isnan(self.boundary_f)]
        return {
            **{name: float(mean_iou(pooled[space])) for space, name in MEANS.items()},
            BOUNDARY_F: float(defined.mean()) if len(defined) else np.nan,
            **dict(zip(IOU.values(), iou(pooled["full"]).tolist(), strict=True)),
        }


def measure(
    root: Path,
    images: Sequence[dict[str, Any]],
    crop: tuple[int, int],
    predictions: Sequence[dict[str, Any]],
    source: Path,
) -> Found:
    """Compare predictions with the labels of the central crop; a label image is read once.

    Args:
        root: folder of the dataset.
        images: records of its listing.
        crop: (height, width) in pixels.
        predictions: of these images, in any order: "id", "map", "confusions".
        source: the predictions' file, for messages.

    Raises:
        UserError: an image has no prediction, or several; a prediction is of another image, or is
            damaged; a label image cannot be read.
    """
    by_id = matched(images, predictions, source)
    full, boundary = [], []
    by_distance = np.zeros((len(LOWER_EDGES), CLASS_COUNT, CLASS_COUNT), np.int64)
    labels = stream_train_ids(root, [image["label"] for image in images], crop=crop)
    for image, truth in zip(images, labels, strict=True):
        text = by_id[image["id"]].get("map")
        predicted = unpack_map(text, crop, f"{source}: image {image['id']}")
        found = confusions_by_distance(truth, predicted)
        by_distance += found
        full.append(found.sum(axis=0))
        boundary.append(boundary_f(truth, predicted))
    given = {
        space: np.array([_given(by_id[image["id"]], space, source) for image in images])
        for space in GIVEN
    }
    return Found({"full": np.array(full), **given}, np.array(boundary), by_distance)


def _given(record: dict[str, Any], space: str, source: Path) -> NDArray[np.int64]:
    """A confusion that the predictions bring along: (19, 19)."""
    counts = record.get("confusions", {}).get(space, [])
    if len(counts) != CLASS_COUNT**2 or not all(type(n) is int and n >= 0 for n in counts):
        raise UserError(
            f"{source}: image {record['id']}: confusions.{space}: no {CLASS_COUNT**2} numbers of "
            "pixels; predict again"
        )
    return np.array(counts, np.int64).reshape(CLASS_COUNT, CLASS_COUNT)


def _jackknife(found: Found, images: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """The metrics with groups of whole cities left out, or with few cities, of whole sequences.

    A class that occurs nowhere else than in a group is in no mean of the rest.
    """
    unit = "city" if len({image["city"] for image in images}) >= CITIES else "sequence"
    return leave_out(unit, [group_of(image, unit) for image in images], found.scores)


def score(context: Context, run: Run, predictions: dict[str, Any]) -> dict[str, Any]:
    """Score the content of the run's predictions: what its metrics file has of this task's own.

    Raises UserError as `measure` does.
    """
    images = read_json(context.paths.annotations(run.split("val")))["images"]
    dataset, source = context.settings.dataset, context.paths.run(run, PREDICTIONS)
    found = measure(Path(dataset.root), images, dataset.crop, predictions["images"], source)
    values = found.scores(np.ones(len(images), np.bool_))
    left_out = _jackknife(found, images)
    jackknife = {} if left_out is None else {"jackknife": left_out}
    return {
        "metrics": {name: percent(value) for name, value in values.items()},
        "distance_bins": {
            "lower": list(LOWER_EDGES),
            "mIoU": [percent(value) for value in mean_iou(found.by_distance).tolist()],
            "pixels": found.by_distance.sum(axis=(1, 2)).tolist(),
        },
        "class_pixels": dict(
            zip(CLASSES, found.by_distance.sum(axis=(0, 2)).tolist(), strict=True)
        ),
        **jackknife,
    }
