"""What training a detector needs beside what all tasks' trainings do."""

import math
from typing import Any

from lzu.errors import UserError
from lzu.experiments.context import Context
from lzu.experiments.identity import own_block
from lzu.experiments.run import Run
from lzu.tasks.detection2d.online import validation_sequences


def check_trainable(context: Context, run: Run) -> None:
    """Raise UserError where the trained model would be of no use."""
    if run.about.follows_frames:
        # Better to hear of it now than after training.
        validation_sequences(context, run)


def training_hooks(
    context: Context, run: Run, per_epoch: int, iterations: int
) -> list[dict[str, Any]]:
    """Hooks of the run's training beside those that all have: the cascade's.

    Raises UserError if the training ends before the cascade begins.
    """
    if not run.about.cascades:
        return []
    start = own_block(context, run)["cascade_from_epoch"]
    first = math.ceil(start * per_epoch)
    if first >= iterations:
        raise UserError(
            f"adaptive.cascade_from_epoch: {start:g} leaves none of the training's {iterations} "
            "iterations to the cascade; lower it"
        )
    return [{"type": "LZUCascade", "first_iteration": first}]
