"""A run's predictions, image by image, in the order of a listing."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lzu.datasets.cityscapes.reader import stream_train_ids
from lzu.errors import UserError
from lzu.experiments.context import Context
from lzu.experiments.run import Run
from lzu.results.predictions import PREDICTIONS, read_predictions
from lzu.tasks.segmentation.scoring.maps import unpack_map


def matched(
    images: Sequence[dict[str, Any]], predictions: Sequence[dict[str, Any]], source: object
) -> dict[str, dict[str, Any]]:
    """Image's id -> its prediction, if each has one.

    Raises:
        UserError: an image has no prediction, or several, or a prediction is of another image.
    """
    wanted = {image["id"] for image in images}
    times = Counter(str(record.get("id")) for record in predictions)
    problems = {
        "without a prediction": wanted - times.keys(),
        "that the listing does not have": times.keys() - wanted,
        "predicted more than once": {name for name, count in times.items() if count > 1},
    }
    said = [
        f"{len(names)} image{'s' if len(names) > 1 else ''} {what} ({_some(names)})"
        for what, names in problems.items()
        if names
    ]
    if said:
        raise UserError(f"{source}: {'; '.join(said)}; predict again")
    return {record["id"]: record for record in predictions}


def _some(names: set[str], most: int = 3) -> str:
    return ", ".join(sorted(names)[:most]) + (", ..." if len(names) > most else "")


def read_maps(
    context: Context, run: Run, images: Sequence[dict[str, Any]]
) -> Iterator[NDArray[np.uint8]]:
    """The class map (H, W), of the whole crop, that a run predicted for each of a listing's images.

    Raises:
        UserError: the predictions are missing, are not of the run as the suite has it or of other
            images, or are damaged.
    """
    source = context.paths.run(run, PREDICTIONS)
    by_id = matched(images, read_predictions(context, run)["images"], source)
    for image in images:
        where = f"{source}: image {image['id']}"
        yield unpack_map(by_id[image["id"]].get("map"), context.settings.dataset.crop, where)


def read_truths(context: Context, images: Sequence[dict[str, Any]]) -> list[NDArray[np.uint8]]:
    """The labels (H, W), of the whole crop, of each of a listing's images."""
    dataset = context.settings.dataset
    labels = [image["label"] for image in images]
    return list(stream_train_ids(dataset.root, labels, crop=dataset.crop))
