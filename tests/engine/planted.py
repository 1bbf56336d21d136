"""Checkpoints that would run code when they are read carelessly: harmless, they touch a file."""

import pickle
from pathlib import Path
from typing import Any

import torch


class Touch:
    """Unpickled, it touches a file."""

    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> Any:
        return Path.touch, (self.proof,)


class Got:
    """Unpickled, it is what `getattr` finds, from where one gets anywhere."""

    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> Any:
        return getattr, (torch.nn.Module, "__init__")


PLANTS = {
    "archive": lambda proof: Touch(proof),
    "plain pickle": lambda proof: Touch(proof),
    "getattr": lambda proof: Got(proof),
}


def plant(
    folder: Path, kind: str, name: str = "planted.pth", content: dict[str, Any] | None = None
) -> tuple[Path, Path]:
    """Write such a checkpoint, else with this content; return it and the file that it would touch.

    That it would is proven here.
    """
    path, proof = folder / name, folder / "proof"
    value = {**(content or {"state_dict": {}}), "planted": PLANTS[kind](proof)}
    if kind == "plain pickle":
        path.write_bytes(pickle.dumps(value))
        pickle.loads(path.read_bytes())
    else:
        torch.save(value, path)
        torch.load(path, weights_only=False)
    assert proof.exists() == (kind != "getattr")
    proof.unlink(missing_ok=True)
    return path, proof
