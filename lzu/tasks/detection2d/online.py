"""Online evaluation of adaptive methods: frames in their order, each after its detections (5.1)."""

from collections.abc import Iterator, Sequence
from typing import Any

from mmengine.dataset import pseudo_collate
from torch.utils.data import DataLoader

from lzu.datasets.sequences import frame_order, side_by_side
from lzu.experiments.context import Context
from lzu.experiments.run import Run
from lzu.files import read_json
from lzu.tasks.detection2d.adaptive import no_detections


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
    """Detect in every frame of the sequences; yield the samples with their `pred_instances`.

    A frame's saliency is made of what was detected in the frame before it in its sequence, and the
    first one's is uniform. `lanes` sequences go side by side in a batch, each by a warp of its own,
    so that their number changes nothing but the speed. `dataset` is an mmdet dataset that has the
    images, by whatever index; `sequences` are lists of image ids.

    Yields samples in the order of detection; they keep their `previous_instances`.
    """
    place = index_of_image(dataset)
    sequence_of = {image: n for n, images in enumerate(sequences) for image in images}
    batches = [[place[image] for image in batch] for batch in side_by_side(sequences, lanes)]
    loader = DataLoader(
        dataset, batch_sampler=batches, num_workers=workers, collate_fn=pseudo_collate
    )
    last: dict[int, Any] = {}
    for data in loader:
        for sample in data["data_samples"]:
            sample.previous_instances = last.pop(sequence_of[sample.img_id], no_detections())
        for sample in model.test_step(data):
            last[sequence_of[sample.img_id]] = sample.pred_instances
            yield sample
