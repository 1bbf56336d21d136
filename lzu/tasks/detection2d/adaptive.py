"""Adaptive LZU in mmdet's detectors, and its cascade (5.1, A.6)."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmdet.registry import MODELS
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.registry import HOOKS
from torch import Tensor, nn

from lzu.models.adaptive import AdaptiveDetectorMixin
from lzu.tasks.detection2d.model import ResampledSingleStageDetector


@MODELS.register_module(name="LZUAdaptiveDetector")
class AdaptiveSingleStageDetector(AdaptiveDetectorMixin, ResampledSingleStageDetector):
    """A detector that zooms in on the previous frame's detections, as the mixin says.

    In training they are simulated. While `cascade` is False they are the sample's ground truth,
    jittered. While it is True, the detector as it is at this iteration (in evaluation mode,
    without gradient) first detects on the same image, zoomed by that jittered ground truth, and
    its detections are jittered in turn: as it would have zoomed in on the objects when it saw the
    frame before.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.cascade = False

    def _forward(self, batch_inputs: Tensor, batch_data_samples: Any = None) -> Any:
        """What the head makes of images as loaded: mode "tensor", as tools for FLOPs call it."""
        inputs = self.tensor_inputs(batch_data_samples)
        return self.bbox_head.forward(self.extract_feat(batch_inputs, *inputs))

    def simulate(self, batch_inputs: Tensor, batch_data_samples: Any) -> None:
        """Let each sample be preceded as `cascade` says."""
        super().simulate(batch_inputs, batch_data_samples)
        if self.cascade:
            with _evaluating(self), torch.no_grad():
                for sample in self.predict(batch_inputs, batch_data_samples):
                    found = sample.pred_instances
                    del sample.pred_instances
                    self.precede(sample, found.bboxes, found.scores)


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
