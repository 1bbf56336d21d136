"""Training one run of any task, resumable to the iteration."""

import copy
import math
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.runner import Runner

import lzu.engine.progress
import lzu.models.draws  # noqa: F401  (these register what the config below names)
from lzu.engine.build import (
    check_optimizer,
    enter_scope,
    named_errors,
    registered_alone,
    unwrapped,
)
from lzu.engine.progress import Progress, say
from lzu.engine.resume import newest_intact
from lzu.engine.trained import save_trained
from lzu.engine.weights import describe_initial_weights, fetch_backbones
from lzu.errors import UserError
from lzu.experiments.context import Context
from lzu.experiments.run import Run
from lzu.experiments.settings import Schedule
from lzu.files import read_json, write_json
from lzu.models.compat import strict_loading
from lzu.results.provenance import collect_provenance
from lzu.results.stamps import RECORD, stamp


def train(context: Context, run: Run, *, workers: int = 0, launcher: str = "none") -> None:
    """Train `run`; write its `checkpoint.pth` and `train.json`.

    A training that was killed goes on from its last checkpoint in the run's `training/` folder,
    which the caller owns by `training_session`, and ends with the same weights as one that was
    not (on a CPU, bit by bit). A damaged checkpoint is said and not used, but the one before it,
    or none. `launcher` is `none` or `pytorch` (under torchrun); `workers` load images, on each GPU.

    Raises UserError if the settings do not fit together, a checkpoint asks to run code, or the loss
    is lost.
    """
    started = datetime.now(UTC)
    if run != run.trained:
        raise UserError(
            f"{run.path}: models are trained on images of native size (--from 1) alone; this run "
            f"evaluates the weights of {run.trained.path}: train that, and predict this"
        )
    mark = stamp(context, run)
    step = context.task.step
    step("check_trainable")(context, run)
    folder = training_folder(context, run)
    enter_scope(context)
    if launcher != "none" and not torch.cuda.is_available():
        # mmengine would set a CUDA device; it leaves a group alone that is there already.
        torch.distributed.init_process_group("gloo")
    # Chosen before the processes meet in `from_cfg`, after which one of them may write another.
    checkpoint, notes = newest_intact(folder)
    settings = _runner_config(context, run, folder, workers, launcher, checkpoint)
    check_optimizer(context.settings.schedule.optimizer)
    with strict_loading(), registered_alone():
        with named_errors("model.overrides"):
            runner = Runner.from_cfg(settings)
        for note in notes:
            say(note)
        model = unwrapped(runner.model)
        weights = context.settings.model.initial_weights
        if weights is not None and checkpoint is None:
            # mmengine would do this when training starts, over the loaded weights.
            model.init_weights()
            step("fit_weights")(model, context.paths.weights(weights))
        progress = next(hook for hook in runner.hooks if isinstance(hook, Progress))
        runner.train()
        told = {key: value for hook in runner.hooks for key, value in _told(hook).items()}
    if not is_main_process():
        return
    # A kill between the two must not leave an older record beside these weights.
    context.paths.run(run, RECORD).unlink(missing_ok=True)
    save_trained(context, run, model.state_dict(), mark)
    provenance = collect_provenance(started, context.suite.machine_name)
    duration = provenance["duration_s"]
    schedule = context.settings.schedule
    iterations = runner.max_iters - progress.first
    write_json(
        context.paths.run(run, RECORD),
        {
            "run": run.as_dict(),
            "stamp": mark,
            "training": {
                "initial_weights": describe_initial_weights(context.settings.model),
                "iterations": runner.max_iters,
                "epochs": _epochs(context, run, runner.max_iters),
                "duration_s": duration,
                "images_per_s": (
                    round(iterations * schedule.batch / duration, 2) if iterations else None
                ),
            },
            # of a resumed training, times and losses are those of its last session
            "resumed_at": progress.first or None,
            "losses": progress.losses,
            **told,
            "provenance": provenance,
        },
    )


def _told(hook: Any) -> dict[str, Any]:
    """What a task's hook has to say in the training's record, by the `told` method that it has."""
    found: dict[str, Any] = getattr(hook, "told", dict)()
    return found


def _epochs(context: Context, run: Run, iterations: int) -> float:
    """How often the training saw its data."""
    if context.settings.schedule.iterations_at(run.to_scale) is None:
        return int(context.settings.schedule.epochs)
    return round(iterations / iterations_of(context, run)[0], 3)


def training_folder(context: Context, run: Run) -> Path:
    """Where a training keeps its checkpoints while it goes on."""
    return context.paths.run(run, "training")


def iterations_of(context: Context, run: Run) -> tuple[int, int]:
    """Iterations of an epoch, and of the whole training; UserError if the warm-up is longer."""
    schedule = context.settings.schedule
    images = read_json(context.paths.about(context.trains_on(run)))["images"]
    per_epoch = math.ceil(images / schedule.batch)
    iterations = schedule.iterations_at(run.to_scale) or schedule.epochs * per_epoch
    if schedule.warmup_iterations >= iterations:
        raise UserError(
            f"schedule.warmup_iterations: {schedule.warmup_iterations} are not fewer than the "
            f"training's {iterations} iterations; lower it or train for more epochs"
        )
    return per_epoch, iterations


def _runner_config(
    context: Context,
    run: Run,
    folder: Path,
    workers: int,
    launcher: str,
    checkpoint: Path | None = None,
) -> Config:
    settings, step = context.settings, context.task.step
    schedule = settings.schedule
    world = int(os.environ["WORLD_SIZE"]) if launcher == "pytorch" else 1
    if schedule.batch % world:
        raise UserError(
            f"schedule.batch: {schedule.batch} images cannot be shared by {world} GPUs; "
            "use a number of GPUs that divides it"
        )
    dataset = step("dataset_config")(context, run, "train", schedule.flip)
    per_epoch, iterations = iterations_of(context, run)
    rate = settings.methods[run.method].learning_rate
    optimizer = {**copy.deepcopy(schedule.optimizer), "lr": rate}
    clip = None if schedule.clip_norm is None else {"max_norm": schedule.clip_norm}
    batch = schedule.batch // world
    name = f"{run.task} {run.method} {run.variant} seed{run.seed}"
    return Config(
        {
            "model": fetch_backbones(
                step("model_config")(context, run), context.paths.root / "weights"
            ),
            "work_dir": str(folder),
            "experiment_name": "training",
            "launcher": launcher,
            "model_wrapper_cfg": {
                "type": "MMDistributedDataParallel",
                "broadcast_buffers": False,
                **({} if torch.cuda.is_available() else {"device_ids": None}),
            },
            "env_cfg": {
                "mp_cfg": {"mp_start_method": "fork", "opencv_num_threads": 0},
                "dist_cfg": {"backend": "nccl"},
            },
            "resume": checkpoint is not None,
            "load_from": None if checkpoint is None else str(checkpoint),
            "randomness": {"seed": run.seed},
            "default_scope": context.task.scope,
            "log_level": "ERROR",
            "train_dataloader": {
                "batch_size": batch,
                "num_workers": workers,
                "dataset": {"type": "LZUDraws", "dataset": dataset, "seed": run.seed},
                "sampler": {"type": "LZUDrawSampler", "batch": batch},
                "collate_fn": {"type": "pseudo_collate"},
            },
            "train_cfg": {"type": "LZUTrainLoop", "max_iters": iterations},
            "optim_wrapper": {
                "type": "OptimWrapper",
                "optimizer": optimizer,
                "clip_grad": clip,
                **_of_biases(schedule),
            },
            "param_scheduler": _rates(schedule, per_epoch, iterations),
            "default_hooks": {
                "checkpoint": {
                    "type": "CheckpointHook",
                    "interval": schedule.checkpoint_every,
                    "by_epoch": False,
                    # Two, because mmengine removes the oldest before the newest is complete.
                    "max_keep_ckpts": 2,
                    "save_last": False,
                    "backend_args": {"backend": "lzu_atomic"},
                },
            },
            "custom_hooks": [
                {"type": "LZUProgress", "name": name},
                {"type": "LZUPlainCheckpoints"},
                *step("training_hooks")(context, run, per_epoch, iterations),
            ],
        }
    )


def _rates(schedule: Schedule, per_epoch: int, iterations: int) -> list[dict[str, Any]]:
    """How the learning rate goes: the warm-up, and the steady decay or the steps."""
    steady = {"by_epoch": False, "begin": 0}
    warmup = schedule.warmup_iterations
    warm = {"type": "LinearLR", "start_factor": schedule.warmup_start, **steady, "end": warmup}
    decay = {"type": "PolyLR", "power": schedule.power, "eta_min": schedule.final_rate}
    if schedule.milestones:
        at = [epoch * per_epoch for epoch in schedule.milestones]
        decay = {"type": "MultiStepLR", "milestones": at, "gamma": 0.1}
    return [*([warm] if warmup > 1 else []), {**decay, **steady, "end": iterations}]


def _of_biases(schedule: Schedule) -> dict[str, Any]:
    """Rates and decay of biases, where they are not the others'."""
    if schedule.bias_rate == schedule.bias_decay == 1:
        return {}
    own = {"bias_lr_mult": schedule.bias_rate, "bias_decay_mult": schedule.bias_decay}
    return {"paramwise_cfg": own}
