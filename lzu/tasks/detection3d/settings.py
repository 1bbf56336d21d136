"""The settings of monocular 3-D detection beside those that all tasks share (5.3, A.6)."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from lzu.datasets.nuscenes.classes import CAMERAS, CLASSES
from lzu.experiments.adaptive import AdaptiveSaliency
from lzu.experiments.detectors import SingleStage
from lzu.experiments.settings import (
    BoxPrior,
    Dataset,
    Lattice,
    Passed,
    Positive,
    Schedule,
    Shipped,
    Size,
    Strict,
    TaskSettings,
    Upsampling,
    refuse_repeats,
    require_among,
)
from lzu.experiments.worlds import check_world

METHODS = ("uniform", "lzu_fixed", "lzu_adaptive_no_cascade")

Camera = Literal[
    "CAM_FRONT",
    "CAM_FRONT_RIGHT",
    "CAM_FRONT_LEFT",
    "CAM_BACK",
    "CAM_BACK_LEFT",
    "CAM_BACK_RIGHT",
]
Class = Literal[
    "car",
    "truck",
    "trailer",
    "bus",
    "construction_vehicle",
    "bicycle",
    "motorcycle",
    "pedestrian",
    "traffic_cone",
    "barrier",
]


class Images(Dataset):
    """Where nuScenes is, which part of it is looked at, and how it is checked.

    A synthetic world has a data set a split: `train` and `val` below `root`.
    """

    native_size: Size = Field((900, 1600), description="height, width in pixels (paper: 5.3)")
    version: Literal["v1.0-trainval", "v1.0-mini"] = Field(
        "v1.0-trainval", description="folder of the tables; the mini set has splits of its own"
    )
    cameras: Annotated[tuple[Camera, ...], Field(min_length=1)] = Field(
        CAMERAS,
        description="whose images are trained and predicted on; with fewer than six, what is to be "
        "found is what these see (paper: all)",
    )
    classes: Annotated[tuple[Class, ...], Field(min_length=1)] = Field(
        CLASSES, description="to be found, over which metrics are means (paper: all ten)"
    )

    @property
    def prepared_as(self) -> list[Any]:
        """The version, cameras and classes, whose images and boxes are counted."""
        return [self.version, self.cameras, self.classes]

    @model_validator(mode="after")
    def _once(self) -> "Images":
        refuse_repeats("cameras", self.cameras)
        refuse_repeats("classes", self.classes)
        return self


class Prior(BoxPrior):
    """The fixed saliency, a density of the projected training boxes, and its warp (A.6)."""

    lattice: Lattice = Field((27, 48), description="rows, columns of the saliency (paper: A.6)")
    fwhm: Positive = Field(10.0, description="of the attraction kernel, in cells (paper: A.6)")
    cameras: Literal["together", "each"] = Field(
        "together",
        description="one saliency for all cameras `together` (paper), or one for `each`",
    )

    @property
    def of_each_camera(self) -> bool:
        """Whether it is one saliency for each camera, and not one for all images."""
        return self.cameras == "each"


class Fixed(Strict):
    """LZU with the fixed saliency; the prior's block has its warp."""

    frame: Literal["content", "padded"] = Field(
        "content",
        description="in which features are unzoomed: the maps' `content`; or the whole "
        "`padded` maps, of images that were padded too, as the official release does (a slip)",
    )


class Adaptive(AdaptiveSaliency):
    """Saliency of what was detected in the camera's previous frame (beyond the paper); its lattice
    is the prior's.

    The boxes are taken from one frame to the next by the car's motion and their own velocity, and
    projected. Training jitters the projected ground truth instead, by the paper's deviations in 2-D
    detection: in native pixels, as the bandwidth is, so that a suite with images of another size
    sets its own. A FCOS3D's scores are products, of class and centredness, and lower than those of
    2-D detection: from 0.2 on there were as many detections as objects, from 0.3 on a little over
    half as many.
    """

    score_threshold: Annotated[float, Field(ge=0, le=1)] = Field(
        0.2, description="detections below it, or the model's score_thr, do not count"
    )


class Detector(SingleStage):
    """A single-stage monocular detector of mmdet3d; the paper's: FCOS3D, ResNet-50 (5.3)."""

    set_elsewhere: ClassVar[dict[str, str]] = {
        **SingleStage.set_elsewhere,
        "bbox_head.num_classes": "it follows from dataset.classes",
    }

    base: Shipped = Field(
        "mmdet3d::fcos3d/fcos3d_r101-caffe-dcn_fpn_head-gn_8xb2-1x_nus-mono3d.py",
        description="`mmdet3d::path` of a config that ships in mmdet3d (paper: FCOS3D; its "
        "ResNet-50 is an override)",
    )


class Training(Schedule):
    """The training schedule: mmdet3d's for FCOS3D at half the rate (A.6)."""

    epochs: Annotated[int, Field(ge=1)] = Field(12, description="passes over the data (paper: A.6)")
    milestones: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        (),
        description="epochs after which the rate falls to a tenth, in place of the steady decay "
        "(paper: 8 and 11)",
    )
    batch: Annotated[int, Field(ge=1)] = Field(
        16, description="images an iteration, over all GPUs (paper: A.6)"
    )
    optimizer: Passed = Field(
        {"type": "SGD", "momentum": 0.9, "weight_decay": 1e-4},
        description="torch's optimizer and its arguments; the rate is the method's",
    )
    warmup_iterations: Annotated[int, Field(ge=0)] = Field(
        500, description="of linear warm-up (paper: A.6)"
    )


class Detection3d(TaskSettings):
    """Monocular 3-D detection on nuScenes (5.3)."""

    offered: ClassVar[tuple[str, ...]] = METHODS

    dataset: Images
    model: Detector = Detector()
    schedule: Training = Training()
    prior: Prior = Prior()
    fixed: Fixed = Fixed()
    adaptive: Adaptive = Adaptive()
    upsampling: Upsampling | None = Field(None, description="Table 2; null: left out")

    @model_validator(mode="after")
    def _world(self) -> "Detection3d":
        check_world(self.dataset)
        if self.dataset.synthetic is not None:
            there = tuple(self.dataset.synthetic.get("cameras", CAMERAS))
            who = "dataset.synthetic.cameras has"
            require_among("dataset.cameras", self.dataset.cameras, there, who)
        return self

    @model_validator(mode="after")
    def _upsamples(self) -> "Detection3d":
        if self.upsampling is not None:
            self.check_upsampling(self.upsampling)
        return self
