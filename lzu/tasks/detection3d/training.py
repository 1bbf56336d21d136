"""What training a 3-D detector needs beside what all tasks' trainings do."""

from typing import Any

from lzu.errors import UserError
from lzu.experiments.context import Context
from lzu.experiments.run import Run
from lzu.files import read_json


def check_trainable(context: Context, run: Run) -> None:
    """Raise UserError where the trained model would be of no use: no box in the training set."""
    about = context.paths.about(context.trains_on(run))
    if not read_json(about)["boxes"]:
        raise UserError(
            f"{about}: no training image shows a box of dataset.classes; nothing is learnt"
        )


def training_hooks(
    context: Context, run: Run, per_epoch: int, iterations: int
) -> list[dict[str, Any]]:
    """No hooks beside those that all trainings have."""
    return []
