"""The rules of nuScenes' detection score, restricted to some of its classes."""

from collections.abc import Sequence

from nuscenes.eval.common.config import config_factory
from nuscenes.eval.detection.constants import TP_METRICS
from nuscenes.eval.detection.data_classes import DetectionConfig

from lzu.tasks.detection3d.tables import ERRORS

RULES = "detection_cvpr_2019"
"""The devkit's name of them; the paper's numbers are by these."""

ERROR_METRICS = dict(zip(TP_METRICS, ERRORS, strict=True))
"""The devkit's name of an error of what is found -> that of its mean over the classes."""

# As DetectionEval.evaluate has them, where they are no data: a cone has no front, and neither cones
# nor barriers move or have attributes.
UNDEFINED = {
    "traffic_cone": ("attr_err", "vel_err", "orient_err"),
    "barrier": ("attr_err", "vel_err"),
}
"""Class -> the errors that it has none of."""


def rules(classes: Sequence[str]) -> DetectionConfig:
    """The devkit's rules with these classes alone, in its order.

    `class_names` and `class_range` are restricted; all else is as published.
    """
    config = config_factory(RULES)
    config.class_range = {
        name: reach for name, reach in config.class_range.items() if name in classes
    }
    config.class_names = list(config.class_range)
    return config
