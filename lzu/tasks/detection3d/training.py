"""What training a 3-D detector needs beside what all tasks' trainings do."""

from typing import Any

from lzu.errors import UserError
from lzu.experiments.context import Context
from lzu.experiments.run import Run
from lzu.tasks.detection3d.build import validation_set
from lzu.tasks.detection3d.data import learned_boxes
from lzu.tasks.detection3d.online import camera_sequences


def check_trainable(context: Context, run: Run) -> None:
    """Raise UserError where the trained model would be of no use: no box in the training set that
    is learned (the boxes that the set tells of are all round, with points or not), or frames
    without an order in the validation set of a method that follows them."""
    dataset = context.settings.dataset
    listing = context.paths.annotations(context.trains_on(run))
    boxes = learned_boxes(listing, dataset.cameras, dataset.classes)
    if not any(len(own) for _, own in boxes):
        raise UserError(
            f"{listing}: no image of dataset.cameras shows a box of dataset.classes with a lidar "
            "or radar point, so nothing would be learned; choose others"
        )
    if run.about.follows_frames:
        # Better to hear of it now than after training.
        camera_sequences(validation_set(context, run))


def training_hooks(
    context: Context, run: Run, per_epoch: int, iterations: int
) -> list[dict[str, Any]]:
    """No hooks beside those that all trainings have."""
    return []
