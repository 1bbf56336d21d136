"""A tiny prepared dataset of the smoke suite, made once."""

import shutil
import subprocess
import sys

import pytest

from lzu.experiments.config import load_suite
from lzu.experiments.paths import Paths


@pytest.fixture(scope="session")
def config(request, tmp_path_factory):
    """The smoke suite's file, with a dataset of its own."""
    pytest.importorskip("mmdet")
    folder = tmp_path_factory.mktemp("smoke")
    text = (request.config.rootpath / "config" / "smoke.yaml").read_text(encoding="utf-8")
    path = folder / "smoke.yaml"
    path.write_text(text.replace("root: data/smoke", f"root: {folder / 'data'}"))
    return path


@pytest.fixture(scope="session")
def results(config):
    """A results folder with the prepared data and the prior."""
    folder = config.parent / "results"
    for verb in (["world"], ["prepare", "--split", "train"], ["prepare", "--split", "val"]):
        lzu(*verb, "--config", config, "--results", folder)
    lzu("prior", "--config", config, "--results", folder)
    return folder


@pytest.fixture(scope="session")
def suite(config):
    return load_suite(config)


@pytest.fixture
def paths(suite, results):
    return Paths(suite, results)


def copy_of(results, folder):
    """Copy the prepared data and the prior of `results` into `folder`; return it."""
    for name in ("data", "priors"):
        shutil.copytree(results / "smoke" / name, folder / "smoke" / name)
    return folder


def lzu(*arguments, check=True):
    """Run the command line as a user would."""
    command = [sys.executable, "-m", "lzu.cli", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    if check:
        assert done.returncode == 0, done.stderr
    return done
