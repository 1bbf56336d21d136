"""Figure 6, its detection rows, from the predictions of two runs and the validation images."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from mmengine.structures import InstanceData

from lzu.engine.pictures import inverse_nodes
from lzu.engine.trained import load_trained
from lzu.experiments.context import Context
from lzu.experiments.pictured import require_case
from lzu.experiments.run import Run
from lzu.files import read_json
from lzu.models.adaptive import no_detections
from lzu.report.pictures.case_choice import (
    LEAST,
    ImageScore,
    Measure,
    pick_cases,
    title_of,
    write_scores,
)
from lzu.report.pictures.cases import Case, write_cases
from lzu.results.predictions import read_predictions
from lzu.tasks.detection2d.build import validation_set
from lzu.tasks.detection2d.drawing.views import SHOWN_SCORE, View, lens_of, view
from lzu.tasks.detection2d.online import index_of_image, validation_sequences
from lzu.tasks.detection2d.scoring.image_scores import Found, Truth, image_aps, outcome

MEASURE = Measure("AP", "boxes")
"""An image's own AP (see `lzu.tasks.detection2d.scoring.image_scores`), if it has boxes to find."""


@dataclass(frozen=True)
class Choice:
    """How cases are picked and shown.

    `count` gains and as many losses, of images with at least `least` boxes; detections are drawn
    from `score` on, which bears on nothing else.
    """

    count: int = 2
    least: int = LEAST
    score: float = SHOWN_SCORE


def draw_cases(context: Context, run: Run, **chosen: Any) -> None:
    """Draw the images where `run` gains and loses most against uniform; write all images' scores.

    `chosen` are the fields of `Choice`.

    Raises UserError if uniform is not planned beside the run, if either is not trained or not
    predicted with, or if their predictions are of other weights than the suite's.
    """
    choice = Choice(**chosen)
    require_case(context, run, choice.count, choice.least)
    annotations = read_json(context.paths.annotations("val"))
    truths = read_truth(annotations)
    names = {image["id"]: image["file_name"] for image in annotations["images"]}
    uniform, own = (read_found(context, one, annotations) for one in (run.baseline, run))
    scores = score_images(names, truths, uniform, own)
    cases = pick_cases(scores, choice.count, MEASURE, choice.least)
    model = load_trained(context, run)
    lens_of(model, run.method)
    views = view_images(context, run, model, own, [*cases.gains, *cases.losses])
    native = context.settings.dataset.native_size
    rows = [
        as_case(
            title_of(score, MEASURE),
            native,
            views[score.image],
            truths[score.image],
            uniform[score.image],
            own[score.image],
            choice.score,
        )
        for score in (*cases.gains, *cases.losses)
    ]
    picture = context.paths.cases_picture(run)
    write_scores(picture.with_suffix(".csv"), scores, cases, run.method, MEASURE, choice.least)
    write_cases(picture.parent, picture.stem, rows, run.about.label, choice.score)


def read_truth(annotations: dict[str, Any]) -> dict[int, Truth]:
    """The ground truth of every image in a COCO file's content, by image id."""
    records: dict[int, list[dict[str, Any]]] = {image["id"]: [] for image in annotations["images"]}
    for record in annotations["annotations"]:
        records[record["image_id"]].append(record)
    return {
        image: Truth(
            np.array([r["bbox"] for r in own], float).reshape(-1, 4),
            np.array([r["category_id"] for r in own], int),
            np.array([r.get("iscrowd", 0) for r in own], bool),
        )
        for image, own in records.items()
    }


def read_found(context: Context, run: Run, annotations: dict[str, Any]) -> dict[int, Found]:
    """What `run` predicted in each image of `annotations`, a COCO file's content, by image id.

    Raises UserError if the predictions are not of the run as the suite has it, or of other images,
    or are missing.
    """
    content = read_predictions(context, run)
    found: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for one in content["detections"]:
        found[one["image_id"]].append(one)
    return {
        image: Found(
            np.array([one["bbox"] for one in found[image]], float).reshape(-1, 4),
            np.array([one["category_id"] for one in found[image]], int),
            np.array([one["score"] for one in found[image]], float),
        )
        for image in (record["id"] for record in annotations["images"])
    }


def score_images(
    names: Mapping[int, str],
    truths: Mapping[int, Truth],
    uniform: Mapping[int, Found],
    method: Mapping[int, Found],
) -> list[ImageScore]:
    """Score every image, by image id. `names` are the files' names, of all images."""
    images = sorted(names)
    true = [truths[image] for image in images]
    before, after = (image_aps([one[i] for i in images], true) for one in (uniform, method))
    return [
        ImageScore(image, names[image], truths[image].count, *scores)
        for image, *scores in zip(images, before, after, strict=True)
    ]


def view_images(
    context: Context,
    run: Run,
    model: Any,
    found: dict[int, Found],
    picked: list[ImageScore],
) -> dict[int, View]:
    """What the run's detector saw in the picked images, by image id.

    An adaptive one's saliency follows from what it predicted in the frame before (`found`), which
    the predictions' file has to a thousandth of a pixel.
    """
    dataset = validation_set(context, run)
    place = index_of_image(dataset)
    before: dict[int, int | None] = {}
    if run.about.follows_frames:
        for sequence in validation_sequences(context, run):
            before |= dict(zip(sequence, [None, *sequence[:-1]], strict=True))
    views = {}
    for score in picked:
        data = dataset[place[score.image]]
        sample = data["data_samples"]
        if run.about.follows_frames:
            previous = before[score.image]
            sample.previous_instances = (
                no_detections() if previous is None else _instances(found[previous])
            )
        views[score.image] = view(model, data, sample)
    return views


def _instances(found: Found) -> InstanceData:
    boxes = found.boxes.copy()
    boxes[:, 2:] += boxes[:, :2]
    return InstanceData(
        bboxes=torch.from_numpy(boxes).float(), scores=torch.from_numpy(found.scores).float()
    )


def as_case(
    title: str,
    native: tuple[int, int],
    seen: View,
    truth: Truth,
    uniform: Found,
    own: Found,
    score: float,
) -> Case:
    """A row of the figure."""
    return Case(
        title=title,
        native=native,
        image=seen.image,
        zoomed=seen.zoomed,
        inverse=inverse_nodes(seen.warp),
        saliency=seen.saliency,
        magnification=seen.warp.magnification(seen.saliency.shape)[0].numpy(),
        truth=truth,
        uniform=outcome(uniform, truth, score=score),
        method=outcome(own, truth, score=score),
    )
