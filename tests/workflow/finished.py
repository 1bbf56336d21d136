"""A suite that is finished as far as Snakemake can tell, and what a changed setting would rerun.

Every job of the real workflow is run, with the real parameters and inputs, but only touches its
outputs and tells its command; so hundreds of jobs are done in seconds, and no data or training is
needed.
"""

import copy
import functools
import multiprocessing
import os
import re
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

COMMANDS = "commands"
SNAKEFILE = """
{before}
import sys as _sys
from pathlib import Path as _Path
from snakemake.utils import format as _format


def shell(command, **options):
    for file in _sys._getframe(1).f_locals["output"]:
        _Path(file).touch()
    with open("{commands}", "a") as _commands:
        _commands.write(_format(command, stepout=2, **options) + "\\0")


include: "{workflow}"


for _rule in workflow.rules:
    # its clock finds nothing to measure in no time
    _rule._benchmark = None


rule all:
    default_target: True
    input:
        TARGETS,
"""


# Half of a dry run's time is Snakemake's import: processes that have it fork one for each run. They
# come from a server without threads. (Of processes that threads start themselves, two may take the
# same exit status, and one of them is told 255.)
_FORKED = multiprocessing.get_context("forkserver")
_FORKED.set_forkserver_preload(["snakemake.cli", "lzu.tasks", "lzu.report.products"])


@functools.cache
def _pool() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(2, mp_context=_FORKED)


def snakemake(words: Sequence[Any], folder: Path) -> tuple[int, str]:
    """Run Snakemake's command line in `folder`; its exit status, and all that it prints."""
    words = ["--directory", str(folder), *map(str, words)]
    return _pool().submit(_snakemake, words, folder).result()


def _snakemake(words: list[str], folder: Path) -> tuple[int, str]:
    from snakemake.cli import main

    with tempfile.TemporaryFile("w+") as printed:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                for stream in (1, 2):
                    os.dup2(printed.fileno(), stream)
                os.chdir(folder)
                main(words)
                status = 0
            except SystemExit as stop:
                # as the interpreter ends with it
                if isinstance(stop.code, str):
                    print(stop.code, file=sys.stderr)
                else:
                    status = int(stop.code or 0)
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(status)
        _, waited = os.waitpid(child, 0)
        printed.seek(0)
        return os.waitstatus_to_exitcode(waited), printed.read()


@dataclass(frozen=True)
class Finished:
    """A folder in which all jobs of the suite with these `settings` are done."""

    folder: Path
    settings: Mapping[str, Any]
    profile: Path

    def snakemake(self, settings: Mapping[str, Any], name: str, *arguments: str) -> str:
        """Run Snakemake on a suite file of these settings; return what it prints."""
        file = self.folder / f"{name}.yaml"
        file.write_text(yaml.safe_dump(dict(settings)))
        words = ["--configfile", file, "--snakefile", self.folder / "Snakefile"]
        words += ["--workflow-profile", self.profile, *arguments]
        status, text = snakemake(words, self.folder)
        assert status == 0, text[-4000:]
        return text

    @property
    def commands(self) -> list[str]:
        """What the jobs would have given to the shell."""
        return (self.folder / COMMANDS).read_text().split("\0")[:-1]

    def planned(self, key: str, value: Any) -> dict[str, int]:
        """Rule -> number of jobs that are planned once the setting `key` has another `value`."""
        text = self.snakemake(changed(self.settings, key, value), key.replace(".", "_"), "-n")
        return jobs(text)


def jobs(text: str) -> dict[str, int]:
    """Rule -> number of planned jobs, from the first table that Snakemake prints."""
    if "Job stats:" not in text:
        return {}
    table = text.split("Job stats:")[1].split("total")[0]
    return {name: int(n) for name, n in re.findall(r"^(\w+)\s+(\d+)$", table, re.MULTILINE)}


def changed(settings: Mapping[str, Any], key: str, value: Any) -> dict[str, Any]:
    """A copy of nested settings in which the dotted `key` has another value."""
    new = copy.deepcopy(dict(settings))
    *parents, last = key.split(".")
    block = new
    for name in parents:
        block = block.setdefault(name, {})
    block[last] = value
    return new


def finish(root: Path, folder: Path, suite: str, task: str | None = None) -> Finished:
    """Finish a suite of `root`/config in `folder`; with `task`, that one's part of it alone."""
    settings = yaml.safe_load((root / "config" / f"{suite}.yaml").read_text())
    if task is not None:
        settings = {key: value for key, value in settings.items() if key in ("suite", task)}
    return finish_settings(root, folder, settings)


def finish_settings(
    root: Path,
    folder: Path,
    settings: dict[str, Any],
    before: str = "",
    published: tuple[str, ...] = (),
) -> Finished:
    """Finish a suite of these settings; `before` is run ahead of the workflow's own lines, and
    `published` are names of tables beside the paper's."""
    (folder / "results" / "published").mkdir(parents=True)
    for path in (root / "results" / "published").iterdir():
        (folder / "results" / "published" / path.name).symlink_to(path)
    for name in published:
        (folder / "results" / "published" / name).touch()
    (folder / "config").symlink_to(root / "config")
    (folder / "elsewhere").mkdir()
    for name, block in settings.items():
        if isinstance(block, dict) and not block["dataset"].get("synthetic"):
            block["dataset"]["root"] = str(folder / name)
            (folder / name).mkdir()
    workflow = root / "workflow" / "Snakefile"
    (folder / "Snakefile").write_text(
        SNAKEFILE.format(before=before, workflow=workflow, commands=COMMANDS)
    )
    finished = Finished(folder, settings, root / "profiles" / "default")
    # touching needs no core of its own
    finished.snakemake(settings, "before", "--cores", "64", "--quiet", "all")
    return finished
