"""The settings of 2-D detection beside those that all tasks share (5.1, A.6)."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from lzu.experiments.adaptive import AdaptiveSaliency
from lzu.experiments.detectors import SingleStage
from lzu.experiments.learned import Learned
from lzu.experiments.methods import BASELINE
from lzu.experiments.settings import (
    BoxDataset,
    BoxPrior,
    Positive,
    Seed,
    Shipped,
    Strict,
    TaskSettings,
    Upsampling,
    require_among,
)
from lzu.experiments.worlds import check_world
from lzu.tasks.detection2d.tables import AMPLITUDES, FWHMS, SEARCHED

METHODS = (
    "uniform",
    "lzu_fixed",
    "lzu_adaptive",
    "lzu_adaptive_no_cascade",
    "lzu_learned",
    "fovea",
)


class Adaptive(AdaptiveSaliency):
    """Saliency of the previous frame's detections (5.1, A.6); its lattice is the prior's.

    Training knows no previous frame. It jitters the ground truth instead, and in the last epochs of
    `lzu_adaptive` ("cascaded") the model's own detections on the same image. The paper's N(0, 7.5)
    and N(0, 3) are read as standard deviations. They are in native pixels, as the bandwidth is,
    and meant for 1920x1200: a suite with images of another size sets its own. The paper does not
    say which detections count; FOVEA's code takes all that its Faster R-CNN returns (scores from
    0.05, at most 100 of them), alike. At such scores a RetinaNet returns a hundred on any image.
    """

    cascade_from_epoch: Annotated[float, Field(ge=0)] = Field(
        2.0, description="epochs before the cascade; may end within one (paper: A.6)"
    )


class Fovea(Strict):
    """FOVEA with the dataset's prior (its S_D); saliency is that of `prior`.

    The kernel's width is that in FOVEA's released code, the same for this prior (S_D) and for
    previous detections (S_I). LZU does not say which of the two its Table 1 shows.
    """

    fwhm: Positive = Field(4.0, description="of the attraction kernel, in cells (FOVEA's code)")


class Stream(Strict):
    """The validation sequence that an adaptive method's warp is shown following."""

    sequence: Seed | str = Field(0, description="its sid, or its name")
    frames: Annotated[int, Field(ge=1)] = Field(40, description="the first ones, at most")


class Search(Strict):
    """Table 6: amplitudes and kernel widths at 0.5x, on a split of the training set (A.6)."""

    amplitudes: Annotated[tuple[Positive, ...], Field(min_length=1)] = Field(
        AMPLITUDES, description="of saliency (paper: Table 6)"
    )
    fwhms: Annotated[tuple[Positive, ...], Field(min_length=1)] = Field(
        FWHMS, description="of the kernel, in cells (paper: Table 6)"
    )
    methods: Annotated[tuple[Literal["lzu_fixed", "lzu_adaptive"], ...], Field(min_length=1)] = (
        Field(SEARCHED, description="that are searched for")
    )
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)] = Field(
        (0,), description="of every point, and of uniform"
    )
    validation_share: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.2, description="of the training set's images, by whole sequences (paper: A.6)"
    )
    split_seed: Seed = Field(0, description="of the split")

    @model_validator(mode="after")
    def _of_table_6(self) -> "Search":
        require_among("amplitudes", self.amplitudes, AMPLITUDES, "Table 6 has")
        require_among("fwhms", self.fwhms, FWHMS, "Table 6 has")
        require_among("seeds", self.seeds, self.seeds, "")
        return self


class Detector(SingleStage):
    """A single-stage detector of mmdet; the paper's is a RetinaNet with a ResNet-50 (5.1)."""

    set_elsewhere: ClassVar[dict[str, str]] = {
        **SingleStage.set_elsewhere,
        "num_classes": "the data set has its own",
        "bbox_head.num_classes": "the data set has its own",
    }

    base: Shipped = Field(
        "mmdet::retinanet/retinanet_r50_fpn_1x_coco.py",
        description="`mmdet::path` of a config that ships in mmdet (paper: 5.1)",
    )


class Detection2d(TaskSettings):
    """2-D detection on Argoverse-HD (5.1)."""

    offered: ClassVar[tuple[str, ...]] = METHODS

    dataset: BoxDataset
    model: Detector = Detector()
    prior: BoxPrior = BoxPrior()
    adaptive: Adaptive = Adaptive()
    learned: Learned = Learned()
    fovea: Fovea = Fovea()
    stream: Stream = Stream()
    upsampling: Upsampling | None = Field(None, description="Table 2; null: left out")
    search: Search | None = Field(None, description="Table 6; null: left out")

    @model_validator(mode="after")
    def _world(self) -> "Detection2d":
        check_world(self.dataset)
        return self

    @model_validator(mode="after")
    def _cascades(self) -> "Detection2d":
        start, epochs = self.adaptive.cascade_from_epoch, self.schedule.epochs
        if "lzu_adaptive" in self.methods and start >= epochs:
            raise ValueError(
                f"adaptive.cascade_from_epoch: {start:g} leaves nothing of {epochs} epochs to the "
                "cascade; lower it, or use lzu_adaptive_no_cascade"
            )
        return self

    @model_validator(mode="after")
    def _times_fovea(self) -> "Detection2d":
        if "fovea" in self.methods:
            uniform = self.methods["uniform"].scales if "uniform" in self.methods else ()
            alone = [scale for scale in self.methods["fovea"].scales if scale not in uniform]
            if alone:
                raise ValueError(
                    f"methods.fovea.scales: {alone[0]:g} is no scale of uniform, whose time is the "
                    "baseline of fovea's; add it to methods.uniform.scales"
                )
        return self

    @model_validator(mode="after")
    def _upsamples(self) -> "Detection2d":
        if self.upsampling is not None:
            self.check_upsampling(self.upsampling)
        return self

    @model_validator(mode="after")
    def _searches(self) -> "Detection2d":
        if self.search is None:
            return self
        for method in (BASELINE.name, *self.search.methods):
            if method not in self.methods:
                raise ValueError(
                    f"search: needs the learning rate of {method}; add it to methods (its scales "
                    "may be empty)"
                )
        return self
