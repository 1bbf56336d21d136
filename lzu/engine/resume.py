"""Checkpoints of a training that is under way: writing them, and choosing one to go on from.

mmengine would go on from what its pointer names and read that file without a check, would run a
`config` that the file brings as Python, and writes its checkpoints in place. Here a file is written
whole or not at all, holds weights and plain values alone, and is checked before it is used.
"""

import pickle
import re
from pathlib import Path
from typing import Any

import torch
from mmengine.fileio import LocalBackend, register_backend
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from lzu.errors import UserError
from lzu.files import write_atomic

NAME = re.compile(r"iter_(\d+)\.pth")
KEPT = "keep_ckpt_ids"
"""The iterations whose checkpoints mmengine has not removed."""
PARTS = {"meta", "state_dict", "message_hub", "optimizer", "param_schedulers"}


@register_backend("lzu_atomic")
class AtomicBackend(LocalBackend):
    """Local files, of which a reader never sees half of one."""

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write `obj` to `filepath`."""
        with write_atomic(filepath) as temporary:
            temporary.write_bytes(obj)


@HOOKS.register_module(name="LZUPlainCheckpoints")
class PlainCheckpoints(Hook):
    """Leaves the log out of checkpoints: it holds objects, which no strict reader takes."""

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Keep of mmengine's message hub the one thing that a training goes on with."""
        info = checkpoint["message_hub"]["runtime_info"]
        kept = {KEPT: [int(n) for n in info[KEPT]]} if KEPT in info else {}
        checkpoint["message_hub"] = {
            "log_scalars": {},
            "runtime_info": kept,
            "resumed_keys": dict.fromkeys(kept, True),
        }


def newest_intact(folder: Path) -> tuple[Path | None, list[str]]:
    """The newest checkpoint in a training's folder that can be read, and what to say of others.

    They are found by their own names: mmengine's `last_checkpoint` is not asked, which a kill may
    leave empty, or naming what is no more. None if there is none.

    Raises UserError for a checkpoint that asks to run code, and for one that exists and may be
    intact, but is not ours to read.
    """
    notes = []
    for iteration, path in sorted(saved_after(folder).items(), reverse=True):
        problem = _problem(path, iteration)
        if problem is None:
            return path, notes
        notes.append(f"{path}: damaged ({problem}); it is not used")
    if notes:
        notes.append(f"{folder}: no checkpoint is intact, so the training starts anew")
    return None, notes


def saved_after(folder: Path) -> dict[int, Path]:
    """Iteration -> the checkpoint in a training's folder that was saved after it."""
    numbers = {path: NAME.fullmatch(path.name) for path in folder.glob("iter_*.pth")}
    return {int(match[1]): path for path, match in numbers.items() if match}


def _problem(path: Path, iteration: int) -> str | None:
    """What is wrong with a checkpoint that was saved after `iteration`; None if nothing is."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (PermissionError, MemoryError) as error:
        raise UserError(
            f"{path}: cannot be read ({error or 'no memory left'}); mend that, or delete the file "
            "to go on without it"
        ) from None
    except Exception as error:  # torch raises many kinds for what is damaged
        if unsafe := _asks_for(path):
            raise _refusal(path, f"asks for {', '.join(unsafe)}") from None
        return (str(error).splitlines() or [type(error).__name__])[0]
    if not (isinstance(content, dict) and set(content) == PARTS):
        return "not a checkpoint of a training"
    if not isinstance(meta := content["meta"], dict) or meta.get("iter") != iteration:
        return f"not of iteration {iteration}"
    if "config" in meta:
        raise _refusal(path, "brings a config, which mmengine would run as Python")
    return None


def _asks_for(path: Path) -> list[str]:
    """What a checkpoint would import beside weights and plain values, found without loading it."""
    try:
        return sorted(torch.serialization.get_unsafe_globals_in_checkpoint(path))
    except (RuntimeError, ValueError, OSError, EOFError, pickle.UnpicklingError):
        return []


def _refusal(path: Path, what: str) -> UserError:
    return UserError(
        f"{path}: refused, because it {what}; this version of lzu did not write it. If you do not "
        "know where it is from, do not load it; delete it to go on from the one before"
    )
