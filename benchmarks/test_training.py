"""Training and evaluation of a suite's detectors, against uniform at the same scale.

An iteration is all that a training does: it loads and transforms a batch of images of our world,
goes forward and backward, and takes the optimiser's step. Every method and its baseline are given
the same draws. The weights are not trained, which changes no operation's size; only how many
detections the cascade makes saliency of depends on them, so it is given the most it may have.

Training is the demo suite's. What a method adds is also measured beside the paper suite's network,
of whose time the paper tells the share.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch

pytest.importorskip("mmdet", reason="training needs the OpenMMLab packages (make env)")

from mmdet.registry import MODELS
from mmengine.dataset import pseudo_collate
from mmengine.optim import build_optim_wrapper
from pytest_benchmark.fixture import BenchmarkFixture

from lzu.engine.build import enter_scope
from lzu.engine.prior import make_prior
from lzu.experiments.context import Context
from lzu.experiments.run import Run
from lzu.experiments.suite import load_suite, parse_suite
from lzu.models.draws import Draws
from lzu.tasks import TASKS
from lzu.tasks.detection2d.build import dataset_config, model_config
from lzu.tasks.detection2d.data import prepare_data, write_world
from lzu.tasks.detection2d.operations import operations
from lzu.tasks.detection2d.task import DETECTION2D

from .measure import Measure

SCALE = 0.5
# Of the paper's Table 1, 0.5x: the operations that adaptive LZU adds, and uniform RetinaNet.
PAPERS_ADDED_SHARE = 3.3 / 36.0
# Fewer pairs for what has no target, to keep the whole within a minute.
FEW_ROUNDS = 9


@dataclass(frozen=True)
class Prepared:
    """A shipped suite on a small synthetic world of its image size, prepared, with its prior."""

    name: str
    context: Context

    def run(self, method: str) -> Run:
        return Run(self.context.suite.suite, DETECTION2D.name, method, 1.0, SCALE, 0)

    def model(self, method: str, device: torch.device) -> Any:
        enter_scope(self.context)
        torch.manual_seed(0)
        model = MODELS.build(model_config(self.context, self.run(method)))
        model.init_weights()
        return model.to(device)


@pytest.fixture(scope="module", params=["demo"])
def prepared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    folder = tmp_path_factory.mktemp(request.param)
    source = request.config.rootpath / "config" / f"{request.param}.yaml"
    settings = load_suite(source, TASKS).model_dump(mode="json")
    settings["suite"] = "synthetic"
    task = settings[DETECTION2D.name]
    world = task["dataset"]["synthetic"] or {"frames_per_sequence": 3}
    world |= {"train_sequences": 1, "val_sequences": 1}
    task["dataset"] |= {"root": str(folder / "world"), "synthetic": world}
    uniform = {"scales": [SCALE], "learning_rate": task["methods"]["uniform"]["learning_rate"]}
    task["methods"] = dict.fromkeys(("uniform", "lzu_fixed", "lzu_adaptive", "fovea"), uniform)
    task |= {"upsampling": None, "search": None}
    context = Context(parse_suite(settings, str(source), TASKS), DETECTION2D, folder)
    for split in ("train", "val"):
        write_world(context, split, jobs=1)
        prepare_data(context, split)
    for spec in context.priors:
        make_prior(context, spec)
    return Prepared(request.param, context)


def training_iteration(
    prepared: Prepared, method: str, device: torch.device, *, cascade: bool = False
) -> tuple[Any, Callable[[], list[torch.Tensor]]]:
    """Return a model and an iteration of its training, which returns its weights."""
    context, run = prepared.context, prepared.run(method)
    schedule = context.settings.schedule
    model = prepared.model(method, device).train()
    if cascade:
        # Untrained, it is sure of nothing: every detection counts, up to the maximum.
        model.cascade, model.score_threshold = True, 0.0
        model.bbox_head.test_cfg.score_thr = 0.0
    data = Draws(dataset_config(context, run, "train", schedule.flip), seed=0)
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

    return model, iteration


@pytest.mark.parametrize(
    ("method", "cascade", "target"),
    [
        ("lzu_fixed", False, {"speedup": 0.95}),
        ("lzu_adaptive", False, None),
        ("lzu_adaptive", True, None),
        ("fovea", False, None),
    ],
    ids=["lzu_fixed", "lzu_adaptive", "lzu_adaptive_cascade", "fovea"],
)
def test_training_throughput(
    benchmark: BenchmarkFixture,
    measure: Measure,
    device: torch.device,
    prepared: Prepared,
    method: str,
    cascade: bool,
    target: dict[str, float] | None,
) -> None:
    """The ratio is that of images per second: 0.95 is five per cent fewer than uniform."""
    model, iteration = training_iteration(prepared, method, device, cascade=cascade)
    _, uniform = training_iteration(prepared, "uniform", device)
    batch = prepared.context.settings.schedule.batch
    images = torch.zeros(batch, 3, *model.frames.given, dtype=torch.uint8)
    if target is None:
        measure = replace(measure, rounds=min(measure.rounds, FEW_ROUNDS))
    stage = ", cascaded" if cascade else ""
    measure(
        benchmark,
        f"training iteration, {method}{stage}, demo",
        iteration,
        inputs=[images, *model.parameters()],
        dtype=torch.float32,
        shapes={"images": images.shape, "network_input": (batch, 3, *model.frames.padded)},
        speedup_over=("uniform", uniform),
        targets=target,
        gradients=True,
    )


@pytest.mark.parametrize("prepared", ["demo", "paper"], indirect=True)
@pytest.mark.parametrize(
    ("method", "target"),
    [("lzu_fixed", None), ("lzu_adaptive", {"cost": PAPERS_ADDED_SHARE})],
    ids=["lzu_fixed", "lzu_adaptive"],
)
def test_added_share(
    benchmark: BenchmarkFixture,
    measure: Measure,
    device: torch.device,
    prepared: Prepared,
    method: str,
    target: dict[str, float] | None,
) -> None:
    """What a method adds to the time of the network that it is added to, at batch 1."""
    model = prepared.model(method, device).eval()
    with torch.inference_mode():
        own = operations(prepared.context, prepared.run(method), model).operations
    image = torch.zeros(1, 3, *model.frames.given, dtype=torch.uint8)
    network_input = torch.zeros(1, 3, *model.frames.padded)
    with torch.inference_mode():
        levels = list(model.pyramid(network_input.to(device)))
    measure(
        benchmark,
        f"what {method} adds, {prepared.name}",
        own["added"],
        inputs=[image, *levels],
        dtype=torch.float32,
        shapes={"image": image.shape, "network_input": network_input.shape},
        cost_of=("network", own["baseline"]),
        targets=target,
    )
