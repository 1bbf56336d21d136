"""A suite file: the settings of one or more tasks, checked before anything runs."""

import functools
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, create_model, model_validator

from lzu.errors import UserError
from lzu.experiments.nested import walk
from lzu.experiments.reading import read_settings
from lzu.experiments.settings import Strict, TaskSettings
from lzu.experiments.task import Task

Name = Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$")]
RESERVED = ("measured", "published")


class Suite(Strict):
    """A whole suite file. `suite_type` adds a block for each task."""

    suite: Name = Field(description="the suite's name, and its folder's below results/")
    mode: Literal["compute", "cached"] = Field(
        "compute",
        description="compute: run everything; cached: tables from results/measured/ alone",
    )
    machine: str | None = Field(
        None, description="whose kept latencies the tables show; null: the only machine there is"
    )
    machine_name: Annotated[str, Field(pattern="^[a-z0-9]+(-[a-z0-9]+)*$")] | None = Field(
        None,
        description="what the kind of machine that computes is called in results; null: the model "
        "of its GPU, or of its CPU and the cores that a job may use. The environment's "
        "LZU_MACHINE comes first",
    )
    reuse: bool = Field(
        False,
        description="a run that is kept in results/measured/ with an equal stamp counts as made",
    )

    @model_validator(mode="after")
    def _tasks(self) -> "Suite":
        if self.suite in RESERVED:
            raise ValueError(f"suite: {self.suite!r} is a folder of results/; choose another name")
        if not self.tasks:
            raise ValueError("no task: give the block of one, such as detection2d")
        return self

    @property
    def tasks(self) -> dict[str, TaskSettings]:
        """The settings of the tasks that the suite has, by name."""
        blocks = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: block for name, block in blocks.items() if isinstance(block, TaskSettings)}

    def block(self, task: str) -> TaskSettings:
        """The settings of a task; UserError if the suite has none."""
        if task not in self.tasks:
            raise UserError(
                f"suite {self.suite} has no task {task!r}; it has: {', '.join(self.tasks)}"
            )
        return self.tasks[task]


def suite_type(tasks: Mapping[str, Task]) -> type[Suite]:
    """The type of suite files with an optional block for each of `tasks`."""
    return _suite_type(tuple((name, task.settings, task.title) for name, task in tasks.items()))


@functools.cache
def _suite_type(blocks: tuple[tuple[str, type[TaskSettings], str], ...]) -> type[Suite]:
    fields: dict[str, Any] = {
        name: (settings | None, Field(None, description=title)) for name, settings, title in blocks
    }
    return create_model("Suite", __base__=Suite, **fields)


def parse_suite(settings: dict[str, Any], source: str, tasks: Mapping[str, Task]) -> Suite:
    """Check `settings` (a suite file's content) and return the suite.

    A value is of its key's type as it stands: no text or yes-or-no is a number, nor is an infinity
    or NaN.

    Raises UserError that names `source`, every wrong key, and what is wrong with it.
    """
    try:
        # As JSON, whose lists may be tuples where nothing else is taken for another type.
        text = json.dumps(settings, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise UserError(
            f"{source}: the settings are wrong: {_unwritten(settings, error)}"
        ) from None
    try:
        return suite_type(tasks).model_validate_json(text, strict=True)
    except ValidationError as error:
        problems = [f"  {_explain(e)}" for e in error.errors()]
        raise UserError("\n".join([f"{source}: the settings are wrong:", *problems])) from None


def _unwritten(settings: Any, error: Exception) -> str:
    """Say which setting no JSON can hold: an infinity, NaN or something that YAML alone has."""
    for key, _, value in walk(settings):
        if isinstance(value, float) and not math.isfinite(value):
            return f"{key}: {value} is no finite number"
        if value is not None and not isinstance(value, (str, int, float, dict, list, tuple)):
            return f"{key}: {value!r} is neither text, number, true, false nor null"
    return str(error)


def _explain(error: Any) -> str:
    key = ".".join(map(str, error["loc"]))
    if error["type"] == "extra_forbidden":
        return f"{key}: there is no such key; remove it or correct its name"
    if error["type"] == "missing":
        return f"{key}: this key is required; add it"
    if error["type"] == "value_error" and isinstance(error["input"], dict):
        # what does not fit together in a block names its keys itself
        said = error["msg"].removeprefix("Value error, ")
        return f"{key}.{said}" if key else said
    return f"{key}: {error['msg'][0].lower()}{error['msg'][1:]} (given: {error['input']!r})"


def load_suite(path: str | Path, tasks: Mapping[str, Task]) -> Suite:
    """Read and check a suite file, YAML or JSON, that may have `tasks`."""
    return parse_suite(read_settings(path), str(path), tasks)
