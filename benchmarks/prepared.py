"""Parts of the shipped suites on small synthetic worlds of their image sizes, ready to be trained.

The weights are not trained, which changes no operation's size, nor are those of a stage before the
training: it ends after one iteration.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from mmengine.dataset import pseudo_collate
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS

from lzu.engine.build import enter_scope
from lzu.engine.prior import make_prior
from lzu.engine.stage import train_stage
from lzu.engine.time import Timed
from lzu.experiments.context import Context
from lzu.experiments.run import Run
from lzu.experiments.suite import load_suite, parse_suite
from lzu.experiments.task import Task
from lzu.models.draws import Draws
from lzu.tasks import TASKS
from lzu.tasks.detection2d.task import DETECTION2D
from lzu.tasks.detection3d.task import DETECTION3D
from lzu.tasks.segmentation.task import SEGMENTATION


@dataclass(frozen=True)
class Part:
    """What is prepared of a task of a shipped suite.

    Attributes:
        task: whose steps prepare it.
        scale: of the networks' input.
        methods: uniform's rate is that of all of them.
        sequences: of the training set.
        world: its settings where the suite's data is real.
        settings: of the task's block, in place of the suite's; those of blocks, beside the others.
    """

    task: Task
    scale: float
    methods: tuple[str, ...]
    sequences: int
    world: Mapping[str, Any]
    settings: Mapping[str, Any] = field(default_factory=dict)


DETECTION = Part(
    DETECTION2D,
    scale=0.5,
    methods=("uniform", "lzu_fixed", "lzu_adaptive", "fovea"),
    sequences=1,
    world={"frames_per_sequence": 3},
    settings={"upsampling": None, "search": None},
)
SEGMENTERS = Part(
    SEGMENTATION,
    scale=0.25,
    methods=("uniform", "lzu_fixed", "lzu_learned", "lds", "es"),
    # One is set aside, on which the best weights are chosen.
    sequences=3,
    world={"scenery": "city", "frames_per_sequence": 1},
    settings={"mini_validation": {"images": 1, "evaluations": 1}, "es": {"iterations": 1}},
)
DETECTORS_3D = Part(
    DETECTION3D,
    scale=0.5,
    methods=("uniform", "lzu_fixed"),
    sequences=2,
    world={"frames_per_sequence": 1},
    settings={"upsampling": None},
)
PARTS = {
    "demo": ("demo", DETECTION),
    "paper": ("paper", DETECTION),
    "demo segmentation": ("demo", SEGMENTERS),
    "paper segmentation": ("paper", SEGMENTERS),
    "demo 3D": ("demo", DETECTORS_3D),
}
"""As the names of cases have them -> (the suite's file, what is prepared of it)."""


@dataclass(frozen=True)
class Prepared:
    """A part with its data, its prior and its stages; `name` is one of `PARTS`."""

    name: str
    scale: float
    context: Context

    @classmethod
    def make(cls, name: str, configs: Path, folder: Path) -> "Prepared":
        """Prepare a part of the suite files in `configs`, all of it below `folder`."""
        suite, part = PARTS[name]
        source = configs / f"{suite}.yaml"
        settings = load_suite(source, TASKS).model_dump(mode="json")
        settings["suite"] = "synthetic"
        block = settings[part.task.name]
        world = block["dataset"]["synthetic"] or dict(part.world)
        world |= {"train_sequences": part.sequences, "val_sequences": 1}
        block["dataset"] |= {"root": str(folder / "world"), "synthetic": world}
        rate = block["methods"]["uniform"]["learning_rate"]
        uniform = {"scales": [part.scale], "learning_rate": rate}
        block["methods"] = dict.fromkeys(part.methods, uniform)
        for key, own in part.settings.items():
            block[key] = own if own is None else {**block[key], **own}
        context = Context(parse_suite(settings, str(source), TASKS), part.task, folder)
        for split in ("train", "val"):
            part.task.step("write_world")(context, split, jobs=1)
            part.task.step("prepare")(context, split)
        if part.task.split_rule(context.settings) is not None:
            part.task.step("split")(context)
        for spec in context.priors:
            make_prior(context, spec)
        for spec in context.stages:
            train_stage(context, spec)
        return cls(name, part.scale, context)

    def run(self, method: str) -> Run:
        return Run(self.context.suite.suite, self.context.task.name, method, 1.0, self.scale, 0)

    def model(self, method: str, device: torch.device) -> Any:
        """Return a model of weights that are not trained, nor fetched."""
        enter_scope(self.context)
        torch.manual_seed(0)
        config = self.context.task.step("model_config")(self.context, self.run(method))
        config["backbone"]["init_cfg"] = None
        model = MODELS.build(config)
        model.init_weights()
        return model.to(device)

    def timed(self, method: str, model: Any) -> Timed:
        """Return what is timed of a model in evaluation, without gradients."""
        return self.context.task.step("operations")(self.context, self.run(method), model.eval())

    def iteration(self, method: str, model: Any) -> Callable[[], list[torch.Tensor]]:
        """Return an iteration of a model's training, which returns its weights."""
        context, schedule = self.context, self.context.settings.schedule
        enter_scope(context)
        dataset = context.task.step("dataset_config")
        data = Draws(dataset(context, self.run(method), "train", schedule.flip), seed=0)
        rate = context.settings.methods[method].learning_rate
        optimizer = build_optim_wrapper(
            model,
            {
                "type": "OptimWrapper",
                "optimizer": {**schedule.optimizer, "lr": rate},
                "clip_grad": {"max_norm": schedule.clip_norm},
            },
        )

        def iteration() -> list[torch.Tensor]:
            batch = pseudo_collate([data[draw] for draw in range(schedule.batch)])
            model.train_step(batch, optimizer)
            return list(model.parameters())

        return iteration
