"""Scoring the predictions of one run of any task (no torch in here; a task's own step may)."""

from datetime import UTC, datetime
from typing import Any

from lzu.errors import UserError
from lzu.experiments.context import Context
from lzu.experiments.run import Run
from lzu.files import read_json, write_json
from lzu.results.predictions import read_predictions
from lzu.results.prior import provenance_of
from lzu.results.provenance import collect_provenance
from lzu.results.schema import METRICS_SCHEMA_NAME, validate_metrics
from lzu.results.stamps import stage_record, trained_on


def score(context: Context, run: Run) -> None:
    """Write the run's `metrics.json`: what the task's `score` step gives, and its provenance.

    Raises UserError if the predictions or the weights are of other settings or data than the
    suite's.
    """
    started = datetime.now(UTC)
    paths, split = context.paths, run.split("val")
    predictions = read_predictions(context, run)
    record = paths.run(run.trained, "train.json")
    training = read_json(record)
    if training.get("stamp") != predictions["stamp"]:
        raise UserError(
            f"{record}: trained with other settings or data than the suite has now; train it again"
        )
    about = read_json(paths.about(split))
    found = context.task.step("score")(context, run, predictions)
    metrics = {
        "schema": METRICS_SCHEMA_NAME,
        "run": run.as_dict(),
        "dataset": {
            "name": context.task.dataset.name,
            "source": about["source"],
            "fingerprint": predictions["fingerprint"],
            "split": split,
            "images": about["images"],
        },
        **found,
        "stamp": predictions["stamp"],
        # equal stamps, so it is what the weights were trained on
        "trained_on": trained_on(context, run),
        "training": training["training"],
        "provenance": {
            "train": training["provenance"],
            "predict": predictions["provenance"],
            "score": collect_provenance(started, context.suite.machine_name),
            **_of_prior(context, run),
            **_of_stage(context, run),
        },
    }
    path = paths.run(run, "metrics.json")
    validate_metrics(metrics, path, context.task)
    write_json(path, metrics)


def _of_stage(context: Context, run: Run) -> dict[str, Any]:
    """The provenance of what was trained before the run, if anything was."""
    spec = context.stage_of(run)
    return {} if spec is None else {"stage": read_json(stage_record(context, spec))["provenance"]}


def _of_prior(context: Context, run: Run) -> dict[str, Any]:
    """The provenance of the prior that the run zooms by, if it has one that tells it.

    It is read here and not by the training, because a prior that is made again with the same values
    leaves the weights as they are; the stamp has those values.
    """
    spec = context.prior_of(run)
    made = None if spec is None else provenance_of(context.paths.prior(spec))
    return {} if made is None else {"prior": made}
