"""The blocks of settings that tasks share; a task's own block inherits `TaskSettings`.

A suite file (`config/*.yaml`) holds what the science needs: data, prior, model, schedule, methods,
scales and seeds. Threads, memory and partitions belong to rules and profiles. `config/README.md`
lists every key; it is made from these classes, so a key's description stands at the key alone.
"""

import math
import os
import re
from collections.abc import Iterable
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from lzu.experiments.methods import METHODS, Method
from lzu.experiments.nested import walk
from lzu.experiments.tables import TABLE_2_SCALES

Scale = Annotated[float, Field(gt=0, le=2)]
Seed = Annotated[int, Field(ge=0)]
Size = tuple[Annotated[int, Field(ge=32)], Annotated[int, Field(ge=32)]]
Lattice = tuple[Annotated[int, Field(ge=2)], Annotated[int, Field(ge=2)]]
Positive = Annotated[float, Field(gt=0)]
Word = Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$")]


# Whose registries a `_scope_` may name.
_SCOPES = ("mmengine", "mmcv", "mmdet", "mmseg", "mmdet3d")
# What mmengine would read other files or import modules for.
_REFUSED_KEYS = ("_base_", "custom_imports", "default_scope")
# Some classes of mm* evaluate their arguments as Python; without these a text calls nothing.
_OF_CODE = "()[]{}\\`;"


def _check_passed(value: dict[str, Any]) -> dict[str, Any]:
    """Refuse what is handed on to mm* if it is a number as text, or would run code."""
    for path, key, item in walk(value):
        if key in _REFUSED_KEYS:
            raise ValueError(f"{path}: this key is not taken from a suite file; remove it")
        if key == "type" and (not isinstance(item, str) or not item.isidentifier()):
            raise ValueError(
                f"{path}: {item!r} is no name in a registry of mm*; import paths are not followed"
            )
        if key == "_scope_" and item not in _SCOPES:
            raise ValueError(f"{path}: {item!r} is none of {', '.join(_SCOPES)}")
        if isinstance(item, float) and not math.isfinite(item):
            raise ValueError(f"{path}: {item} is no finite number")
        if isinstance(item, str):
            if any(character in _OF_CODE for character in item):
                raise ValueError(
                    f"{path}: {item!r} has one of {_OF_CODE}, as code has; a text here is a name"
                )
            try:
                float(item)
            except ValueError:
                continue
            raise ValueError(f"{path} is the text {item!r}; write a number without quotes")
    return value


# Settings handed to mm* as they are, which cannot be checked by type here.
Passed = Annotated[dict[str, Any], AfterValidator(_check_passed)]


def _expand(value: str) -> str:
    """A path with the home folder and variables in their places."""
    expanded = os.path.expandvars(os.path.expanduser(value))
    if expanded.startswith("~") or re.search(r"\$(\w+|\{\w+\})", expanded):
        raise ValueError(f"{value!r} names a user or a variable that there is not")
    return expanded


Place = Annotated[str, AfterValidator(_expand)]


def _of_a_package(value: str) -> str:
    """The name of a config below its package's folder of configs; a config is Python that runs."""
    package, _, relative = value.partition("::")
    steps = relative.split("/")
    if not package.isidentifier() or any(step in ("", ".", "..") for step in steps):
        raise ValueError("must be package::folder/file, of a config that ships in the package")
    return value


Shipped = Annotated[str, AfterValidator(_of_a_package)]


def refuse_repeats(name: str, values: Iterable[Any]) -> None:
    """Raise ValueError if a value stands twice in a list of settings."""
    values = list(values)
    if len(set(values)) != len(values):
        raise ValueError(f"{name} repeats a value: {values}")


def require_among(name: str, values: tuple[Any, ...], known: tuple[Any, ...], who: str) -> None:
    """Raise ValueError for values that are not `known`, and repeated ones; `who` knows them."""
    refuse_repeats(name, values)
    for value in values:
        if value not in known:
            listed = ", ".join(x if isinstance(x, str) else f"{x:g}" for x in known) or "none"
            shown = value if isinstance(value, str) else f"{value:g}"
            raise ValueError(f"{name}: {shown} is not among those that {who}: {listed}")


class Strict(BaseModel):
    """A block of settings: unknown keys, and what is not of a key's type, are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Dataset(Strict):
    """Where the images are, and how they are checked."""

    root: Place = Field(
        description="folder of the data set, or where the synthetic world is written; ~ and $NAME "
        "are expanded"
    )
    native_size: Size = Field((1200, 1920), description="height, width in pixels (paper: 5.1)")
    synthetic: dict[str, Any] | None = Field(
        None,
        description="settings of the synthetic world to write at root (see "
        "`lzu.datasets.synthetic.WorldConfig`); null: real data",
    )
    image_check: Literal["decode", "header"] = Field(
        "decode", description="how thoroughly the images are checked before training"
    )

    @property
    def frame(self) -> tuple[int, int]:
        """(height, width) in pixels of what networks look at, of which scales are fractions."""
        return self.native_size

    @property
    def prepared_as(self) -> list[Any]:
        """What a prepared split follows from beside its raw data: nothing, by default."""
        return []

    def world_of(self, split: str) -> dict[str, Any] | None:
        """The settings of the synthetic world that `split` ("train" or "val") depends on."""
        if self.synthetic is None:
            return None
        foreign = "val_" if split == "train" else "train_"
        return {key: v for key, v in self.synthetic.items() if not key.startswith(foreign)}


class BoxDataset(Dataset):
    """Images with boxes."""

    tolerate: tuple[Literal["box_size", "box_outside"], ...] = Field(
        (), description="kinds of wrong boxes that are left out and counted, and no errors"
    )


class Upsampling(Strict):
    """Table 2: trained models evaluated on images given at other scales than the native one."""

    from_scales: Annotated[tuple[Scale, ...], Field(min_length=1)] = Field(
        description="of the images given (paper: 0.25 to 1)"
    )
    to_scales: Annotated[tuple[Scale, ...], Field(min_length=1)] = Field(
        description="of the models (paper: 0.25 to 1)"
    )
    methods: Annotated[tuple[Literal["uniform", "lzu_fixed"], ...], Field(min_length=1)] = Field(
        ("uniform", "lzu_fixed"), description="whose models"
    )
    seeds: tuple[Seed, ...] | None = Field(None, description="some of the models'; null: all")

    @model_validator(mode="after")
    def _of_table_2(self) -> "Upsampling":
        require_among("from_scales", self.from_scales, TABLE_2_SCALES, "Table 2 has")
        require_among("to_scales", self.to_scales, TABLE_2_SCALES, "Table 2 has")
        return self


class Weights(Strict):
    """A checkpoint to start from."""

    source: str = Field(description="its path, or its URL (https alone)")
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] = Field(
        description="SHA-256 of its bytes, as `sha256sum FILE` prints it"
    )


_ABSENT = object()


class Model(Strict):
    """A config that ships in an mm* package, and what is changed in its `model` block.

    A suite file is data: it chooses from what ships and from the registries of mm*, and runs no
    code of its own. A `type` is a name in a registry, never an import path, and `base` a file of
    the package's own. No text in `overrides` may have what code has (some classes evaluate their
    arguments), and no other config is read by its path. It does name folders that are written to
    (`suite`, a synthetic `dataset.root`) and files and addresses that are read; checkpoints are
    read as weights alone.
    """

    set_elsewhere: ClassVar[dict[str, str]] = {
        "optimizer": "it is schedule.optimizer",
        "optim_wrapper": "it is schedule.optimizer, and schedule.clip_norm",
        "param_scheduler": "it follows from schedule.epochs and schedule.warmup_iterations",
        "lr": "it is methods.NAME.learning_rate",
        "learning_rate": "it is methods.NAME.learning_rate",
        "batch_size": "it is schedule.batch",
        "max_epochs": "it is schedule.epochs",
        "seed": "it is seeds",
        "randomness": "it is seeds",
        "work_dir": "it is the command line's --results",
        "load_from": "it is model.initial_weights",
        "train_dataloader": "it follows from dataset and schedule.batch",
        "custom_hooks": "a suite has no hooks of its own",
        "default_hooks": "a suite has no hooks of its own",
    }
    """Key of `overrides` -> where it is set, of which the suite file has the say there alone."""

    base: Shipped = Field(
        description="`package::path` of the config, such as mmdet::folder/file.py"
    )
    overrides: Passed = Field({}, description="merged into the config's `model` block")
    initial_weights: Weights | None = Field(
        None, description="the whole model's weights; null: see the backbone's init_cfg"
    )

    @model_validator(mode="after")
    def _once(self) -> "Model":
        for path, where in self.set_elsewhere.items():
            block: Any = self.overrides
            for name in path.split("."):
                block = block.get(name, _ABSENT) if isinstance(block, dict) else _ABSENT
            if block is not _ABSENT:
                raise ValueError(f"overrides.{path}: {where}; remove it")
        backbone = self.overrides.get("backbone")
        own = backbone.get("init_cfg") if isinstance(backbone, dict) else None
        if self.initial_weights is not None and own is not None:
            raise ValueError(
                "overrides.backbone.init_cfg: initial_weights are the whole model's; remove one"
            )
        return self


class Schedule(Strict):
    """The training schedule.

    The rate decays iteration by iteration, from the method's to `final_rate`, as the `power`-th
    power of the part that is left: linearly to zero by default (A.6). With `milestones` it falls in
    steps instead.
    """

    epochs: Annotated[int, Field(ge=1)] = Field(3, description="passes over the data (paper: A.6)")
    iterations: dict[Scale, Annotated[int, Field(ge=1)]] = Field(
        {}, description="scale -> iterations there, in place of the epochs"
    )
    power: Positive = Field(1.0, description="of the rate's decay (paper: A.6)")
    final_rate: Annotated[float, Field(ge=0)] = Field(
        0.0, description="learning rate that the decay ends at"
    )
    milestones: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        (), description="epochs after which the rate falls to a tenth, in place of the steady decay"
    )
    batch: Annotated[int, Field(ge=1)] = Field(
        8, description="images an iteration, over all GPUs (paper: A.6)"
    )
    optimizer: Passed = Field(
        {"type": "SGD", "momentum": 0.9, "weight_decay": 1e-4},
        description="torch's optimizer and its arguments; the rate is the method's",
    )
    bias_rate: Positive = Field(1.0, description="learning rate of biases, times the others'")
    bias_decay: Annotated[float, Field(ge=0)] = Field(
        1.0, description="weight decay of biases, times the others'"
    )
    warmup_iterations: Annotated[int, Field(ge=0)] = Field(
        1000, description="of linear warm-up (paper: A.6)"
    )
    warmup_start: Annotated[float, Field(gt=0, le=1)] = Field(
        0.001, description="of the method's rate, what the warm-up starts from"
    )
    clip_norm: Positive | None = Field(None, description="gradients' largest norm; null: any")
    flip: Annotated[float, Field(ge=0, le=1)] = Field(
        0.5, description="probability of a left-right flip"
    )
    checkpoint_every: Annotated[int, Field(ge=1)] = Field(
        1000, description="iterations between checkpoints that a killed training goes on from"
    )

    @model_validator(mode="after")
    def _optimizer(self) -> "Schedule":
        if "type" not in self.optimizer:
            raise ValueError("optimizer: needs a type, such as SGD")
        if "lr" in self.optimizer:
            raise ValueError(
                "optimizer.lr: the rate is each method's: set methods.NAME.learning_rate, and "
                "remove it here"
            )
        return self

    @model_validator(mode="after")
    def _falls(self) -> "Schedule":
        if list(self.milestones) != sorted(set(self.milestones)):
            raise ValueError(f"milestones: {list(self.milestones)} do not rise")
        if self.milestones and self.milestones[-1] > self.epochs:
            raise ValueError(
                f"milestones: {self.milestones[-1]} is after the end, epochs {self.epochs}; remove "
                "it or train longer"
            )
        return self

    def iterations_at(self, scale: float) -> int | None:
        """The iterations at a `to` scale; None where the epochs say it."""
        return self.iterations.get(scale)


class MethodRuns(Strict):
    """The runs of one method."""

    scales: tuple[Scale, ...] = Field(description="the `to` scales that it is trained at")
    learning_rate: Positive = Field(description="its initial learning rate (paper: A.6)")
    seeds: dict[Scale, tuple[Seed, ...]] = Field(
        {}, description="scale -> seeds, where they are not the task's"
    )
    variants: tuple[dict[str, float | Word], ...] = Field(
        (),
        description="further runs at these scales, each with other values of some keys of the "
        "method's own block or of the prior (beyond the paper)",
    )

    @model_validator(mode="after")
    def _unique(self) -> "MethodRuns":
        refuse_repeats("scales", self.scales)
        refuse_repeats("variants", (str(sorted(one.items())) for one in self.variants))
        for scale, seeds in self.seeds.items():
            refuse_repeats(f"seeds.{scale:g}", seeds)
            require_among("seeds", (scale,), self.scales, "scales has")
        return self


class Timing(Strict):
    """How long zoom and unzoom are measured, at batch 1."""

    warmup: Annotated[int, Field(ge=1)] = Field(20, description="rounds before those that count")
    rounds: Annotated[int, Field(ge=3)] = Field(100, description="of every method, interleaved")


class LatticePrior(Strict):
    """The lattice and the kernel of a fixed prior's warp; what it is made of is the task's."""

    lattice: Lattice = Field((31, 51), description="rows, columns of the saliency (paper: A.6)")
    fwhm: Positive = Field(22.0, description="of the attraction kernel, in cells (paper: A.6)")

    @property
    def of_each_camera(self) -> bool:
        """Whether it is one saliency for each camera, and not one for all images."""
        return False


class BoxPrior(LatticePrior):
    """The fixed saliency, a density of the training boxes, and the warp made from it (A.6)."""

    amplitude: Positive = Field(1.0, description="of the boxes against the constant (paper: A.6)")
    bandwidth: Positive = Field(64.0, description="variance per pixel of box size (paper: A.6)")


class TaskSettings(Strict):
    """What every task's block has."""

    offered: ClassVar[tuple[str, ...]] = ()
    """Names of the methods that the task has."""

    dataset: Dataset
    model: Model
    schedule: Schedule = Schedule()
    prior: LatticePrior = LatticePrior()
    methods: dict[str, MethodRuns] = Field(description="method -> what of it is trained")
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)] = Field(
        (0,), description="one run of each method and scale for each"
    )
    timing: Timing = Timing()

    @model_validator(mode="after")
    def _offered(self) -> "TaskSettings":
        refuse_repeats("seeds", self.seeds)
        for name in self.methods:
            if name not in self.offered:
                raise ValueError(
                    f"methods.{name}: no method of this task; choose from {', '.join(self.offered)}"
                )
            self._check_variants(name)
        return self

    def _check_variants(self, name: str) -> None:
        method = METHODS[name]
        block = self.block_of(method)
        own = {} if block is None else type(block).model_fields
        prior = type(self.prior).model_fields if method.needs_prior else {}
        known = [key for key in {**prior, **own} if key not in (*method.drops, "lattice")]
        for variant in self.methods[name].variants:
            for key in variant or {"": 0}:
                if key not in known:
                    raise ValueError(
                        f"methods.{name}.variants: {key!r} is no setting of this method; choose "
                        f"from {', '.join(known) or 'none'}"
                    )
                self._check_value(name, key, variant[key])

    def block_of(self, method: Method) -> Strict | None:
        """The settings of a method's own; None if it has none in this task."""
        if method.block is None or method.block not in type(self).model_fields:
            return None
        found: Strict = getattr(self, method.block)
        return found

    def _check_value(self, name: str, key: str, value: float | str) -> None:
        """Whether a variant's value fits its key, as the text that it is among a run's options."""
        own, text = self.block_of(METHODS[name]), option_text(value)
        block = own if own is not None and key in type(own).model_fields else self.prior
        try:
            with_options(block, [(key, text)])
        except ValidationError as error:
            said = error.errors()[0]["msg"]
            raise ValueError(f"methods.{name}.variants: {key}: {said} (given: {text})") from None

    def check_upsampling(self, wanted: Upsampling) -> None:
        """Raise ValueError if Table 2 needs models that are not trained."""
        where = "upsampling"
        require_among(f"{where}.methods", wanted.methods, tuple(self.methods), "methods has")
        for method in wanted.methods:
            said = f"methods.{method}.scales, of which models are trained, has"
            trained = self.methods[method].scales
            require_among(f"{where}.to_scales", wanted.to_scales, trained, said)
            for scale in wanted.to_scales:
                own = self.seeds_of(method, scale)
                who = f"{method} at {scale:g} has"
                require_among(f"{where}.seeds", wanted.seeds or (), own, who)

    def seeds_of(self, method: str, scale: float) -> tuple[int, ...]:
        """The seeds of a method at a scale."""
        return self.methods[method].seeds.get(scale, self.seeds)


def option_text(value: float | str) -> str:
    """A variant's value as it stands among a run's options, and so in paths."""
    return value if isinstance(value, str) else f"{value:g}"


Block = TypeVar("Block", bound=BaseModel)


def with_options(block: Block, options: Iterable[tuple[str, str]]) -> Block:
    """A block with those of a run's options that are keys of it in their place, checked as the
    suite's own are; ValidationError if a text is no value of its key."""
    given = {name: text for name, text in options if name in type(block).model_fields}
    return type(block).model_validate({**block.model_dump(), **given}) if given else block


def frame_size(native_size: tuple[int, int], scale: float) -> tuple[int, int]:
    """(height, width) in pixels of the native size at `scale`, to the nearest pixel."""
    return round(native_size[0] * scale), round(native_size[1] * scale)
