"""What the settings of single-stage detectors have in common, 2-D and 3-D."""

from typing import ClassVar

from lzu.experiments.settings import Model


class SingleStage(Model):
    """A single-stage detector with a resampler around its backbone and neck."""

    set_elsewhere: ClassVar[dict[str, str]] = {
        **Model.set_elsewhere,
        "type": "the detector's class follows from the method",
        "resampler": "it follows from the method",
        "native_size": "it is dataset.native_size",
        "given_size": "it follows from the run's scale",
        "network_size": "it follows from the run's scale",
        "jitter": "it is adaptive.jitter_x and adaptive.jitter_y",
        "score_threshold": "it is adaptive.score_threshold",
        "max_detections": "it is adaptive.max_detections",
        "uniform_share": "it is adaptive.uniform_share",
        "data_preprocessor.type": "images are prepared alike for all methods",
        "data_preprocessor.padded_size": "it follows from the run's scale",
        "data_preprocessor.pad_size_divisor": "the network's input is padded to multiples of 32",
        "data_preprocessor.batch_augments": "a batch is resampled as it was loaded",
    }
