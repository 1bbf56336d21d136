"""Adaptive LZU in mmdet3d's monocular detectors (5.1, A.6; in 3-D beyond the paper)."""

from typing import Any

from torch import Tensor

from lzu.models.adaptive import AdaptiveDetectorMixin
from lzu.tasks.detection3d.bridge import MODELS
from lzu.tasks.detection3d.model import ResampledMono3DDetector


@MODELS.register_module(name="LZUAdaptiveMono3DDetector")
class AdaptiveMono3DDetector(AdaptiveDetectorMixin, ResampledMono3DDetector):
    """A monocular detector that zooms in on what its camera's previous frame had, as the mixin
    says.

    The boxes are projected ones: in training the sample's own 2-D boxes; to predict, see
    `lzu.tasks.detection3d.online.expected`.
    """

    def _forward(self, batch_inputs: dict[str, Tensor], batch_data_samples: Any = None) -> Any:
        """What the head makes of images as loaded: mode "tensor", as tools for FLOPs call it."""
        inputs = self.tensor_inputs(batch_data_samples)
        return self.bbox_head.forward(self.extract_feat(batch_inputs["imgs"], *inputs))
