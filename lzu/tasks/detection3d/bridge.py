"""What is used of mmdet3d, which can be imported by its bridge alone (`lzu.models.compat`)."""

from lzu.models.compat import import_mmdet3d

import_mmdet3d()

from mmdet3d.models.data_preprocessors import Det3DDataPreprocessor  # noqa: E402
from mmdet3d.models.dense_heads import FCOSMono3DHead  # noqa: E402
from mmdet3d.models.detectors import SingleStageMono3DDetector  # noqa: E402
from mmdet3d.registry import DATASETS, MODELS, TRANSFORMS  # noqa: E402
from mmdet3d.structures import Box3DMode, CameraInstance3DBoxes  # noqa: E402

__all__ = [
    "DATASETS",
    "MODELS",
    "TRANSFORMS",
    "Box3DMode",
    "CameraInstance3DBoxes",
    "Det3DDataPreprocessor",
    "FCOSMono3DHead",
    "SingleStageMono3DDetector",
]
