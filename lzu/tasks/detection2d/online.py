"""Online evaluation of adaptive methods on the frames of Argoverse-HD's videos (5.1)."""

from collections.abc import Iterator, Sequence
from typing import Any

from mmengine.structures import InstanceData

from lzu.datasets.sequences import frame_order
from lzu.experiments.context import Context
from lzu.experiments.run import Run
from lzu.files import read_json
from lzu.models.online import detect_in_order


def validation_sequences(context: Context, run: Run) -> list[list[int]]:
    """The ids of the images that `run` is scored on, a list a sequence, in the order of `fid`.

    Raises UserError as `frame_order` does.
    """
    path = context.paths.annotations(run.split("val"))
    return frame_order(read_json(path)["images"], path)


def index_of_image(dataset: Any) -> dict[int, int]:
    """Where an mmdet dataset has each image: image id -> index."""
    return {dataset.get_data_info(index)["img_id"]: index for index in range(len(dataset))}


def detect_online(
    model: Any, dataset: Any, sequences: Sequence[Sequence[int]], *, lanes: int, workers: int = 0
) -> Iterator[Any]:
    """Detect in every frame of the sequences, as `detect_in_order` does; yield the samples with
    their `pred_instances`.

    `dataset` is an mmdet dataset that has the images, by whatever index; `sequences` are lists of
    image ids. What was detected in a frame is expected in the next where it was.
    """
    place = index_of_image(dataset)
    indices = [[place[image] for image in images] for images in sequences]
    return detect_in_order(model, dataset, indices, _where_it_was, lanes=lanes, workers=workers)


def _where_it_was(before: Any, sample: Any) -> InstanceData:
    found: InstanceData = before.pred_instances
    return found
