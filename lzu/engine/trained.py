"""Trained models: their checkpoints, and loading them for evaluation."""

from pathlib import Path
from typing import Any

import torch
from mmengine.device import get_device
from mmengine.registry import MODELS

from lzu.engine.build import enter_scope, named_errors
from lzu.engine.weights import read_checkpoint
from lzu.errors import UserError
from lzu.experiments.context import Context
from lzu.experiments.run import Run
from lzu.files import write_atomic
from lzu.models.compat import strict_loading
from lzu.results.stamps import CHECKPOINT, stamp


def save_trained(context: Context, run: Run, state: dict[str, torch.Tensor], mark: str) -> None:
    """Write the run's checkpoint: its parameters, and of what they are (`mark` is its stamp)."""
    with write_atomic(context.paths.run(run, CHECKPOINT)) as temporary:
        about = {"run": run.as_dict(), "stamp": mark}
        torch.save(
            {"state_dict": {k: v.cpu() for k, v in state.items()}, "about": about}, temporary
        )


def read_trained(context: Context, run: Run) -> dict[str, torch.Tensor]:
    """The parameters in the checkpoint that `run` evaluates.

    Raises UserError if it is of another run, or of other settings or data than the suite's.
    """
    path = context.paths.run(run.trained, CHECKPOINT)
    content = read_checkpoint(path)
    about, wanted = content.get("about", {}), run.trained.as_dict()
    if about.get("run") != wanted:
        raise UserError(f"{path}: a checkpoint of {about.get('run')}, not of {wanted}")
    if about.get("stamp") != stamp(context, run):
        raise UserError(
            f"{path}: trained with other settings or data than the suite has now; train it again"
        )
    return content["state_dict"]


def load_trained(context: Context, run: Run) -> Any:
    """The model of `run` with trained weights, in evaluation mode, on the device that is there.

    Raises UserError as `read_trained` does, and if the parameters do not fit the model.
    """
    state = read_trained(context, run)
    enter_scope(context)
    settings = context.task.step("model_config")(context, run)
    settings["backbone"]["init_cfg"] = None
    with strict_loading(), named_errors("model.overrides"):
        model = MODELS.build(settings)
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise UserError(_misfit(context.paths.run(run.trained, CHECKPOINT), error)) from None
    return model.to(get_device()).eval()


def _misfit(path: Path, error: RuntimeError) -> str:
    reason = " ".join(str(error).split())
    return (
        f"{path}: does not fit the run's model, perhaps another number of classes ({reason}); "
        "delete it and train again"
    )
