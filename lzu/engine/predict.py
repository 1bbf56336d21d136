"""Predicting on the validation data with a trained run of any task."""

from datetime import UTC, datetime

import torch

from lzu.engine.trained import load_trained
from lzu.experiments.context import Context
from lzu.experiments.run import Run
from lzu.files import write_json
from lzu.results.predictions import PREDICTIONS
from lzu.results.provenance import collect_provenance
from lzu.results.stamps import fingerprint, stamp


def predict(context: Context, run: Run, *, workers: int = 0) -> None:
    """Write the run's `predictions.json`: what the task's `predict` step gives.

    It tells of which weights (`stamp`) and of which validation data (`fingerprint`) it is.
    """
    started = datetime.now(UTC)
    model = load_trained(context, run)
    with torch.inference_mode():
        found = context.task.step("predict")(context, run, model, workers=workers)
    write_json(
        context.paths.run(run, PREDICTIONS),
        {
            "stamp": stamp(context, run),
            "fingerprint": fingerprint(context, run.split("val")),
            "provenance": collect_provenance(started, context.suite.machine_name),
            **found,
        },
        indent=None,
    )
