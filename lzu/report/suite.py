"""The report of one suite, step by step: collect, tables, figures, and keeping results."""

import shutil
from collections import defaultdict
from pathlib import Path

from lzu.errors import UserError
from lzu.experiments.config import Suite, has_prior, planned_runs
from lzu.experiments.paths import Paths
from lzu.experiments.pictured import pictured_cases, pictured_stream
from lzu.experiments.plan import evaluated_runs, planned_tables
from lzu.experiments.run import SEARCH
from lzu.files import write_atomic
from lzu.report.compare.comparison import TableReport, compare
from lzu.report.compare.size_bins import by_size, write_size_table
from lzu.report.figures.iso_latency import write_iso_latency_figure
from lzu.report.figures.search import write_search
from lzu.report.figures.size_bins import write_size_figure
from lzu.report.figures.tradeoff import write_tradeoff
from lzu.report.tables.forms import write_table
from lzu.report.tables.iso_latency import write_iso_latency_table
from lzu.report.tables.level_error import read_published_errors, write_level_error_table
from lzu.report.tables.summary import print_summary
from lzu.results.collect import collect, find_result_files, read_collected, write_collected
from lzu.results.schema import read_level_error, read_metrics, read_timing


def collect_suite(suite: Suite, paths: Paths) -> None:
    """Write `collected.csv`: every result of the suite, one row for each run and quantity.

    In compute mode the planned runs' files are read, so that what an earlier setting of the suite
    left behind stays out; in cached mode all that is kept in `results/measured/`.
    """
    if suite.mode == "cached":
        metrics, timings = find_result_files(paths.results, suite.suite, "cached")
        if not metrics:
            raise UserError(
                f"{paths.measured}: no kept results of suite {suite.suite}; set mode: compute"
            )
    else:
        metrics = [paths.run(run, "metrics.json") for run in evaluated_runs(suite)]
        timings = sorted({paths.timing(run) for run in planned_runs(suite)})
    write_collected(collect(metrics, timings), paths.collected)


def make_tables(suite: Suite, paths: Paths) -> None:
    """Write the suite's tables of the paper, Table 1's values at equal latency and by object size,
    and Eq. 18's errors if they were measured."""
    for name in planned_tables(suite):
        report = _table(name, suite, paths)
        write_table(report, paths.tables)
        if name == "table1":
            write_iso_latency_table(report, paths.tables)
            write_size_table(by_size(report), paths.tables)
    errors = _level_error(suite, paths)
    if errors is None:
        print("Eq. 18: no errors of downsampled inverses were measured, so its table is left out")
        return
    published = read_published_errors(paths.results / "published")
    write_level_error_table(read_level_error(errors), published, paths.tables)


def make_figures(suite: Suite, paths: Paths) -> None:
    """Draw the suite's figures."""
    report = _table("table1", suite, paths)
    write_tradeoff(report, paths.figures)
    write_iso_latency_figure(report, paths.figures)
    write_size_figure(report, paths.figures)
    if suite.detection2d.search is not None:
        write_search(_table("table6", suite, paths), paths.figures)


def show(suite: Suite, paths: Paths) -> None:
    """Print Table 1 and where everything is."""
    written = [
        paths.tables / "table1.md",
        paths.tables / "table1.csv",
        paths.tables / "table1.tex",
        *(paths.tables / f"{name}.txt" for name in planned_tables(suite)[1:]),
        paths.tables / "iso_latency.txt",
        paths.figures / "figure7_detection2d.png",
        paths.figures / "iso_latency.png",
        paths.tables / "size_bins.csv",
        paths.figures / "size_bins.png",
        *sorted(paths.figures.glob("table6_search.png")),
        *_pictures(suite, paths),
        *sorted(paths.tables.glob("eq18.md")),
        *(path for path in paths.analysis_figures.values() if path.exists()),
        *sorted(paths.root.glob("priors/*/*.png")),
        *sorted(paths.root.glob("report.zip")),
    ]
    print_summary(paths.tables / "table1.txt", written)


def _pictures(suite: Suite, paths: Paths) -> list[Path]:
    """Those of the suite's pictures of single frames that there are."""
    found = []
    if run := pictured_cases(suite):
        found.append(paths.cases_picture(run))
    if run := pictured_stream(suite):
        found.append(paths.stream(run, suite.detection2d.stream.sequence).with_suffix(".gif"))
    return [path for path in found if path.exists()]


def keep(suite: Suite, paths: Paths) -> None:
    """Copy the suite's metrics, timings and Eq. 18 to `results/measured/<suite>/<machine>/`.

    With the search's metrics goes the record of how the training set was split for it.
    Only files that pass their schema are kept, and none of a working tree with changes, whose
    code nobody could find again. What was kept earlier of the same suite and machine, and is not
    among these, is removed: it may be of other data or settings.
    """
    runs = evaluated_runs(suite)
    readers = {paths.run(run, "metrics.json"): read_metrics for run in runs}
    readers |= {paths.timing(run): read_timing for run in planned_runs(suite)}
    if has_prior(suite):
        readers[paths.level_error] = read_level_error
    contents = {path: read(path) for path, read in readers.items()}
    dirty = [path for path, content in contents.items() if content["provenance"]["git_dirty"]]
    if dirty:
        raise UserError(
            f"{dirty[0]}: measured on a working tree with uncommitted changes "
            f"({len(dirty)} files are); commit and run again before keeping results"
        )
    kept: dict[Path, set[Path]] = defaultdict(set)
    for path, content in contents.items():
        folder = paths.measured / content["provenance"]["machine"]
        searched = SEARCH in content.get("run", {}).get("options", {}).items()
        for source in (path, paths.search_split) if searched else (path,):
            target = folder / source.relative_to(paths.root)
            _copy(source, target)
            kept[folder].add(target)
    removed = sum(_remove_others(folder, files) for folder, files in kept.items())
    print(f"kept {len(contents)} files in {paths.measured}; removed {removed} of earlier ones")


def _remove_others(folder: Path, kept: set[Path]) -> int:
    """Remove the files below `folder` that are not `kept`; return their number."""
    others = [path for path in folder.rglob("*.json") if path not in kept]
    for path in others:
        path.unlink()
        for parent in path.relative_to(folder).parents[:-1]:
            if not any((folder / parent).iterdir()):
                (folder / parent).rmdir()
    return len(others)


def _copy(source: Path, target: Path) -> None:
    with write_atomic(target) as temporary:
        shutil.copyfile(source, temporary)


def _level_error(suite: Suite, paths: Paths) -> Path | None:
    """The file of Eq. 18's errors: this run's, or the one that is kept; None if there is none."""
    if suite.mode == "compute":
        return paths.level_error if has_prior(suite) else None
    kept = {path.parents[1].name: path for path in paths.kept_level_errors()}
    if suite.machine is not None:
        return kept.get(suite.machine)
    if len(kept) > 1:
        raise UserError(
            f"Eq. 18's errors come from several machines ({', '.join(kept)}); choose one with "
            "machine"
        )
    return next(iter(kept.values()), None)


def _table(name: str, suite: Suite, paths: Paths) -> TableReport:
    return compare(
        name,
        suite.suite,
        read_collected(paths.collected),
        paths.results / "published",
        evaluated_runs(suite),
        machine=suite.machine,
    )
