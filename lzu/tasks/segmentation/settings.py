"""The settings of semantic segmentation beside those that all tasks share (5.2, A.6)."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from lzu.experiments.learned import Learned as LearnedBase
from lzu.experiments.learned import LowResolution
from lzu.experiments.settings import (
    Dataset,
    Lattice,
    LatticePrior,
    Model,
    Passed,
    Positive,
    Schedule,
    Seed,
    Shipped,
    Size,
    Strict,
    TaskSettings,
    frame_size,
)
from lzu.experiments.worlds import check_world

METHODS = ("uniform", "lzu_fixed", "lzu_learned", "lds", "es")

Place = Literal["backbone", "context", "logits"]
UNZOOM_AT = Field(
    "backbone",
    description="what is unzoomed: the `backbone`'s (or neck's) maps; what the heads' `context` "
    "module (the pyramid pooling) gives; or the heads' `logits`",
)


class Images(Dataset):
    """Where the images are, which part of them networks look at, and how they are checked."""

    native_size: Size = Field((1024, 2048), description="height, width in pixels (paper: 5.2)")
    crop: Size = Field(
        (1024, 1024),
        description="height, width of the central part that networks look at, of which scales are "
        "fractions (paper: 5.2)",
    )

    @property
    def frame(self) -> tuple[int, int]:
        """The crop's (height, width) in pixels."""
        return self.crop

    @property
    def prepared_as(self) -> list[Any]:
        """The crop, whose pixels are counted."""
        return [] if self.crop == self.native_size else [self.crop]

    @model_validator(mode="after")
    def _inside(self) -> "Images":
        if self.crop[0] > self.native_size[0] or self.crop[1] > self.native_size[1]:
            raise ValueError(
                f"crop: {self.crop[0]} x {self.crop[1]} is larger than the images, native_size "
                f"{self.native_size[0]} x {self.native_size[1]}; choose a smaller crop"
            )
        return self


class MiniValidation(Strict):
    """A part of the training set on which the best weights of a training are chosen (5.2)."""

    images: Annotated[int, Field(ge=1)] = Field(
        500, description="how many, by whole cities or else sequences (paper: 5.2)"
    )
    split_seed: Seed = Field(0, description="of the choice")
    evaluations: Annotated[int, Field(ge=1)] = Field(
        10, description="at equal distances during a training; the best one's weights stay (A.6)"
    )


class Prior(LatticePrior):
    """The fixed saliency, the mean of the training labels' boundaries, and its warp (A.6)."""

    lattice: Lattice = Field((45, 45), description="rows, columns of the saliency (paper: A.6)")
    fwhm: Positive = Field(15.0, description="of the attraction kernel, in cells (paper: A.6)")
    boundary: Positive = Field(200.0, description="intensity of a boundary pixel (paper: A.6)")
    background: Positive = Field(1.0, description="of another pixel (paper: A.6)")
    label_size: Size = Field(
        (256, 256),
        description="height, width that labels are reduced to before their boundaries are taken "
        "(paper: A.6)",
    )


class Fixed(Strict):
    """LZU with the fixed saliency; the prior's block has its warp."""

    unzoom_at: Place = UNZOOM_AT


class Learned(LearnedBase):
    """Saliency that a small network learns with the segmenter (see lzu.saliency.LearnedSaliency).

    Not in the paper, which expects it to help (5.2). The lattice is the prior's.
    """

    input_size: tuple[LowResolution, LowResolution] = Field(
        (65, 65),
        description="height, width in pixels of what its network sees, multiples of 4 plus 1",
    )
    unzoom_at: Place = UNZOOM_AT


Backprojection = Literal["nearest", "linear"]


class Lds(Strict):
    """Learning to Downsample: the saliency of each image by a deformation network, learned with the
    segmenter, which learns and predicts in the sampled space.

    Facts of the released code; its own network and schedule were others.
    """

    fwhm: Positive = Field(15.0, description="of the attraction kernel, in cells (LDS's code)")
    input_size: Size = Field(
        (64, 64),
        description="height, width in pixels of what its network sees, and its saliency's lattice "
        "(LDS's code: 64 x 128, of whole images)",
    )
    channels: Annotated[int, Field(ge=8, multiple_of=8)] = Field(
        192, description="of its network's first two layers; the third has an eighth (LDS's code)"
    )
    edge_weight: Annotated[float, Field(ge=0)] = Field(
        100.0, description="of the loss that draws saliency to boundaries (LDS's code)"
    )
    back_projection: Backprojection = Field(
        "nearest", description="of predictions to the whole crop (LDS's code: nearest)"
    )
    slips: tuple[Literal["edges", "labels", "frame"], ...] = Field(
        (),
        description="of LDS's code, to reproduce: `edges`, 255 counts as a class of its own in the "
        "edge loss, which is scaled over a batch; `labels`, class numbers are interpolated for the "
        "loss, which makes classes that are not there; `frame`, places are off by half a pixel at "
        "the borders",
    )


class Es(Strict):
    """Efficient Segmentation (adaptive sampling): locations nearer to boundaries, predicted by a
    small network that is trained before the segmenter and then frozen."""

    lattice: Annotated[int, Field(ge=2)] = Field(
        8,
        description="rows and columns of the locations; its network sees 8 times as many pixels "
        "(ES's code)",
    )
    alpha: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.5, description="weight of the nearest boundary against equal distances (ES's code)"
    )
    slips: tuple[Literal["weights", "nodes", "classes"], ...] = Field(
        (),
        description="of ES's code, to reproduce: `weights`, of the solver, which uses a lambda of "
        "0.586; `nodes`, the nearest boundary is sought from the pixel above and left of a node; "
        "`classes`, the boundaries of trainIds 11 to 18 alone count",
    )
    widen_factor: Positive = Field(0.25, description="of its MobileNetV2 (ES's code)")
    learning_rate: Positive = Field(0.007, description="of its training (ES's code)")
    batch: Annotated[int, Field(ge=2)] = Field(32, description="images an iteration (ES's code)")
    iterations: Annotated[int, Field(ge=1)] = Field(
        30000, description="of its training (ES's code)"
    )
    back_projection: Backprojection = Field(
        "linear", description="of predictions to the whole crop (ES's code: linear)"
    )


class Segmenter(Model):
    """An encoder-decoder of mmseg; the paper's is a PSPNet with a ResNet-50 (5.2)."""

    set_elsewhere: ClassVar[dict[str, str]] = {
        **Model.set_elsewhere,
        "type": "the segmenter's class follows from the method",
        "resampler": "it follows from the method",
        "frame_size": "it is dataset.crop",
        "network_size": "it follows from the run's scale",
        "unzoom_at": "it is fixed.unzoom_at and learned.unzoom_at",
        "pretrained": "it is the backbone's init_cfg",
        "decode_head.num_classes": "the data set has its own",
        "auxiliary_head.num_classes": "the data set has its own",
        "data_preprocessor.type": "images are prepared alike for all methods",
        "data_preprocessor.size": "the network's input has the size of the run's scale",
        "data_preprocessor.size_divisor": "the network's input has the size of the run's scale",
        "data_preprocessor.batch_augments": "a batch is resampled as it was loaded",
        "data_preprocessor.test_cfg": "the network's input has the size of the run's scale",
    }

    base: Shipped = Field(
        "mmseg::pspnet/pspnet_r50-d8_4xb2-80k_cityscapes-512x1024.py",
        description="`mmseg::path` of a config that ships in mmsegmentation (paper: 5.2)",
    )


class Training(Schedule):
    """The training schedule (A.6).

    The rate decays iteration by iteration, from the method's to `final_rate`, as the `power`-th
    power of the part that is left.
    """

    batch: Annotated[int, Field(ge=1)] = Field(
        16, description="images an iteration, over all GPUs (paper: A.6)"
    )
    optimizer: Passed = Field(
        {"type": "SGD", "momentum": 0.9, "weight_decay": 5e-4},
        description="torch's optimizer and its arguments; the rate is the method's",
    )
    power: Positive = Field(0.9, description="of the rate's decay (paper: A.6)")
    final_rate: Annotated[float, Field(ge=0)] = Field(
        1e-4, description="learning rate that the decay ends at (mmsegmentation's default)"
    )
    warmup_iterations: Annotated[int, Field(ge=0)] = Field(0, description="of linear warm-up")
    flip: Annotated[float, Field(ge=0, le=1)] = Field(
        0.0, description="probability of a left-right flip (paper: none)"
    )
    photometric: bool = Field(
        True,
        description="random brightness, contrast, saturation and hue, as mmsegmentation does it "
        "(paper: A.6)",
    )
    class_weighting: Annotated[float, Field(ge=0, le=1)] = Field(
        0.0,
        description="power of the inverse of a class's share of the training pixels that its loss "
        "is weighted by; 0: all alike (paper)",
    )


class Segmentation(TaskSettings):
    """Semantic segmentation on Cityscapes (5.2)."""

    offered: ClassVar[tuple[str, ...]] = METHODS

    dataset: Images
    mini_validation: MiniValidation = MiniValidation()
    model: Segmenter = Segmenter()
    schedule: Training = Training()
    prior: Prior = Prior()
    fixed: Fixed = Fixed()
    learned: Learned = Learned()
    lds: Lds = Lds()
    es: Es = Es()

    @model_validator(mode="after")
    def _world(self) -> "Segmentation":
        check_world(self.dataset)
        return self

    @model_validator(mode="after")
    def _wholes(self) -> "Segmentation":
        for name, method in self.methods.items():
            for scale in method.scales:
                self._check_scale(name, scale)
        return self

    def _check_scale(self, method: str, scale: float) -> None:
        size = frame_size(self.dataset.crop, scale)
        if min(size) < 16:
            raise ValueError(
                f"methods.{method}.scales: {scale:g} of the crop is {size[0]} x {size[1]} pixels, "
                "and a network needs 16 at least; choose a larger scale"
            )
        known = [known for known in self.schedule.iterations]
        if known and scale not in known:
            listed = ", ".join(f"{one:g}" for one in known)
            raise ValueError(
                f"schedule.iterations: has {listed}, and not {scale:g}, at which {method} is "
                "trained; add it"
            )
