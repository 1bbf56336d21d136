"""Adaptive LZU in detectors: saliency from what was detected in the frame before (5.1, A.6)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmengine.structures import InstanceData
from torch import Tensor

from lzu.models.frames import Frames
from lzu.models.jitter import jitter_boxes


def salient_boxes(detections: Any, score_threshold: float, max_detections: int) -> Tensor:
    """The boxes (n, 4) of the detections that count: the best scores, from a threshold on.

    `detections` have `bboxes` and `scores`. Their classes do not matter, nor do scores above the
    threshold: each box weighs the same (FOVEA). A box without area, at the image's very border,
    has no density and is left out.
    """
    boxes, scores = detections.bboxes, detections.scores
    has_area = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    counts = (scores >= score_threshold) & has_area
    boxes, scores = boxes[counts], scores[counts]
    if len(boxes) > max_detections:
        boxes = boxes[scores.argsort(descending=True, stable=True)[:max_detections]]
    return boxes


def no_detections() -> InstanceData:
    """What precedes the first frame of a sequence."""
    return InstanceData(bboxes=torch.zeros(0, 4), scores=torch.zeros(0))


class AdaptiveDetectorMixin:
    """Lets a detector zoom in on the previous frame's detections; name it before a class made with
    `lzu.models.detectors.ResampledDetectorMixin`, whose resampler is one of boxes.

    To predict, each sample needs `previous_instances`: what was detected in the frame before, where
    it is expected in this one, with `bboxes` (n, 4) in native pixels and `scores` (n,); empty for
    the first frame of a sequence. In training they are simulated: they are the sample's ground
    truth, jittered. Samples then need a `jitter_seed` (see `lzu.models.jitter.JitterSeed`).

    `jitter` holds standard deviations (x, y) in native pixels; `score_threshold` and
    `max_detections` are those of `salient_boxes`; the rest is the detector's.

    A share `uniform_share` of the training images has nothing detected before it, as a video's
    first frame, so that it is seen uniformly. The paper has none, and so never trains on what it
    begins every video with.
    """

    frames: Frames
    data_preprocessor: Any

    def __init__(
        self,
        *args: Any,
        score_threshold: float,
        max_detections: int,
        jitter: Sequence[float],
        uniform_share: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.score_threshold, self.max_detections = score_threshold, max_detections
        self.jitter = tuple(jitter)
        self.uniform_share = uniform_share

    def resampler_inputs(self, batch_data_samples: Any) -> tuple[list[Tensor]]:
        """The boxes (n, 4), in native pixels, that each image's saliency is made of."""
        return self._salient([sample.previous_instances for sample in batch_data_samples])

    def tensor_inputs(self, batch_data_samples: Any) -> tuple[list[Tensor], ...]:
        """The same in mode "tensor", as tools for FLOPs call it, which know of no sequences.

        So here, and not in `loss` and `predict`, an image without a sample, or whose sample has no
        `previous_instances`, is the first frame of a sequence.
        """
        samples = batch_data_samples or []
        previous = [getattr(sample, "previous_instances", None) for sample in samples]
        if all(found is None for found in previous):
            return ()
        return self._salient([no_detections() if one is None else one for one in previous])

    def _salient(self, previous: Sequence[InstanceData]) -> tuple[list[Tensor]]:
        device = self.data_preprocessor.device
        return (
            [
                salient_boxes(found.to(device), self.score_threshold, self.max_detections)
                for found in previous
            ],
        )

    def loss(self, batch_inputs: Any, batch_data_samples: Any, **kwargs: Any) -> dict[str, Any]:
        """The detector's losses, with previous detections simulated."""
        self.simulate(batch_inputs, batch_data_samples)
        losses: dict[str, Any] = super().loss(batch_inputs, batch_data_samples, **kwargs)  # type: ignore[misc]
        return losses

    def simulate(self, batch_inputs: Any, batch_data_samples: Any) -> None:
        """Let each sample's own ground truth precede it."""
        for sample in batch_data_samples:
            truth = self.frames.to_native(sample.gt_instances.bboxes)
            self.precede(sample, truth, truth.new_ones(len(truth)))

    def precede(self, sample: Any, boxes: Tensor, scores: Tensor) -> None:
        """Let `boxes`, jittered, be what was detected before `sample`; or nothing, by its draw."""
        # Of a generator of its own, so that the boxes are moved the same whatever the share.
        if np.random.default_rng([sample.jitter_seed, 1]).random() < self.uniform_share:
            sample.previous_instances = InstanceData(bboxes=boxes[:0], scores=scores[:0])
            return
        moved = jitter_boxes(boxes, sample.jitter_seed, self.jitter, self.frames.native)
        sample.previous_instances = InstanceData(bboxes=moved, scores=scores)
