"""Adaptive LZU: saliency from what was detected in the previous frame (5.1, A.6)."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from mmdet.registry import MODELS
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.registry import HOOKS
from mmengine.structures import InstanceData
from torch import Tensor, nn

from lzu.tasks.detection2d.jitter import jitter_boxes
from lzu.tasks.detection2d.model import ResampledSingleStageDetector


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


@MODELS.register_module(name="LZUAdaptiveDetector")
class AdaptiveSingleStageDetector(ResampledSingleStageDetector):
    """A detector that zooms in on the previous frame's detections.

    To predict, each sample needs `previous_instances`: the detections in the frame before, with
    `bboxes` (n, 4) in native pixels and `scores` (n,); empty for the first frame of a sequence.
    In training they are simulated. While `cascade` is False they are the sample's ground truth,
    jittered. While it is True, the detector as it is at this iteration (in evaluation mode,
    without gradient) first detects on the same image, zoomed by that jittered ground truth, and
    its detections are jittered in turn: as it would have zoomed in on the objects when it saw the
    frame before. Samples then need a `jitter_seed` (see `lzu.tasks.detection2d.jitter.JitterSeed`).

    `jitter` holds standard deviations (x, y) in native pixels; `score_threshold` and
    `max_detections` are those of `salient_boxes`; the rest is as in `LZUSingleStageDetector`.

    A share `uniform_share` of the training images has nothing detected before it, as a video's
    first frame, so that it is seen uniformly. The paper has none, and so never trains on what it
    begins every video with.
    """

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
        self.cascade = False

    def resampler_inputs(self, batch_data_samples: Any) -> tuple[list[Tensor]]:
        """The boxes (n, 4), in native pixels, that each image's saliency is made of."""
        return self._salient([sample.previous_instances for sample in batch_data_samples])

    def _salient(self, previous: Sequence[InstanceData]) -> tuple[list[Tensor]]:
        device = self.data_preprocessor.device
        return (
            [
                salient_boxes(found.to(device), self.score_threshold, self.max_detections)
                for found in previous
            ],
        )

    def _forward(self, batch_inputs: Tensor, batch_data_samples: Any = None) -> Any:
        """What the head makes of images as loaded: mode "tensor", as tools for FLOPs call it.

        They know of no sequences. So here, and not in `loss` and `predict`, an image without a
        sample, or whose sample has no `previous_instances`, is the first frame of a sequence.
        """
        samples = batch_data_samples or []
        previous = [getattr(sample, "previous_instances", None) for sample in samples]
        if all(found is None for found in previous):
            return self.bbox_head.forward(self.extract_feat(batch_inputs))
        known = [no_detections() if found is None else found for found in previous]
        return self.bbox_head.forward(self.extract_feat(batch_inputs, *self._salient(known)))

    def loss(self, batch_inputs: Tensor, batch_data_samples: Any) -> dict[str, Any]:
        """The head's losses, with previous detections simulated as `cascade` says."""
        for sample in batch_data_samples:
            truth = self.frames.to_native(sample.gt_instances.bboxes)
            self._precede(sample, truth, truth.new_ones(len(truth)))
        if self.cascade:
            with _evaluating(self), torch.no_grad():
                for sample in self.predict(batch_inputs, batch_data_samples):
                    found = sample.pred_instances
                    del sample.pred_instances
                    self._precede(sample, found.bboxes, found.scores)
        return super().loss(batch_inputs, batch_data_samples)

    def _precede(self, sample: Any, boxes: Tensor, scores: Tensor) -> None:
        """Let `boxes`, jittered, be what was detected before `sample`; or nothing, by its draw."""
        # Of a generator of its own, so that the boxes are moved the same whatever the share.
        if np.random.default_rng([sample.jitter_seed, 1]).random() < self.uniform_share:
            sample.previous_instances = InstanceData(bboxes=boxes[:0], scores=scores[:0])
            return
        moved = jitter_boxes(boxes, sample.jitter_seed, self.jitter, self.frames.native)
        sample.previous_instances = InstanceData(bboxes=moved, scores=scores)


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)


@HOOKS.register_module(name="LZUCascade")
class Cascade(Hook):
    """Switch an adaptive detector's `cascade` on from iteration `first_iteration` on.

    It looks at the iteration's number alone, so a resumed training is in the right stage.
    """

    def __init__(self, first_iteration: int) -> None:
        self.first_iteration = first_iteration

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        """Set the stage of the iteration that comes."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        model.cascade = runner.iter >= self.first_iteration
