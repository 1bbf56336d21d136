"""The images of a dataset, segmented batch by batch, with their labels."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from mmengine.dataset import pseudo_collate
from torch import Tensor
from torch.utils.data import DataLoader


@dataclass(frozen=True)
class Batch:
    """The frames' ids, the labels (B, H, W) of the whole crop, and what the model made of them (see
    `lzu.tasks.segmentation.model.Segmented`), on the model's device."""

    ids: list[str]
    labels: Tensor
    made: Any


def segmented(model: Any, dataset: Any, size: int, workers: int = 0) -> Iterator[Batch]:
    """Segment all images, `size` at a time; `workers` processes load them."""
    loader = DataLoader(dataset, size, num_workers=workers, collate_fn=pseudo_collate)
    for data in loader:
        data = model.data_preprocessor(data)
        samples = data["data_samples"]
        yield Batch(
            [sample.frame_id for sample in samples],
            torch.stack([sample.gt_sem_seg.data[0] for sample in samples]),
            model.segment(data["inputs"]),
        )
