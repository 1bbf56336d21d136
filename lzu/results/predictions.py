"""Reading a run's predictions with a check of what they are of."""

from typing import Any

from lzu.errors import UserError
from lzu.experiments.context import Context
from lzu.experiments.run import Run
from lzu.files import read_json
from lzu.results.stamps import fingerprint, stamp

PREDICTIONS = "predictions.json"


def read_predictions(context: Context, run: Run) -> dict[str, Any]:
    """The content of the run's predictions.

    Raises UserError if they are missing, or are not of the run's weights or validation data as the
    suite has them now.
    """
    path = context.paths.run(run, PREDICTIONS)
    if not path.is_file():
        raise UserError(
            f"{path}: no such file; train {run.method} at {run.to_scale:g} (seed {run.seed}) and "
            "predict with it: `lzu train` and `lzu predict`"
        )
    content: dict[str, Any] = read_json(path)
    if content.get("stamp") != stamp(context, run):
        raise UserError(
            f"{path}: made with weights of other settings or data than the suite has now; train "
            "and predict again"
        )
    if content.get("fingerprint") != fingerprint(context, run.split("val")):
        raise UserError(
            f"{path}: made on other data than {context.paths.annotations(run.split('val'))} has "
            "now; predict again"
        )
    return content


def is_predicted(context: Context, run: Run) -> bool:
    """Whether the run's predictions are there, of today's weights and validation data."""
    try:
        read_predictions(context, run)
    except UserError:
        return False
    return True
