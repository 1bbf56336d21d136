"""What training a segmenter needs beside what all tasks' trainings do."""

from typing import Any

from lzu.errors import UserError
from lzu.experiments.context import Context
from lzu.experiments.run import Run
from lzu.files import read_json
from lzu.tasks.segmentation.build import listing_config
from lzu.tasks.segmentation.plan import MINI_VAL


def check_trainable(context: Context, run: Run) -> None:
    """Raise UserError where the trained model would be of no use: no class in the training set."""
    about = context.paths.about(context.trains_on(run))
    if not any(read_json(about)["class_pixels"].values()):
        raise UserError(
            f"{about}: no pixel of the training labels is of a class; nothing is learnt"
        )


def training_hooks(
    context: Context, run: Run, per_epoch: int, iterations: int
) -> list[dict[str, Any]]:
    """The hook that chooses the best weights on the mini-validation set (5.2).

    Raises UserError if there are more evaluations than iterations.
    """
    count = context.settings.mini_validation.evaluations
    if count > iterations:
        raise UserError(
            f"mini_validation.evaluations: {count} do not fit into the training's {iterations} "
            "iterations; lower it or train longer"
        )
    return [
        {
            "type": "LZUSelectBest",
            "name": f"{run.method} {run.variant} seed{run.seed}",
            "dataset": listing_config(context, MINI_VAL),
            "iterations": [round(iterations * k / count) for k in range(1, count + 1)],
        }
    ]
