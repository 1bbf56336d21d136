"""AP by bins of object size: from files to collected rows, means, differences, table and figure."""

import csv
import json
import math

import pytest

from lzu.errors import UserError
from lzu.report.compare.comparison import compare
from lzu.report.compare.size_bins import by_size, write_size_table
from lzu.results.statistics import mean_interval
from lzu.report.figures.size_bins import NOTHING, size_figure, write_size_figure
from lzu.results.collect import bin_metrics, collect, read_collected, write_collected

EDGES, BOXES = [0, 8, 32], [0, 40, 7]


def add_bins(path, edges=EDGES):
    """Invented: 20 and 60 AP, 1 a seed more; LZU has 5 and then 0 more, and less at odd seeds."""
    value = json.loads(path.read_text())
    run = value["run"]
    seed, ours = run["seed"], run["method"] == "lzu_fixed"
    small, large = 20 + seed + (5 + seed % 2) * ours, 60 + seed - (seed % 2) * ours
    value["size_bins"] = {"lower_px": edges, "AP": [None, small, large], "boxes": BOXES}
    path.write_text(json.dumps(value))


@pytest.fixture
def report(suite_files, planned, constructed, tmp_path):
    for path in suite_files[0]:
        add_bins(path)
    write_collected(collect(*suite_files), tmp_path / "collected.csv")
    collected = read_collected(tmp_path / "collected.csv")
    return compare("table1", "demo", collected, constructed.published, planned)


@pytest.fixture
def without(planned, constructed, tmp_path):
    """The same results without bins."""
    files = constructed.write_suite(tmp_path / "without", planned)
    return compare("table1", "demo", collect(*files), constructed.published, planned)


def test_bins_become_metrics():
    assert bin_metrics({"lower_px": [0, 8.5, 32], "AP": [None, 1.5, 2], "boxes": BOXES}) == {
        "AP[0,8.5)": None,
        "AP[8.5,32)": 1.5,
        "AP[32,inf)": 2,
        "boxes[0,8.5)": 0,
        "boxes[8.5,32)": 40,
        "boxes[32,inf)": 7,
    }


def test_values_and_paired_differences_by_bin(report):
    sizes = by_size(report)
    assert sizes.edges == (0, 8, 32, math.inf)
    assert sizes.boxes == tuple(BOXES)
    assert len(sizes.curves) == 6
    curve = next(c for c in sizes.curves if (c.row.method, c.row.to_scale) == ("lzu_fixed", 0.5))
    assert curve.values == (None, mean_interval([25, 27, 27]), mean_interval([60, 60, 62]))
    assert curve.against_uniform[0] is None
    assert curve.against_uniform[1] == mean_interval([5, 6, 5])
    assert curve.against_uniform[2] == mean_interval([0, -1, 0])
    uniform = next(c for c in sizes.curves if c.row.method == "uniform")
    assert uniform.against_uniform == (None, None, None)


def test_other_tables_do_not_change(report, without):
    assert by_size(report)
    assert not by_size(without)
    assert [r.cells for r in report.rows] == [r.cells for r in without.rows]
    assert (report.missing, report.unlisted) == (without.missing, without.unlisted)


def test_different_bins_are_not_mixed(suite_files, planned, constructed):
    for number, path in enumerate(suite_files[0]):
        add_bins(path, [0, 8, 32 + number // 3])
    mixed = compare("table1", "demo", collect(*suite_files), constructed.published, planned)
    with pytest.raises(UserError, match="different bins of object size; score all runs again"):
        by_size(mixed)


def test_the_table_has_every_bin(report, without, tmp_path):
    with write_size_table(by_size(report), tmp_path).open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 18
    [row] = [
        row
        for row in rows
        if (row["to"], row["method"], row["lower_px"]) == ("0.75", "lzu_fixed", "8")
    ]
    assert (row["upper_px"], row["boxes"], row["seeds"], row["verdict"]) == ("32", "40", "3", "win")
    assert float(row["difference"]) == pytest.approx(16 / 3, abs=1e-6)
    assert rows[0]["AP"] == ""
    assert write_size_table(by_size(without), tmp_path).read_text().count("\n") == 1


def drawn(axes):
    """Marker -> heights of a method's points, without those that are not numbers."""
    return {
        line.get_marker(): [float(y) for y in line.get_ydata() if not math.isnan(y)]
        for line in axes.lines
        if line.get_marker() in "os"
    }


def test_the_figure_shows_values_differences_and_counts(report, tmp_path):
    figure = size_figure(report)
    above, below = figure.axes[0], figure.axes[3]
    assert drawn(above) == {"o": [21, 61], "s": pytest.approx([79 / 3, 182 / 3])}
    assert drawn(below) == {"s": pytest.approx([16 / 3, -1 / 3])}
    assert [label.get_text() for label in below.get_xticklabels()] == ["0", "8", "32", "∞"]
    counts = next(axes for axes in figure.axes if axes.patches)
    assert [bar.get_height() for bar in counts.patches] == BOXES
    assert [text.get_text() for text in counts.texts] == ["0", "40", "7"]
    first, second = write_size_figure(report, tmp_path / "a"), write_size_figure(report, tmp_path)
    assert set(first) == {"png", "pdf", "svg"}
    assert first["svg"].read_bytes() == second["svg"].read_bytes()


def test_results_without_bins_are_said_in_the_figure(without):
    assert by_size(without) is None
    assert [text.get_text() for text in size_figure(without).texts] == [NOTHING]
