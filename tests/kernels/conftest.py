"""Runs the kernels in Triton's interpreter, and on a GPU where there is one.

The interpreter must be chosen before Triton is imported, and other tests in this process import
Triton without it. So tests with the `device` fixture run in one process of their own, the
*interpreter's*, when they come on "interpreter": the first of them starts it for all of them, and
each then reports what came of it there. With TRITON_INTERPRET=1 set, they run in this process.
"""

import json
import os
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

_RESULTS = "LZU_INTERPRETED_RESULTS"
_RUN = pytest.StashKey[tuple[dict[str, tuple[str, str]], str]]()
_interpreting = os.environ.get("TRITON_INTERPRET") == "1"


@pytest.fixture(params=["interpreter", pytest.param("cuda", marks=pytest.mark.gpu)])
def device(request: pytest.FixtureRequest) -> torch.device:
    """Where the kernels' tensors live."""
    if find_spec("triton") is None:
        pytest.skip("Triton is not installed")
    if request.param == "interpreter":
        return torch.device("cpu")
    if _interpreting or not torch.cuda.is_available():
        pytest.skip("no GPU")
    return torch.device("cuda")


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def _is_interpreted(item: pytest.Item) -> bool:
    callspec = getattr(item, "callspec", None)
    return callspec is not None and callspec.params.get("device") == "interpreter"


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    if _interpreting or not _is_interpreted(pyfuncitem):
        return None
    results, output = _results(pyfuncitem.session)
    if pyfuncitem.nodeid not in results:
        pytest.fail(f"the interpreter's process gave no result:\n{output}", pytrace=False)
    outcome, report = results[pyfuncitem.nodeid]
    if outcome == "skipped":
        pytest.skip(report)
    if outcome == "failed":
        pytest.fail(f"in the interpreter's process:\n{report}", pytrace=False)
    return True


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if _RESULTS not in os.environ or (report.when != "call" and report.passed):
        return
    with open(os.environ[_RESULTS], "a") as file:
        print(json.dumps([report.nodeid, report.outcome, report.longreprtext]), file=file)


def _results(session: pytest.Session) -> tuple[dict[str, tuple[str, str]], str]:
    """Return each interpreted test's outcome and report, and the process's output."""
    if _RUN not in session.stash:
        session.stash[_RUN] = _run(session)
    return session.stash[_RUN]


def _run(session: pytest.Session) -> tuple[dict[str, tuple[str, str]], str]:
    tests = [item.nodeid for item in session.items if _is_interpreted(item)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "results.jsonl"
        path.touch()
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *tests],
            cwd=session.config.rootpath,
            env={**os.environ, "TRITON_INTERPRET": "1", _RESULTS: str(path)},
            capture_output=True,
            text=True,
            check=False,
        )
        lines = [json.loads(line) for line in path.read_text().splitlines()]
    return {name: (outcome, report) for name, outcome, report in lines}, done.stdout + done.stderr
