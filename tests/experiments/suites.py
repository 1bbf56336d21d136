"""Suites to test with: the smoke suite's settings, changed key by key."""

import copy
from pathlib import Path
from typing import Any

import yaml

from lzu.experiments.context import Context
from lzu.experiments.suite import Suite, parse_suite
from lzu.tasks import TASKS
from lzu.tasks.detection2d.task import DETECTION2D
from lzu.tasks.detection3d.task import DETECTION3D
from lzu.tasks.segmentation.task import SEGMENTATION

CONFIG = Path(__file__).parents[2] / "config"


def settings_of(name: str) -> dict[str, Any]:
    """The content of a suite file that ships."""
    found: dict[str, Any] = yaml.safe_load((CONFIG / f"{name}.yaml").read_text(encoding="utf-8"))
    return found


def changed(settings: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy with `value` at the dotted `path`; `...` removes the key."""
    settings = copy.deepcopy(settings)
    *parents, last = path.split(".")
    block = settings
    for key in parents:
        block = block.setdefault(key, {})
    if value is ...:
        del block[last]
    else:
        block[last] = value
    return settings


def parsed(settings: dict[str, Any]) -> Suite:
    """The suite of these settings, which may have any task."""
    return parse_suite(settings, "mine.yaml", TASKS)


def detection(settings: dict[str, Any], results: Path = Path("results")) -> Context:
    """Their 2-D detection."""
    return Context(parsed(settings), DETECTION2D, results)


def segmentation(settings: dict[str, Any], results: Path = Path("results")) -> Context:
    """Their segmentation."""
    return Context(parsed(settings), SEGMENTATION, results)


def detection3d(settings: dict[str, Any], results: Path = Path("results")) -> Context:
    """Their 3-D detection."""
    return Context(parsed(settings), DETECTION3D, results)
