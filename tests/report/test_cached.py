"""Readers rebuild tables and figures from what is kept, without torch and the like."""

import subprocess
from pathlib import Path

import pytest

from lzu.experiments.context import contexts
from lzu.experiments.suite import load_suite
from lzu.report.products import products
from lzu.tasks import TASKS

SCRIPT = """
from pathlib import Path
from lzu.experiments.context import contexts
from lzu.experiments.suite import load_suite
from lzu.report.make import collect_task, make_figures, make_tables, show
from lzu.report.products import products
from lzu.tasks import TASKS

suite = load_suite({config!r}, TASKS).model_copy(update={{"mode": "cached"}})
found = contexts(suite, TASKS, Path({results!r}))
for context in found.values():
    for step in (collect_task, make_tables, make_figures):
        step(context)
    assert all(product.path.stat().st_size > 0 for product in products(context))
show(found.values())
"""


def kept_suites(root):
    """Names of the suites of which runs are kept."""
    return sorted({path.parents[1].name for path in root.glob("results/measured/*/*/runs")})


def pytest_generate_tests(metafunc):
    if "suite" in metafunc.fixturenames:
        metafunc.parametrize("suite", kept_suites(metafunc.config.rootpath))


@pytest.mark.parametrize("name", ["demo", "study", "smoke", "paper"])
def test_no_file_is_made_in_both_modes(request, name):
    """Neither a table, a figure, the collected results nor the report."""
    suite = load_suite(request.config.rootpath / "config" / f"{name}.yaml", TASKS)
    made, folders = {}, {}
    for mode in ("compute", "cached"):
        suites = contexts(suite.model_copy(update={"mode": mode}), TASKS, Path("results"))
        paths = {p.path for context in suites.values() for p in products(context)}
        made[mode] = paths | {context.paths.suite.report for context in suites.values()}
        folders[mode] = next(iter(suites.values())).paths.suite.made
    assert len(made["cached"]) > 10
    assert not made["compute"] & made["cached"]
    assert all(path.is_relative_to(folders["cached"]) for path in made["cached"])
    assert not any(path.is_relative_to(folders["cached"]) for path in made["compute"])


@pytest.fixture
def results(request, tmp_path):
    """A results folder with what is under version control, and nothing else."""
    for name in ("published", "measured"):
        (tmp_path / name).symlink_to(request.config.rootpath / "results" / name)
    return tmp_path


def test_tables_and_figures_rebuild_from_kept_results(suite, request, results, blocked_torch):
    root = request.config.rootpath
    config = root / "config" / f"{suite}.yaml"
    command = blocked_torch(SCRIPT.format(config=str(config), results=str(results)))
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, check=False)
    assert done.returncode == 0, done.stderr
    assert "Measured: mean over" in done.stdout
    assert "figure7.{png,pdf,svg}" in done.stdout
