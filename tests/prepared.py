"""A tiny prepared dataset of the smoke suite, made once, and contexts of it."""

import shutil
import subprocess
import sys
from dataclasses import replace

import pytest

from lzu.experiments.context import Context
from lzu.experiments.suite import load_suite
from lzu.tasks import TASKS
from lzu.tasks.detection2d.task import DETECTION2D


@pytest.fixture(scope="session")
def config(request, tmp_path_factory):
    """The smoke suite's file with detection alone, and a dataset of its own."""
    pytest.importorskip("mmdet")
    folder = tmp_path_factory.mktemp("smoke")
    text = (request.config.rootpath / "config" / "smoke.yaml").read_text(encoding="utf-8")
    path = folder / "smoke.yaml"
    text = text.partition("\nsegmentation:\n")[0] + "\n"
    path.write_text(text.replace("root: data/smoke", f"root: {folder / 'data'}"))
    return path


@pytest.fixture(scope="session")
def results(config):
    """A results folder with the prepared data and the prior."""
    folder = config.parent / "results"
    verbs = ("world", "check", "prepare")
    of_splits = [(verb, "--split", split) for split in ("train", "val") for verb in verbs]
    for verb in (*of_splits, ["prior"], ["draw-prior"]):
        lzu(*verb, "--config", config, "--results", folder)
    return folder


@pytest.fixture(scope="session")
def context(config, results):
    """The smoke suite's detection, with its data and prior."""
    return context_of(config, results)


def context_of(config, results):
    """Detection in the suite of a file, below a results folder."""
    return Context(load_suite(config, TASKS), DETECTION2D, results)


def changed(context, **settings):
    """The context with other settings of its task, which are not checked again."""
    block = context.settings.model_copy(update=settings)
    return replace(context, suite=context.suite.model_copy(update={context.task.name: block}))


def copy_of(results, folder):
    """Copy the prepared data and the prior of `results` into `folder`; return it."""
    for name in ("data", "priors"):
        shutil.copytree(results / "smoke" / name, folder / "smoke" / name)
    return folder


def copied(context, folder):
    """The context below `folder`, with a copy of its prepared data and prior."""
    return replace(context, results=copy_of(context.results, folder))


def lzu(*arguments, check=True):
    """Run the command line as a user would."""
    command = [sys.executable, "-m", "lzu.cli", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    if check:
        assert done.returncode == 0, done.stderr
    return done
