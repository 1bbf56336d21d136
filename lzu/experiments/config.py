"""The settings of a suite, checked before anything runs.

A suite file (`config/*.yaml`) holds what the science needs: data, prior, model, schedule, methods,
scales and seeds. Threads, memory and partitions belong to rules and profiles.
"""

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from lzu.errors import UserError
from lzu.experiments.registry import (
    AMPLITUDES,
    BASELINE,
    FWHMS,
    SCALES,
    runs_for,
)
from lzu.experiments.run import FROM_PRIOR, Run

Scale = Annotated[float, Field(gt=0, le=2)]
MethodName = Literal[
    "uniform", "lzu_fixed", "lzu_adaptive", "lzu_adaptive_no_cascade", "lzu_learned", "fovea"
]
Size = tuple[Annotated[int, Field(ge=32)], Annotated[int, Field(ge=32)]]


def _refuse_other_sides(value: int) -> int:
    if value % 4 != 1:
        nearest = round((value - 1) / 4) * 4 + 1
        raise ValueError(f"must be a multiple of 4 plus 1; the nearest is {nearest}")
    return value


LowResolution = Annotated[int, Field(ge=5), AfterValidator(_refuse_other_sides)]


def _refuse_numbers_as_text(value: dict[str, Any], path: str = "") -> dict[str, Any]:
    for key, item in value.items():
        if isinstance(item, dict):
            _refuse_numbers_as_text(item, f"{path}{key}.")
        elif isinstance(item, str):
            try:
                float(item)
            except ValueError:
                continue
            raise ValueError(f"{path}{key} is the text {item!r}; YAML needs 1.0e-4, not 1e-4")
    return value


# Settings handed to mm* as they are, which cannot be checked by type here.
Passed = Annotated[dict[str, Any], AfterValidator(_refuse_numbers_as_text)]


class Strict(BaseModel):
    """A block of settings: unknown keys, and what is not of a key's type, are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Dataset(Strict):
    """Where the images are. `native_size` is (height, width) in pixels."""

    root: str
    native_size: Size = (1200, 1920)
    synthetic: dict[str, Any] | None = Field(
        None, description="settings of the synthetic world to write at root; null: real data"
    )
    image_check: Literal["decode", "header"] = Field(
        "decode", description="how thoroughly the images are checked before training"
    )
    tolerate: tuple[Literal["box_size", "box_outside"], ...] = Field(
        (), description="kinds of wrong boxes that are left out and counted, and no errors"
    )


class Prior(Strict):
    """The fixed saliency and the warp made from it (A.6). `lattice` is (rows, columns)."""

    lattice: tuple[Annotated[int, Field(ge=2)], Annotated[int, Field(ge=2)]] = (31, 51)
    amplitude: Annotated[float, Field(gt=0)] = 1.0
    bandwidth: Annotated[float, Field(gt=0, description="variance per pixel of box size")] = 64.0
    fwhm: Annotated[float, Field(gt=0, description="of the attraction kernel, in cells")] = 22.0


class Adaptive(Strict):
    """Saliency of the previous frame's detections (5.1, A.6); its lattice is the prior's.

    Training knows no previous frame. It jitters the ground truth instead, and in the last epochs of
    `lzu_adaptive` ("cascaded") the model's own detections on the same image. The paper's N(0, 7.5)
    and N(0, 3) are read as standard deviations. They are in native pixels, as the bandwidth is,
    and meant for 1920x1200: a suite with images of another size sets its own. The paper does not
    say which detections count; FOVEA's code takes all that its Faster R-CNN returns (scores from
    0.05, at most 100 of them), alike. At such scores a RetinaNet returns a hundred on any image.
    """

    fwhm: Annotated[float, Field(gt=0, description="of the attraction kernel, in cells")] = 10.0
    amplitude: Annotated[float, Field(gt=0)] = 1.0
    bandwidth: Annotated[float, Field(gt=0, description="variance per pixel of box size")] = 64.0
    jitter_x: Annotated[float, Field(ge=0, description="of box centres, in native pixels")] = 7.5
    jitter_y: Annotated[float, Field(ge=0, description="of box centres, in native pixels")] = 3.0
    cascade_from_epoch: Annotated[
        float, Field(ge=0, description="epochs before the cascade; may end within one")
    ] = 2.0
    score_threshold: Annotated[
        float,
        Field(
            ge=0, le=1, description="detections below it, or the model's score_thr, do not count"
        ),
    ] = 0.3
    max_detections: Annotated[
        int, Field(ge=1, description="in a frame; those of highest score count")
    ] = 100


class Learned(Strict):
    """Saliency that a small network learns with the detector (see lzu.saliency.LearnedSaliency).

    Not in the paper. The lattice is the prior's.
    """

    fwhm: Annotated[float, Field(gt=0, description="of the attraction kernel, in cells")] = 10.0
    floor: Annotated[float, Field(gt=0, le=1, description="the constant's share of saliency")] = 0.3
    input_size: tuple[LowResolution, LowResolution] = (65, 105)
    channels: Annotated[int, Field(ge=16, multiple_of=16)] = 32


class Fovea(Strict):
    """FOVEA with the dataset's prior (its S_D); saliency is that of `prior`.

    The kernel's width is that in FOVEA's released code, the same for this prior (S_D) and for
    previous detections (S_I). LZU does not say which of the two its Table 1 shows.
    """

    fwhm: Annotated[float, Field(gt=0, description="of the attraction kernel, in cells")] = 4.0


class Weights(Strict):
    """A checkpoint to start from: a path or URL, and the SHA-256 of its bytes."""

    source: str
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{8,64}$", description="or its first digits")]


class Model(Strict):
    """A config that ships in an mm* package, and what is changed in its `model` block."""

    base: str = "mmdet::retinanet/retinanet_r50_fpn_1x_coco.py"
    overrides: Passed = {}
    initial_weights: Weights | None = Field(
        None, description="the whole detector's weights (COCO); null: see the backbone's init_cfg"
    )


class Schedule(Strict):
    """The training schedule. The rate decays linearly to zero, iteration by iteration (A.6)."""

    epochs: Annotated[int, Field(ge=1)] = 3
    batch: Annotated[int, Field(ge=1, description="images an iteration, over all GPUs")] = 8
    optimizer: Passed = {"type": "SGD", "momentum": 0.9, "weight_decay": 1e-4}
    warmup_iterations: Annotated[int, Field(ge=0)] = 1000
    clip_norm: Annotated[float, Field(gt=0)] | None = None
    flip: Annotated[float, Field(ge=0, le=1, description="probability of a left-right flip")] = 0.5
    checkpoint_every: Annotated[int, Field(ge=1, description="iterations")] = 1000


class Method(Strict):
    """One method: the `to` scales that it is trained at, and its learning rate."""

    scales: tuple[Scale, ...]
    learning_rate: Annotated[float, Field(gt=0)]


class Timing(Strict):
    """How long zoom and unzoom are measured, at batch 1."""

    warmup: Annotated[int, Field(ge=1)] = 20
    rounds: Annotated[int, Field(ge=3)] = 100


class Stream(Strict):
    """The validation sequence that an adaptive method's warp is shown following."""

    sequence: Annotated[int, Field(ge=0)] | str = Field(0, description="its sid, or its name")
    frames: Annotated[int, Field(ge=1, description="the first ones, at most")] = 40


class Upsampling(Strict):
    """Table 2: trained models evaluated on images given at other scales than the native one."""

    from_scales: Annotated[tuple[Scale, ...], Field(min_length=1)]
    to_scales: Annotated[tuple[Scale, ...], Field(min_length=1)]
    methods: Annotated[tuple[Literal["uniform", "lzu_fixed"], ...], Field(min_length=1)] = (
        "uniform",
        "lzu_fixed",
    )
    seeds: tuple[int, ...] | None = Field(None, description="some of the suite's; null: all")


class Search(Strict):
    """Table 6: amplitudes and kernel widths at 0.5x, on a split of the training set (A.6)."""

    amplitudes: Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=1)] = (
        AMPLITUDES
    )
    fwhms: Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=1)] = FWHMS
    methods: Annotated[tuple[Literal["lzu_fixed", "lzu_adaptive"], ...], Field(min_length=1)] = (
        "lzu_fixed",
        "lzu_adaptive",
    )
    seeds: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)] = (0,)
    validation_share: Annotated[
        float, Field(gt=0, lt=1, description="of the training set's images, by whole sequences")
    ] = 0.2
    split_seed: Annotated[int, Field(ge=0)] = 0


class Detection2d(Strict):
    """2-D detection on Argoverse-HD (5.1)."""

    dataset: Dataset
    prior: Prior = Prior()
    model: Model = Model()
    schedule: Schedule = Schedule()
    adaptive: Adaptive = Adaptive()
    learned: Learned = Learned()
    fovea: Fovea = Fovea()
    methods: dict[MethodName, Method]
    seeds: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)] = (0,)
    timing: Timing = Timing()
    stream: Stream = Stream()
    upsampling: Upsampling | None = Field(None, description="Table 2; null: left out")
    search: Search | None = Field(None, description="Table 6; null: left out")


class Suite(Strict):
    """A whole suite file."""

    suite: Literal["paper", "demo", "smoke", "synthetic"]
    mode: Literal["compute", "cached"] = Field(
        "compute",
        description="compute: run everything; cached: tables from results/measured/ alone",
    )
    machine: str | None = Field(
        None, description="whose kept results cached mode shows; null: the only machine there is"
    )
    detection2d: Detection2d

    @model_validator(mode="after")
    def _unique(self) -> "Suite":
        task = self.detection2d
        for name, values in [
            ("seeds", task.seeds),
            *((f"methods.{k}.scales", m.scales) for k, m in task.methods.items()),
        ]:
            if len(set(values)) != len(values):
                raise ValueError(f"detection2d.{name} repeats a value: {list(values)}")
        return self

    @model_validator(mode="after")
    def _cascades(self) -> "Suite":
        task = self.detection2d
        start, epochs = task.adaptive.cascade_from_epoch, task.schedule.epochs
        if "lzu_adaptive" in task.methods and start >= epochs:
            raise ValueError(
                f"detection2d.adaptive.cascade_from_epoch: {start:g} leaves nothing of "
                f"{epochs} epochs to the cascade; lower it, or use lzu_adaptive_no_cascade"
            )
        return self

    @model_validator(mode="after")
    def _times_fovea(self) -> "Suite":
        methods = self.detection2d.methods
        if "fovea" in methods:
            uniform = methods["uniform"].scales if "uniform" in methods else ()
            alone = [scale for scale in methods["fovea"].scales if scale not in uniform]
            if alone:
                raise ValueError(
                    f"detection2d.methods.fovea.scales: {alone[0]:g} is no scale of uniform, whose "
                    "time is the baseline of fovea's; add it to methods.uniform.scales"
                )
        return self

    @model_validator(mode="after")
    def _upsamples(self) -> "Suite":
        task, wanted = self.detection2d, self.detection2d.upsampling
        if wanted is None:
            return self
        where = "detection2d.upsampling"
        _among(f"{where}.from_scales", wanted.from_scales, SCALES, "Table 2 has")
        _among(f"{where}.to_scales", wanted.to_scales, SCALES, "Table 2 has")
        _among(f"{where}.methods", wanted.methods, tuple(task.methods), "detection2d.methods has")
        if wanted.seeds is not None:
            _among(f"{where}.seeds", wanted.seeds, task.seeds, "detection2d.seeds has")
        for method in wanted.methods:
            trained = task.methods[method].scales
            said = f"detection2d.methods.{method}.scales, of which models are trained, has"
            _among(f"{where}.to_scales", wanted.to_scales, trained, said)
        return self

    @model_validator(mode="after")
    def _searches(self) -> "Suite":
        task, wanted = self.detection2d, self.detection2d.search
        if wanted is None:
            return self
        where = "detection2d.search"
        _among(f"{where}.amplitudes", wanted.amplitudes, AMPLITUDES, "Table 6 has")
        _among(f"{where}.fwhms", wanted.fwhms, FWHMS, "Table 6 has")
        _among(f"{where}.seeds", wanted.seeds, wanted.seeds, "")
        for method in (BASELINE, *wanted.methods):
            if method not in task.methods:
                raise ValueError(
                    f"{where}: needs the learning rate of {method}; "
                    f"add it to detection2d.methods (its scales may be empty)"
                )
        return self


def _among(key: str, values: tuple[Any, ...], known: tuple[Any, ...], who: str) -> None:
    """Refuse values that are not in `known`, and repeated ones."""
    if len(set(values)) != len(values):
        raise ValueError(f"{key} repeats a value: {list(values)}")
    for value in values:
        if value not in known:
            listed = ", ".join(x if isinstance(x, str) else f"{x:g}" for x in known) or "none"
            shown = value if isinstance(value, str) else f"{value:g}"
            raise ValueError(f"{key}: {shown} is not among those that {who}: {listed}")


def parse_suite(settings: dict[str, Any], source: str) -> Suite:
    """Check `settings` (a suite file's content) and return the suite.

    Raises UserError that names `source`, every wrong key, and what is wrong with it.
    """
    try:
        return Suite.model_validate(settings)
    except ValidationError as error:
        problems = [
            f"  {'.'.join(map(str, e['loc'])) or '(top level)'}: {_explain(e)}"
            for e in error.errors()
        ]
        raise UserError("\n".join([f"{source}: the settings are wrong:", *problems])) from None


def _explain(error: Any) -> str:
    if error["type"] == "extra_forbidden":
        return "there is no such key; remove it or correct its name"
    if error["type"] == "missing":
        return "this key is required; add it"
    given = error["input"]
    if not error["loc"]:
        # what does not fit together names its keys itself, and was given the whole suite
        return error["msg"].removeprefix("Value error, ")
    return f"{error['msg'][0].lower()}{error['msg'][1:]} (given: {given!r})"


def load_suite(path: str | Path) -> Suite:
    """Read and check a suite file, YAML or JSON."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
        # JSON is read as such: YAML would take its 1e-8 for a text.
        settings = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except FileNotFoundError:
        raise UserError(f"{path}: no such suite file; see config/ for those that ship") from None
    except (yaml.YAMLError, json.JSONDecodeError) as error:
        raise UserError(f"{path}: not valid {path.suffix[1:].upper()}: {error}") from None
    if not isinstance(settings, dict):
        raise UserError(f"{path}: a suite file is a mapping of keys, not {type(settings).__name__}")
    return parse_suite(settings, str(path))


def planned_runs(suite: Suite) -> list[Run]:
    """The runs of Table 1 that the suite trains; those that are timed, too.

    Raises UserError if a method or scale is in no table.
    """
    task = suite.detection2d
    selection = {name: method.scales for name, method in task.methods.items()}
    return runs_for("table1", suite.suite, task.seeds, selection)


def has_prior(suite: Suite) -> bool:
    """Whether any of the suite's runs zooms by a prior, so that there is one to analyse."""
    return any(run.method in FROM_PRIOR for run in planned_runs(suite))


def frame_size(native_size: tuple[int, int], scale: float) -> tuple[int, int]:
    """(height, width) in pixels of the native size at `scale`, to the nearest pixel."""
    return round(native_size[0] * scale), round(native_size[1] * scale)
