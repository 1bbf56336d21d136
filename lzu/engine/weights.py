"""Checkpoints that a run starts from: fetching, checking and fitting them to our classes."""

import hashlib
import shutil
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lzu.errors import UserError
from lzu.experiments.settings import Model, Weights
from lzu.files import write_atomic


def fetch(weights: Weights, target: Path) -> None:
    """Copy a checkpoint (a path or a URL) to `target`, if its SHA-256 is the expected one.

    Raises UserError if it cannot be read or has another checksum; `target` is then not written.
    """
    source = weights.source
    with write_atomic(target) as temporary:
        try:
            if "://" in source:
                with (
                    urllib.request.urlopen(source, timeout=60) as reply,
                    temporary.open("wb") as file,
                ):
                    shutil.copyfileobj(reply, file)
            else:
                shutil.copyfile(Path(source).expanduser(), temporary)
        except (OSError, urllib.error.URLError, ValueError) as error:
            raise UserError(
                f"model.initial_weights.source: cannot read {source} ({error}); download it by "
                "hand and give its path, or set initial_weights to null to train from scratch"
            ) from None
        with temporary.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if not found.startswith(weights.sha256):
            raise UserError(
                f"model.initial_weights.sha256: {source} has {found}, not {weights.sha256}; "
                "the download is damaged or it is another file"
            )


def describe_initial_weights(model: Model) -> str:
    """What the results say: a checkpoint by name and checksum, or `scratch`."""
    if model.initial_weights is not None:
        name = model.initial_weights.source.rsplit("/", 1)[-1]
        return f"{name} (sha256 {model.initial_weights.sha256[:8]})"
    backbone = model.overrides.get("backbone", {})
    if "init_cfg" in backbone and backbone["init_cfg"] is None:
        return "scratch"
    return "the backbone's init_cfg (see model.base); the rest from scratch"


def read_checkpoint(path: Path) -> Any:
    """What is in a checkpoint of mm* or of ours, read without running code from it."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise UserError(f"{path}: no such checkpoint; run the step that makes it") from None
    except Exception as error:  # torch raises many kinds for what is no checkpoint
        reason = str(error).splitlines()[0]
        raise UserError(
            f"{path}: not a checkpoint that can be read safely ({reason}); make or get it again"
        ) from None


def read_state(path: Path) -> dict[str, Tensor]:
    """The parameters in a checkpoint."""
    content = read_checkpoint(path)
    return content.get("state_dict", content)


def select_classes(
    state: dict[str, Tensor], prefix: str, from_classes: int, indices: tuple[int, ...]
) -> dict[str, Tensor]:
    """Keep the outputs of a classifier that belong to `indices` of its `from_classes` classes.

    `prefix` names the layer, whose outputs are ordered anchor by anchor, then class by class (as
    in RetinaNet's `bbox_head.retina_cls`). A COCO checkpoint so keeps what it knows of our classes.
    """
    selected = dict(state)
    for name in (f"{prefix}.weight", f"{prefix}.bias"):
        if name not in state:
            raise UserError(f"initial weights have no {name}; they are of another model")
        value = state[name]
        by_class = value.reshape(-1, from_classes, *value.shape[1:])[:, list(indices)]
        selected[name] = by_class.reshape(-1, *value.shape[1:])
    return selected
