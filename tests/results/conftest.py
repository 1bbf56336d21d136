"""A toy suite and a detection suite whose results are made up without training."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from lzu.experiments.context import Context
from lzu.experiments.run import Run
from lzu.files import read_json, write_json
from lzu.results.prior import Prior, save_prior
from lzu.results.stamps import stamp, timing_stamp
from lzu.tasks.detection2d.metrics import COCO
from tests.experiments.suites import detection
from tests.experiments.toy import make, prepare, toy_context

COMMIT = "0" * 40


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """What scores is a clean tree."""
    for module in ("provenance", "states"):
        monkeypatch.setattr(f"lzu.results.{module}.git_state", lambda *_: (COMMIT, False))


@pytest.fixture
def play(
    tmp_path: Path, clean: None, monkeypatch: pytest.MonkeyPatch, constructed: SimpleNamespace
) -> Callable[..., list[Path]]:
    """Make runs of a toy context on a machine; its data is prepared."""

    def made(
        context: Context, runs: list[Run], machine: str = "one", **steps: dict[str, Any]
    ) -> list[Path]:
        monkeypatch.setenv("LZU_MACHINE", machine)
        own = constructed.provenance(machine)
        train, predicted = (own | steps.get(name, {}) for name in ("train", "predict"))
        files = make(context, runs, train, predicted)
        for path in files:
            value = read_json(path)
            value["provenance"]["score"] |= steps.get("score", {})
            write_json(path, value)
        for run in {run.timing_path: run for run in runs}.values():
            timing = constructed.timing_of(run, [10.0, 11.0, 12.0], [0.5, 0.4, 0.6], machine)
            timing |= {"schema": "lzu-timing/2", "stamp": timing_stamp(context, run)}
            timing["provenance"] |= steps.get("time", {})
            write_json(context.paths.timing(run), timing)
        return files

    for split in ("train", "val"):
        prepare(toy_context(tmp_path), split)
    return made


def block(**more: Any) -> dict[str, Any]:
    """Settings of detection: uniform and fixed LZU at one scale, each with one seed."""
    method = {"scales": [0.5], "learning_rate": 0.01}
    return {
        "dataset": {"root": "x"},
        "prior": {"lattice": [4, 6]},
        "methods": {"uniform": method, "lzu_fixed": method},
        **more,
    }


SEARCH = {"amplitudes": [1], "fwhms": [4], "methods": ["lzu_fixed"]}


@pytest.fixture
def detect(tmp_path: Path, constructed: SimpleNamespace) -> Callable[..., Context]:
    """A detection suite with prepared data, priors and, of `made` runs, metrics."""

    def context(
        settings: dict[str, Any] | None = None,
        made: Callable[[Run], bool] = lambda run: True,
        machine: str = "one",
    ) -> Context:
        chosen = block(search=SEARCH) if settings is None else settings
        found = detection({"suite": "tried", "detection2d": chosen}, tmp_path)
        for split in ("train", "val", "search_train", "search_val"):
            about = {"fingerprint": f"of-{split}", "source": "synthetic", "images": 10}
            write_json(found.paths.about(split), about)
        write_json(found.paths.split_record(found.task.parts), {"rule": "by hand"})
        saliency = np.full((1, 1, 4, 6), 1 / 24, np.float32)
        for run in filter(made, found.runs):
            spec = found.prior_of(run)
            if spec is not None:
                save_prior(found.paths.prior(spec), Prior(saliency, {"native_size": [8, 8]}, {}))
            value = constructed.metrics_of(run, dict.fromkeys(COCO, 50.0), machine)
            value["dataset"]["fingerprint"] = f"of-{run.split('val')}"
            write_json(found.paths.run(run, "metrics.json"), {**value, "stamp": stamp(found, run)})
        return found

    return context


def level_error(machine: str, constructed: SimpleNamespace) -> dict[str, Any]:
    """Made-up errors of Eq. 18."""
    pixels = {"image": 0.1, "finest": 0.1, "level": 0.1}
    level = {"divisor": 2, "size": [4, 6], "mean_px": pixels, "largest_px": pixels}
    reading = {
        "separable": True,
        "image": [8, 12],
        "finest": [8, 12],
        "cells": "aligned",
        "levels": [level],
    }
    return {
        "schema": "lzu-level-error/1",
        "suite": "tried",
        "prior": {
            "parameters": {
                "native_size": [1200, 1920],
                "lattice": [4, 6],
                "amplitude": 1,
                "bandwidth": 64,
            },
            "source": {"fingerprint": "of-train"},
        },
        "warp": {"lattice": [4, 6], "fwhm": 22, "anti_crop": True},
        "dtype": "float64",
        "readings": [reading],
        "provenance": constructed.provenance(machine),
    }


def tree(folder: Path) -> dict[str, Any]:
    """Relative path -> content of the JSON files below a folder."""
    return {
        path.relative_to(folder).as_posix(): json.loads(path.read_text())
        for path in sorted(folder.rglob("*.json"))
    }


def with_code(context: Context, commit: str) -> None:
    """Say that the weights of the context's scored runs were made by another commit."""
    for run in context.runs:
        path = context.paths.run(run, "metrics.json")
        if path.is_file():
            value = read_json(path)
            value["provenance"]["train"]["git_commit"] = commit
            write_json(path, value)
