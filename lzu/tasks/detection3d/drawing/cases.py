"""Figure 6, its 3-D rows, from the predictions of two runs and the validation images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from nuscenes.eval.detection.data_classes import DetectionConfig

from lzu.datasets.nuscenes.infos import stream_samples
from lzu.engine.pictures import inverse_nodes
from lzu.engine.trained import load_trained
from lzu.experiments.context import Context
from lzu.experiments.pictured import require_case
from lzu.experiments.run import Run
from lzu.report.pictures.case_choice import (
    LEAST,
    ImageScore,
    Measure,
    pick_cases,
    title_of,
    write_scores,
)
from lzu.report.pictures.wire_cases import WireCase, WireOutcome, write_wire_cases
from lzu.results.predictions import PREDICTIONS, read_predictions
from lzu.tasks.detection3d.build import validation_set
from lzu.tasks.detection3d.drawing.views import View, view
from lzu.tasks.detection3d.drawing.wires import as_wires, ground_of
from lzu.tasks.detection3d.online import preceding
from lzu.tasks.detection3d.scoring.image_scores import (
    CameraScores,
    best_threshold,
    camera_scores,
    in_camera,
    in_image,
    outcome,
)
from lzu.tasks.detection3d.scoring.predictions import Found, read_found
from lzu.tasks.detection3d.scoring.rules import rules
from lzu.tasks.detection3d.scoring.truth import Truth, read_truth

MEASURE = Measure("AP", "boxes")
"""An image's own AP (see `lzu.tasks.detection3d.scoring.image_scores`), if it has boxes to find."""


@dataclass(frozen=True)
class Choice:
    """How cases are picked and shown.

    `count` gains and as many losses, of images with at least `least` boxes. Detections are drawn
    from `score` on; None: from the score on that gives each of the two detectors its best F1 in all
    images, because their scores need not mean the same.
    """

    count: int = 2
    least: int = LEAST
    score: float | None = None


@dataclass(frozen=True)
class Camera:
    """What is to be found in the images of a camera, and what two detectors found in them."""

    truth: Truth
    uniform: Found
    method: Found


def draw_cases(context: Context, run: Run, **chosen: Any) -> None:
    """Draw the images where `run` gains and loses most against uniform; write all images' scores.

    `chosen` are the fields of `Choice`.

    Raises UserError if uniform is not planned beside the run, if either is not trained or not
    predicted with, or if their predictions are of other weights than the suite's.
    """
    choice = Choice(**chosen)
    require_case(context, run, choice.count, choice.least)
    config = rules(context.settings.dataset.classes)
    cameras = read_cameras(context, run, config)
    before, after = (
        [camera_scores(one.truth, found(one), config) for one in cameras]
        for found in (lambda one: one.uniform, lambda one: one.method)
    )
    scores = score_images(image_names(context), before, after)
    cases = pick_cases(scores, choice.count, MEASURE, choice.least)
    picked = [*cases.gains, *cases.losses]
    limits = [
        best_threshold(one) if choice.score is None else choice.score for one in (before, after)
    ]
    model, dataset = load_trained(context, run), validation_set(context, run)
    records = image_records(context, [int(score.image) for score in picked])
    rows = []
    for score in picked:
        number = int(score.image)
        place, camera = divmod(number, len(cameras))
        data = dataset[number]
        if run.about.follows_frames:
            data["data_samples"].previous_instances = preceding(model, dataset, number)
        rows.append(
            as_case(
                title_of(score, MEASURE),
                records[number],
                view(model, data, run.method),
                cameras[camera],
                place,
                limits,
                config,
            )
        )
    picture = context.paths.cases_picture(run)
    write_scores(picture.with_suffix(".csv"), scores, cases, run.method, MEASURE, choice.least)
    write_wire_cases(picture.parent, picture.stem, rows, run.about.label, config.dist_th_tp)


def read_cameras(context: Context, run: Run, config: DetectionConfig) -> list[Camera]:
    """Camera by camera what is to be found, and what uniform and the run found.

    Raises UserError if predictions are missing, or not of the runs as the suite has them.
    """
    dataset, listing = context.settings.dataset, context.paths.annotations(run.split("val"))
    truths = [
        read_truth(stream_samples(listing), dataset.classes, (camera,))
        for camera in dataset.cameras
    ]
    found = []
    for one in (run.baseline, run):
        results = read_predictions(context, one)["results"]
        rows = [row for own in results.values() for row in own]
        source = context.paths.run(one, PREDICTIONS)
        tokens, most = truths[0].samples.tokens, config.max_boxes_per_sample
        boxes = read_found(results, tokens, dataset.classes, most, source)
        found.append([in_camera(boxes, rows, camera) for camera in dataset.cameras])
    return [Camera(*one) for one in zip(truths, *found, strict=True)]


def image_names(context: Context) -> list[str]:
    """The files of the validation images, sample by sample and camera by camera, as in the run's
    data set."""
    cameras = context.settings.dataset.cameras
    samples = stream_samples(context.paths.annotations("val"))
    return [sample["images"][camera]["img_path"] for sample in samples for camera in cameras]


def image_records(context: Context, numbers: Sequence[int]) -> dict[int, Mapping[str, Any]]:
    """What the prepared file says of these validation images, by number."""
    cameras = context.settings.dataset.cameras
    found = {}
    for place, sample in enumerate(stream_samples(context.paths.annotations("val"))):
        for number in range(place * len(cameras), (place + 1) * len(cameras)):
            if number in numbers:
                found[number] = sample["images"][cameras[number % len(cameras)]]
    return found


def score_images(
    names: Sequence[str], uniform: Sequence[CameraScores], method: Sequence[CameraScores]
) -> list[ImageScore]:
    """Score every image. `names` are the files, sample by sample and camera by camera."""
    before, after, objects = (
        np.stack(columns, axis=1).reshape(-1)
        for columns in (
            [one.average for one in uniform],
            [one.average for one in method],
            [one.objects for one in uniform],
        )
    )
    return [
        ImageScore(number, name, int(count), *(None if count == 0 else float(v) for v in values))
        for number, (name, count, *values) in enumerate(
            zip(names, objects, before, after, strict=True)
        )
    ]


def as_case(
    title: str,
    record: Mapping[str, Any],
    seen: View,
    camera: Camera,
    place: int,
    limits: Sequence[float],
    config: DetectionConfig,
) -> WireCase:
    """A row of the figure.

    Args:
        record: of the image in the prepared file.
        place: of its sample.
        limits: the scores from which on detections of uniform and of the method are shown.
    """
    outcomes = []
    for found, limit in zip((camera.uniform, camera.method), limits, strict=True):
        objects, own = in_image(camera.truth, found, place, config)
        result = outcome(objects, own, limit, config)
        wires = as_wires(result.found, record)
        outcomes.append(WireOutcome(wires, result.right, result.missed, limit))
    truth = as_wires(objects, record)
    return WireCase(
        title=title,
        native=(record["height"], record["width"]),
        image=seen.image,
        zoomed=seen.zoomed,
        inverse=inverse_nodes(seen.warp),
        ground=ground_of(record, [truth, *(one.found for one in outcomes)]),
        truth=truth,
        uniform=outcomes[0],
        method=outcomes[1],
    )
