"""The keys of a block of settings, their defaults, and which methods' weights a key makes stale."""

from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import BaseModel

from lzu.experiments.context import Context
from lzu.experiments.identity import training_identity
from lzu.experiments.run import SEARCH
from lzu.experiments.settings import MethodRuns

WHY = (
    "A default has changed, or a key with one is new. Identities leave settings at their default "
    "out, so that a new key makes no kept run stale; with another default the weights of kept runs "
    "would count as of the new value, though they were trained with the old one. Never change a "
    "default that bears on training: set the new value in the suites. Write a new key in here; its "
    "default must be what was done before."
)


def keys_of(block: type[BaseModel], above: str = "") -> Iterator[str]:
    """The dotted keys of a block and of the blocks in it; of blocks that may be missing both."""
    for name, field in block.model_fields.items():
        path = f"{above}{name}"
        kinds = [k for k in (field.annotation, *getattr(field.annotation, "__args__", ())) if k]
        inner = [k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel)]
        if not inner or inner[0] is not field.annotation:
            yield path
        if path == "methods":
            yield from keys_of(MethodRuns, "methods.lzu_fixed.")
        elif inner:
            yield from keys_of(inner[0], f"{path}.")


def stale_between(old: Context, new: Context, searched: bool = False) -> set[str]:
    """The methods of runs planned before and after whose weights have to be made again."""
    common = [run for run in old.runs if run in new.runs and (SEARCH in run.options) == searched]
    return {r.method for r in common if training_identity(old, r) != training_identity(new, r)}


def defaults_of(task: type[BaseModel], paths: Iterable[str]) -> dict[str, Any]:
    """The defaults of the keys that have one."""
    under_weights = "model.initial_weights."
    found = {p: default_of(task, p) for p in paths if not p.startswith(under_weights)}
    return {path: value for path, value in found.items() if value is not ...}


def default_of(task: type[BaseModel], path: str) -> Any:
    """The default of a dotted key of a task's block; `...` if it is required."""
    block = task
    instance: Any = None
    for key, rest in _steps(path):
        if instance is not None:
            instance = getattr(instance, key)
            continue
        field = block.model_fields[key]
        if not rest:
            return ... if field.is_required() else field.default
        if isinstance(field.default, BaseModel):
            # what counts is the default of the whole block
            instance = field.default
        else:
            inner = [field.annotation, *getattr(field.annotation, "__args__", ())]
            found = [k for k in inner if isinstance(k, type) and issubclass(k, BaseModel)]
            block = found[0] if found else MethodRuns
    return instance


def _steps(path: str) -> list[tuple[str, str]]:
    keys = path.replace("methods.lzu_fixed.", "methods.").split(".")
    return [(key, ".".join(keys[n + 1 :])) for n, key in enumerate(keys)]
