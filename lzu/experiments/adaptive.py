"""The settings of adaptive saliency, which tasks of detection share."""

from typing import Annotated

from pydantic import Field

from lzu.experiments.settings import Positive, Strict


class AdaptiveSaliency(Strict):
    """Saliency of the previous frame's detections, and how training simulates them (5.1, A.6)."""

    fwhm: Positive = Field(10.0, description="of the attraction kernel, in cells (paper: A.6)")
    amplitude: Positive = Field(1.0, description="as the prior's (paper: A.6)")
    bandwidth: Positive = Field(64.0, description="as the prior's (paper: A.6)")
    jitter_x: Annotated[float, Field(ge=0)] = Field(
        7.5, description="standard deviation of box centres, in native pixels (paper: A.6)"
    )
    jitter_y: Annotated[float, Field(ge=0)] = Field(
        3.0, description="the same along y (paper: A.6)"
    )
    uniform_share: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.0,
        description="share of training images that are seen uniformly, as a video's first frame is"
        " (beyond the paper)",
    )
    score_threshold: Annotated[float, Field(ge=0, le=1)] = Field(
        0.3, description="detections below it, or the model's score_thr, do not count"
    )
    max_detections: Annotated[int, Field(ge=1)] = Field(
        100, description="in a frame; those of highest score count"
    )
