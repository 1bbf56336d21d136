"""Keeping a task's result files under version control, and finding what is kept."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lzu.errors import UserError
from lzu.experiments.context import Context
from lzu.experiments.run import Run
from lzu.files import write_atomic
from lzu.results.agreement import level_error_problem
from lzu.results.collect import kept_files
from lzu.results.schema import provenances, read_level_error, read_metrics, read_timing
from lzu.results.stamps import stamp, timing_stamp

Reader = Callable[[Path], dict[str, Any]]


@dataclass(frozen=True)
class Kept:
    """What `keep` did: numbers of files copied, and of those that had been kept of other settings,
    data or runs and were removed."""

    copied: int
    removed: int


def keep(context: Context) -> Kept:
    """Copy the task's finished results to `results/measured/<suite>/<machine>/`.

    Runs that are not finished are left out, so that a study can be kept as it grows, on one machine
    or several. With metrics of models that were trained on a part of the training set goes the
    record of how it was split.
    Only files that pass their schema and are of today's settings and data are kept, and none of
    which any step was made on a working tree with changes, whose code nobody could find again.
    What was kept earlier of the same machine stays if it is of the same settings and data; the
    rest is removed. Other machines' files stay: theirs are judged when they are kept.

    Raises UserError if there is nothing to keep, and for a dirty file.
    """
    found = finished(context)
    if not found:
        raise UserError(
            f"{context.paths.root}: no finished run of {context.task.name} to keep; run the suite"
        )
    dirty = [path for path, content in found.items() if _dirty(content)]
    if dirty:
        raise UserError(
            f"{dirty[0]}: measured on a working tree with uncommitted changes "
            f"({len(dirty)} files are); commit and run again before keeping results"
        )
    copied = 0
    for path, content in found.items():
        folder = context.paths.suite.measured / machine_of(content)
        for source in (path, *_record_of(context, content)):
            with write_atomic(folder / source.relative_to(context.paths.root)) as temporary:
                shutil.copyfile(source, temporary)
        copied += 1
    return Kept(copied, _remove_stale(context, {machine_of(content) for content in found.values()}))


def _on_a_part(context: Context, run: Run) -> bool:
    return context.trains_on(run) in context.task.parts


def _record_of(context: Context, content: Mapping[str, Any]) -> tuple[Path, ...]:
    """The record of how the training set was split, if a result's model was trained on a part."""
    told = content.get("run", {})
    of_run = [run for run in context.runs if "seed" in told and run.as_dict() == told]
    parts = context.task.parts
    return tuple(context.paths.split_record(parts) for run in of_run if _on_a_part(context, run))


def finished(context: Context) -> dict[Path, dict[str, Any]]:
    """The task's own result files that there are, of today's settings and data, with their content.

    Raises UserError for a file that breaks its schema.
    """
    paths = context.paths
    found: dict[Path, dict[str, Any]] = {}
    for run in context.runs:
        path = paths.run(run, "metrics.json")
        if path.is_file():
            content = read_metrics(path, context.task)
            if content["stamp"] == stamp(context, run):
                found[path] = content
    for run in context.timed_runs:
        path = paths.timing(run)
        if path.is_file():
            content = read_timing(path)
            if content.get("stamp") == timing_stamp(context, run):
                found[path] = content
    if paths.level_error.is_file():
        content = read_level_error(paths.level_error)
        if level_error_problem(context, content) is None:
            found[paths.level_error] = content
    return found


def machine_of(content: dict[str, Any]) -> str:
    """The class of the machine that a result file is from; of a run's steps, that of the first."""
    return str(provenances(content)[0]["machine"])


def _dirty(content: dict[str, Any]) -> bool:
    return any(one["git_dirty"] for one in provenances(content))


def kept_runs(context: Context) -> dict[Run, Path]:
    """The planned runs that are kept with an equal stamp, so that they need not be made again.

    Where several machines have one, the first by name. Where the data or a prior is not there yet,
    no stamp can be told, and none is found.
    """
    metrics, _ = kept_files(context.paths.suite.measured, context.task.name)
    by_path: dict[Path, list[Path]] = {}
    for path in metrics:
        relative = path.relative_to(context.paths.suite.measured)
        by_path.setdefault(Path(*relative.parts[1:]), []).append(path)
    found = {}
    for run in context.runs:
        own = by_path.get(Path(run.path) / "metrics.json", [])
        if not own:
            continue
        try:
            mark = stamp(context, run)
        except UserError:
            continue
        same = [p for p in own if read_metrics(p, context.task)["stamp"] == mark]
        if same:
            found[run] = same[0]
    return found


def timing_files(context: Context, reused: Mapping[Run, Path]) -> list[Path]:
    """The timing file of every method and scale: this machine's own, or, of a run that is `reused`
    (see `kept_runs`), the one that is kept beside it, if there is one."""
    found = []
    for run in context.timed_runs:
        if run in reused:
            # results/measured/<suite>/<machine>/<path of the run>/metrics.json
            folder = reused[run].parents[len(run.path.parts)]
            kept = folder / run.timing_path
            found += [kept] if kept.is_file() and not _is_stale(context, run, kept) else []
        else:
            found.append(context.paths.timing(run))
    return sorted(set(found))


def _remove_stale(context: Context, machines: set[str]) -> int:
    """Remove the kept files of these machines that are of nothing planned, or of another stamp.

    Of a run whose data or prior is not there yet, no stamp can be told: its files stay. So do other
    machines', whose prior may differ in its last bits, and the stamps with it.
    """
    measured, paths = context.paths.suite.measured, context.paths
    metrics, timing = kept_files(measured, context.task.name)
    runs = {Path(run.path) / "metrics.json": run for run in context.runs}
    runs |= {Path(run.timing_path): run for run in context.timed_runs}
    error = paths.level_error.relative_to(paths.root)
    single = [error]
    split = None
    if context.task.parts:
        split = paths.split_record(context.task.parts).relative_to(paths.root)
        single.append(split)
    needed = any(_on_a_part(context, run) for run in context.runs)
    alone = [measured / machine / name for machine in sorted(machines) for name in single]
    stale = []
    for path in (*metrics, *timing, *filter(Path.is_file, alone)):
        machine, *parts = path.relative_to(measured).parts
        if machine not in machines:
            continue
        name = Path(*parts)
        if name == split:
            old = not needed
        elif name == error:
            old = level_error_problem(context, read_level_error(path)) is not None
        else:
            run = runs.get(name)
            old = run is None or _is_stale(context, run, path)
        stale += [path] if old else []
    for path in stale:
        path.unlink()
        for parent in path.relative_to(measured).parents[:-1]:
            if not any((measured / parent).iterdir()):
                (measured / parent).rmdir()
    return len(stale)


def _is_stale(context: Context, run: Run, path: Path) -> bool:
    """Whether a kept metrics or timing file of a planned run is of another stamp, if it has one."""
    if path.name != "metrics.json":
        found = read_timing(path).get("stamp")
        return found is not None and found != timing_stamp(context, run)
    try:
        mark = stamp(context, run)
    except UserError:
        return False
    return bool(read_metrics(path, context.task)["stamp"] != mark)
