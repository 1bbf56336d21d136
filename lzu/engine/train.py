"""Training one run, resumable to the iteration."""

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

from lzu.engine.progress import Progress
from lzu.errors import UserError
from lzu.experiments.config import Suite
from lzu.experiments.paths import Paths
from lzu.experiments.run import ADAPTIVE, Run
from lzu.files import write_atomic, write_json
from lzu.models.compat import safe_resume
from lzu.results.provenance import collect_provenance
from lzu.tasks.detection2d.build import (
    annotation_info,
    dataset_config,
    enter_mmdet,
    model_config,
    run_stamp,
)
from lzu.tasks.detection2d.initial import describe_initial_weights, load_initial_weights
from lzu.tasks.detection2d.online import validation_sequences


def train(
    suite: Suite, run: Run, paths: Paths, *, workers: int = 0, launcher: str = "none"
) -> None:
    """Train `run`; write its `checkpoint.pth` and `train.json`.

    A training that was killed goes on from its last checkpoint in the run's `training/` folder,
    which the caller owns by `training_session`, and ends with the same weights as one that was
    not (on a CPU, bit by bit). `launcher` is `none` or `pytorch` (under torchrun); `workers` load
    images, on each GPU.

    Raises UserError if the settings do not fit together, or the loss is lost.
    """
    started = datetime.now(UTC)
    if run != run.trained:
        raise UserError(
            f"{run.path}: models are trained on images of native size (--from 1) alone; this run "
            f"evaluates the weights of {run.trained.path}: train that, and predict this"
        )
    stamp = run_stamp(suite, run, paths)
    if run.method in ADAPTIVE:
        # The trained model is of no use without: better to hear of it now than after training.
        validation_sequences(paths, run.split("val"))
    folder = training_folder(run, paths)
    enter_mmdet()
    if launcher != "none" and not torch.cuda.is_available():
        # mmengine would set a CUDA device; it leaves a group alone that is there already.
        torch.distributed.init_process_group("gloo")
    settings = _runner_config(suite, run, paths, folder, workers, launcher)
    try:
        runner = Runner.from_cfg(settings)
    except (KeyError, TypeError, AssertionError) as error:
        raise UserError(
            f"model.overrides: the detector cannot be built with them: {error}"
        ) from error
    model = _bare(runner.model)
    weights = suite.detection2d.model.initial_weights
    if weights is not None and not (folder / "last_checkpoint").is_file():
        # mmengine would do this when training starts, over the loaded weights.
        model.init_weights()
        load_initial_weights(model, paths.weights(weights))
    progress = next(hook for hook in runner.hooks if isinstance(hook, Progress))
    with safe_resume():
        runner.train()
    if not is_main_process():
        return
    with write_atomic(paths.run(run, "checkpoint.pth")) as temporary:
        state = {k: v.cpu() for k, v in model.state_dict().items()}
        about = {"run": run.as_dict(), "config_hash": stamp}
        torch.save({"state_dict": state, "about": about}, temporary)
    provenance = collect_provenance(started)
    duration = provenance["duration_s"]
    iterations = runner.max_iters - progress.first
    images = iterations * suite.detection2d.schedule.batch
    write_json(
        paths.run(run, "train.json"),
        {
            "run": run.as_dict(),
            "config_hash": stamp,
            "training": {
                "initial_weights": describe_initial_weights(suite.detection2d.model),
                "iterations": runner.max_iters,
                "epochs": suite.detection2d.schedule.epochs,
                "duration_s": duration,
                "images_per_s": round(images / duration, 2) if iterations else None,
            },
            # of a resumed training, times and losses are those of its last session
            "resumed_at": progress.first or None,
            "losses": progress.losses,
            "provenance": provenance,
        },
    )


def training_folder(run: Run, paths: Paths) -> Path:
    """Where a training keeps its checkpoints while it goes on."""
    return paths.run(run, "training")


def _bare(model: Any) -> Any:
    return model.module if hasattr(model, "module") else model


def _runner_config(
    suite: Suite, run: Run, paths: Paths, folder: Path, workers: int, launcher: str
) -> Config:
    task = suite.detection2d
    schedule = task.schedule
    world = int(os.environ["WORLD_SIZE"]) if launcher == "pytorch" else 1
    if schedule.batch % world:
        raise UserError(
            f"schedule.batch: {schedule.batch} images cannot be shared by {world} GPUs; "
            "use a number of GPUs that divides it"
        )
    dataset = dataset_config(suite, run, paths, "train", schedule.flip)
    images = annotation_info(paths.annotations(run.split("train")))["images"]
    per_epoch = math.ceil(images / schedule.batch)
    iterations = schedule.epochs * per_epoch
    warmup = schedule.warmup_iterations
    if warmup >= iterations:
        raise UserError(
            f"schedule.warmup_iterations: {warmup} are not fewer than the training's {iterations} "
            "iterations; lower it or train for more epochs"
        )
    optimizer = {**copy.deepcopy(schedule.optimizer), "lr": task.methods[run.method].learning_rate}
    clip = None if schedule.clip_norm is None else {"max_norm": schedule.clip_norm}
    linear_decay = {"type": "PolyLR", "power": 1.0, "eta_min": 0.0, "by_epoch": False}
    warm = {"type": "LinearLR", "start_factor": 0.001, "by_epoch": False, "begin": 0}
    batch = schedule.batch // world
    cascade = math.ceil(task.adaptive.cascade_from_epoch * per_epoch)
    if run.method == "lzu_adaptive" and cascade >= iterations:
        raise UserError(
            f"adaptive.cascade_from_epoch: {task.adaptive.cascade_from_epoch:g} leaves none of the "
            f"training's {iterations} iterations to the cascade; lower it"
        )
    return Config(
        {
            "model": model_config(suite, run, paths),
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
            "resume": True,
            "randomness": {"seed": run.seed},
            "default_scope": "mmdet",
            "log_level": "ERROR",
            "train_dataloader": {
                "batch_size": batch,
                "num_workers": workers,
                "dataset": {"type": "LZUDraws", "dataset": dataset, "seed": run.seed},
                "sampler": {"type": "LZUDrawSampler", "batch": batch},
                "collate_fn": {"type": "pseudo_collate"},
            },
            "train_cfg": {"type": "LZUTrainLoop", "max_iters": iterations},
            "optim_wrapper": {"type": "OptimWrapper", "optimizer": optimizer, "clip_grad": clip},
            "param_scheduler": [
                *([{**warm, "end": warmup}] if warmup > 1 else []),
                {**linear_decay, "begin": 0, "end": iterations},
            ],
            "default_hooks": {
                "checkpoint": {
                    "type": "CheckpointHook",
                    "interval": schedule.checkpoint_every,
                    "by_epoch": False,
                    # Two, because mmengine removes the oldest before the newest is complete.
                    "max_keep_ckpts": 2,
                    "save_last": False,
                },
            },
            "custom_hooks": [
                {
                    "type": "LZUProgress",
                    "name": f"{run.method} {run.variant} seed{run.seed}",
                },
                *(
                    [{"type": "LZUCascade", "first_iteration": cascade}]
                    if run.method == "lzu_adaptive"
                    else []
                ),
            ],
        }
    )
