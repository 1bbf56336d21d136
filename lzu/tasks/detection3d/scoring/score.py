"""nuScenes' detection score of a run's predictions (no torch, no mm*)."""

from typing import Any

from lzu.datasets.nuscenes.infos import stream_samples
from lzu.errors import UserError
from lzu.experiments.context import Context
from lzu.experiments.run import Run
from lzu.results.predictions import PREDICTIONS
from lzu.tasks.detection3d.scoring.detection_score import detection_score


def score(context: Context, run: Run, predictions: dict[str, Any]) -> dict[str, Any]:
    """Score the content of the run's predictions: what its metrics file has of this task's own.

    Raises UserError as `detection_score` does.
    """
    dataset, source = context.settings.dataset, context.paths.run(run, PREDICTIONS)
    if not isinstance(predictions.get("results"), dict):
        raise UserError(f"{source}: results: no rows by sample; predict again")
    samples = stream_samples(context.paths.annotations(run.split("val")))
    return detection_score(
        samples, predictions["results"], dataset.classes, dataset.cameras, source
    )
