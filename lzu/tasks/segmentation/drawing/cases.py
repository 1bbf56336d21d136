"""Figure 6, its segmentation rows, from the predictions of two runs and the validation images."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lzu.datasets.cityscapes.classes import CLASSES, IGNORE, TRAIN_ID_COLOURS
from lzu.engine.trained import load_trained
from lzu.errors import UserError
from lzu.experiments.context import Context
from lzu.experiments.pictured import require_case
from lzu.experiments.run import Run
from lzu.files import read_json
from lzu.report.pictures.case_choice import (
    LEAST,
    ImageScore,
    Measure,
    pick_cases,
    title_of,
    write_scores,
)
from lzu.report.pictures.map_cases import MapCase, write_map_cases
from lzu.tasks.segmentation.build import listed
from lzu.tasks.segmentation.drawing.density import sample_density
from lzu.tasks.segmentation.drawing.views import view
from lzu.tasks.segmentation.scoring.confusion import confusion, mean_iou
from lzu.tasks.segmentation.scoring.predictions import read_maps, read_truths

MEASURE = Measure("mIoU", "classes")
"""An image's own mean IoU over the classes that its labels have."""

Map = NDArray[np.uint8]


@dataclass(frozen=True)
class Choice:
    """How cases are picked: `count` gains and as many losses, of images with at least `least`
    classes."""

    count: int = 2
    least: int = LEAST


def draw_cases(context: Context, run: Run, **chosen: Any) -> None:
    """Draw the images where `run` gains and loses most against uniform; write all images' scores.

    `chosen` are the fields of `Choice`.

    Raises UserError if uniform is not planned beside the run, if either is not trained or not
    predicted with, or if their predictions are of other weights than the suite's.
    """
    if "score" in chosen:
        raise UserError("--score: class maps have no scores; leave it out")
    choice = Choice(**chosen)
    require_case(context, run, choice.count, choice.least)
    images = read_json(context.paths.annotations("val"))["images"]
    truths = read_truths(context, images)
    uniform, own = (list(read_maps(context, one, images)) for one in (run.baseline, run))
    scores = score_images(images, truths, uniform, own)
    cases = pick_cases(scores, choice.count, MEASURE, choice.least)
    model = load_trained(context, run)
    samples = listed(context, run.split("val"))
    place = {image["id"]: number for number, image in enumerate(images)}
    rows = []
    for score in (*cases.gains, *cases.losses):
        number = place[str(score.image)]
        image, points = view(model, samples[number])
        rows.append(
            MapCase(
                title=title_of(score, MEASURE),
                image=image,
                grid=points.numpy(),
                magnification=sample_density(points),
                truth=truths[number],
                uniform=uniform[number],
                method=own[number],
                ignored=IGNORE,
            )
        )
    picture = context.paths.cases_picture(run)
    write_scores(picture.with_suffix(".csv"), scores, cases, run.method, MEASURE, choice.least)
    label = run.about.label
    write_map_cases(picture.parent, picture.stem, rows, label, CLASSES, TRAIN_ID_COLOURS)


def score_images(
    images: Sequence[dict[str, Any]],
    truths: Sequence[Map],
    uniform: Sequence[Map],
    method: Sequence[Map],
) -> list[ImageScore]:
    """Score every image of a listing, in its order."""
    return [
        ImageScore(
            image["id"],
            image["image"],
            len(np.unique(truth[truth != IGNORE])),
            own_miou(truth, before),
            own_miou(truth, after),
        )
        for image, truth, before, after in zip(images, truths, uniform, method, strict=True)
    ]


def own_miou(truth: Map, predicted: Map) -> float | None:
    """An image's own mean IoU in percent; None if none of its pixels counts."""
    value = float(mean_iou(confusion(truth, predicted)))
    return None if np.isnan(value) else 100 * value
