"""Checkpoints that a run starts from: fetching, checking and fitting them to our classes."""

import hashlib
import http.client
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from torch import Tensor, nn

from lzu.errors import UserError
from lzu.experiments.settings import Model, Weights
from lzu.files import write_atomic

MOST_BYTES = 2**31
"""Of a checkpoint's file; mmdet's largest have a tenth of it."""
SILENCE_S, LONGEST_S = 60, 3600
"""How long a download may bring nothing, and how long it may take, in seconds."""
SCHEME = "https://"

BACKBONES = {
    "torchvision://resnet50": Weights(
        source="https://download.pytorch.org/models/resnet50-0676ba61.pth",
        sha256="0676ba61b6795bbe1773cffd859882e5e297624d384b6993f7c9e683e722fb8a",
    ),
}
"""The checkpoints that the shipped configs' `init_cfg` name, by that name."""


class _HttpsAlone(urllib.request.HTTPRedirectHandler):
    """Follows no redirection to another scheme."""

    def redirect_request(
        self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> Any:
        if not newurl.startswith(SCHEME):
            raise ValueError(f"it redirects to {newurl}, which is not {SCHEME}")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def fetch(weights: Weights, target: Path, key: str = "model.initial_weights") -> None:
    """Copy a checkpoint (a path or an https URL) to `target`, if its SHA-256 is the expected one.

    `key` is the setting that names it, for messages.

    Raises UserError if it cannot be read, is larger than `MOST_BYTES`, takes longer than
    `LONGEST_S` or has another checksum; `target` is then not written.
    """
    source = weights.source
    if len(weights.sha256) != 64:
        raise UserError(
            f"{key}.sha256: {weights.sha256} has {len(weights.sha256)} of 64 digits, by which a "
            "file is not known; give all that `sha256sum FILE` prints"
        )
    with write_atomic(target) as temporary:
        try:
            with _opened(source) as reply, temporary.open("wb") as file:
                found = _copy(reply, file)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise UserError(
                f"{key}.source: cannot read {source} ({error}); download it by hand and give its "
                "path, or set initial_weights to null to train from scratch"
            ) from None
        if found != weights.sha256:
            raise UserError(
                f"{key}.sha256: {source} has {found}, not {weights.sha256}; "
                "the download is damaged or it is another file"
            )


def _opened(source: str) -> Any:
    """What `source` holds, open to be read; ValueError, OSError or HTTPException if it cannot."""
    if "://" not in source:
        path = Path(source).expanduser()
        if path.exists() and not path.is_file():
            raise ValueError("it is no file")
        return path.open("rb")
    if not source.startswith(SCHEME):
        raise ValueError(f"neither a path nor {SCHEME}...")
    opener = urllib.request.build_opener(_HttpsAlone)
    reply = opener.open(source, timeout=SILENCE_S)
    if int(reply.headers.get("Content-Length") or 0) > MOST_BYTES:
        reply.close()
        raise ValueError(f"more than {MOST_BYTES:,} bytes")
    return reply


def _copy(source: Any, target: Any) -> str:
    """Copy a stream; returns the SHA-256 of its bytes."""
    digest, size, end = hashlib.sha256(), 0, time.monotonic() + LONGEST_S
    # read1, because read would wait for all of a piece, however slowly its bytes come
    while piece := source.read1(2**20):
        size += len(piece)
        if size > MOST_BYTES:
            raise ValueError(f"more than {MOST_BYTES:,} bytes")
        if time.monotonic() > end:
            raise ValueError(f"not done after {LONGEST_S} s")
        digest.update(piece)
        target.write(piece)
    return digest.hexdigest()


def fetch_backbones(model: Any, folder: Path) -> Any:
    """Let every `init_cfg` of a model's config that loads a checkpoint load a checked copy of it.

    mmengine would take any scheme and check nothing. An `init_cfg` of type Pretrained names one of
    `BACKBONES`, or has a `sha256` beside its `checkpoint`, as `initial_weights` has. The copy is in
    `folder`; `model` is changed and returned.

    Raises UserError if the checksum is not known, or as `fetch` does.
    """
    for block in _blocks(model):
        if isinstance(block.get("pretrained"), str):
            raise UserError(
                f"model.overrides: pretrained: {block['pretrained']} loads what nobody checks; use "
                "init_cfg: {type: Pretrained, checkpoint: ..., sha256: ...}"
            )
        if block.get("type") not in ("Pretrained", "PretrainedInit") or "checkpoint" not in block:
            continue
        source, key = str(block["checkpoint"]), "model.overrides: init_cfg"
        digest = block.pop("sha256", None)
        known = BACKBONES.get(source)
        if digest is None and known is None:
            raise UserError(
                f"{key}.checkpoint: {source} is loaded if its SHA-256 is known: give all 64 digits "
                "in a key sha256 beside it, or set init_cfg to null to train from scratch"
            )
        weights = known if digest is None else _named(source, str(digest), key)
        path = folder / f"{weights.sha256}.pth"
        if not path.is_file():
            fetch(weights, path, key)
        read_checkpoint(path)
        block["checkpoint"] = str(path)
    return model


def _named(source: str, digest: str, key: str) -> Weights:
    try:
        return Weights(source=source, sha256=digest)
    except ValidationError:
        raise UserError(
            f"{key}.sha256: {digest!r} is not of 64 hexadecimal digits; give all that `sha256sum "
            "FILE` prints"
        ) from None


def _blocks(value: Any) -> Iterator[Any]:
    """Every dictionary in a config."""
    if isinstance(value, dict):
        yield value
    for one in value.values() if isinstance(value, dict) else value:
        if isinstance(one, dict | list | tuple):
            yield from _blocks(one)


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


# What is the run's own, whatever the model was trained with before.
_OF_THE_RUN = ("resampler.", "sampler.", "data_preprocessor.")


def load_whole(model: nn.Module, state: dict[str, Tensor], path: Path) -> None:
    """Load a whole model's parameters, but for those of its resampler; `path` is for messages.

    Raises UserError if a parameter is missing or has another shape.
    """
    own = {k: v for k, v in model.state_dict().items() if not k.startswith(_OF_THE_RUN)}
    wrong = [
        f"{name} {tuple(state[name].shape) if name in state else 'missing'}"
        for name, value in own.items()
        if name not in state or state[name].shape != value.shape
    ]
    if wrong:
        raise UserError(
            f"{path}: does not fit the model: {', '.join(wrong[:3])}"
            + (f" and {len(wrong) - 3} more" if len(wrong) > 3 else "")
            + "; give the checkpoint of this architecture"
        )
    model.load_state_dict({name: state[name] for name in own}, strict=False)


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
