"""Online evaluation of adaptive methods: frames in their order, each after its detections (5.1)."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from mmengine.dataset import pseudo_collate
from mmengine.structures import InstanceData
from torch.utils.data import DataLoader

from lzu.datasets.sequences import side_by_side
from lzu.models.adaptive import no_detections


def detect_in_order(
    model: Any,
    dataset: Any,
    sequences: Sequence[Sequence[int]],
    expected: Callable[[Any, Any], InstanceData],
    *,
    lanes: int,
    workers: int = 0,
) -> Iterator[Any]:
    """Detect in every frame of the sequences; yield the samples with what was found in them.

    A frame's saliency is made of what was detected in the frame before it in its sequence, and the
    first one's is uniform. `lanes` sequences go side by side in a batch, each by a warp of its own,
    so that their number changes nothing but the speed. `sequences` are lists of the data set's
    indices. `expected`, of the sample before, in which was detected, and of a sample, are the
    boxes and scores that are expected in the latter (see `AdaptiveDetectorMixin`).

    Yields samples in the order of detection; they keep their `previous_instances`.
    """
    sequence_of = {index: n for n, frames in enumerate(sequences) for index in frames}
    batches = list(side_by_side(sequences, lanes))
    loader = DataLoader(
        dataset, batch_sampler=batches, num_workers=workers, collate_fn=pseudo_collate
    )
    last: dict[int, Any] = {}
    for batch, data in zip(batches, loader, strict=True):
        own = [sequence_of[index] for index in batch]
        for sequence, sample in zip(own, data["data_samples"], strict=True):
            before = last.pop(sequence, None)
            sample.previous_instances = (
                no_detections() if before is None else expected(before, sample)
            )
        for sequence, sample in zip(own, model.test_step(data), strict=True):
            last[sequence] = sample
            yield sample
