"""Scores by bins, as of object size: from files to means, differences, table and figure."""

import csv
import json
import math

import pytest

from lzu.errors import UserError
from lzu.report.compare.bins import by_bin
from lzu.report.figures.bins import NOTHING, bin_figure, write_bin_figure
from lzu.report.tables.bins import write_bin_table
from lzu.results.collect import bin_metrics, read_collected, write_collected
from lzu.results.statistics import mean_interval
from lzu.tasks.detection2d.tables import SIZE_BINS
from lzu.tasks.segmentation.tables import DISTANCE_BINS

EDGES, BOXES = [0, 8, 32], [0, 40, 7]


def add_bins(path, edges=EDGES, heights=False):
    """Invented: 20 and 60 AP, 1 a seed more; LZU has 5 and then 0 more, and less at odd seeds.

    With `heights` the same in heights of an image of 400 pixels.
    """
    value = json.loads(path.read_text())
    run = value["run"]
    seed, ours = run["seed"], run["method"] == "lzu_fixed"
    small, large = 20 + seed + (5 + seed % 2) * ours, 60 + seed - (seed % 2) * ours
    bins = {"AP": [None, small, large], "boxes": BOXES}
    value["size_bins"] = {"lower_px": edges, **bins}
    if heights:
        value["size_bins_relative"] = {"lower": [edge / 400 for edge in edges], **bins}
    path.write_text(json.dumps(value))


@pytest.fixture
def report(suite_files, planned, constructed, tmp_path):
    for path in suite_files[0]:
        add_bins(path)
    write_collected(constructed.collect(*suite_files), tmp_path / "collected.csv")
    collected = read_collected(tmp_path / "collected.csv")
    return constructed.compare(collected, planned)


@pytest.fixture
def without(planned, constructed, tmp_path):
    """The same results without bins."""
    files = constructed.write_suite(tmp_path / "without", planned)
    return constructed.compare(constructed.collect(*files), planned)


def test_bins_become_metrics():
    pixels, heights = SIZE_BINS.units
    values = {"lower_px": [0, 8.5, 32], "AP": [None, 1.5, 2], "boxes": BOXES}
    assert bin_metrics(values, SIZE_BINS, pixels) == {
        "AP[0,8.5)": None,
        "AP[8.5,32)": 1.5,
        "AP[32,inf)": 2,
        "boxes[0,8.5)": 0,
        "boxes[8.5,32)": 40,
        "boxes[32,inf)": 7,
    }
    assert bin_metrics({"lower": [0.25], "AP": [3], "boxes": [4]}, SIZE_BINS, heights) == {
        "AP[0.25,inf)/H": 3,
        "boxes[0.25,inf)/H": 4,
    }
    [sides] = DISTANCE_BINS.units
    values = {"lower": [0, 0.02], "mIoU": [30.5, None], "pixels": [9, 0]}
    assert bin_metrics(values, DISTANCE_BINS, sides) == {
        "mIoU[0,0.02)": 30.5,
        "mIoU[0.02,inf)": None,
        "pixels[0,0.02)": 9,
        "pixels[0.02,inf)": 0,
    }


def same(found, values):
    """Whether an estimate is that of values whose spread is known of seeds alone."""
    expected = mean_interval(values)
    ends = (expected.value, expected.low, expected.high)
    return (found.value, found.low, found.high) == pytest.approx(ends) and found.n == expected.n


def test_values_and_paired_differences_by_bin(report):
    [sizes] = by_bin(report, SIZE_BINS)
    assert (sizes.unit.name, sizes.edges) == ("px", (0, 8, 32, math.inf))
    assert sizes.counts == tuple(BOXES)
    assert len(sizes.curves) == 6
    curve = next(c for c in sizes.curves if (c.row.method, c.row.to_scale) == ("lzu_fixed", 0.5))
    assert curve.values[0] is None
    assert same(curve.values[1], [25, 27, 27])
    assert same(curve.values[2], [60, 60, 62])
    assert curve.against_baseline[0] is None
    assert same(curve.against_baseline[1], [5, 6, 5])
    assert same(curve.against_baseline[2], [0, -1, 0])
    uniform = next(c for c in sizes.curves if c.row.method == "uniform")
    assert uniform.against_baseline == (None, None, None)


def test_other_tables_do_not_change(report, without):
    assert by_bin(report, SIZE_BINS)
    assert not by_bin(without, SIZE_BINS)
    assert [r.cells for r in report.rows] == [r.cells for r in without.rows]
    assert (report.missing, report.unlisted) == (without.missing, without.unlisted)


def test_different_bins_are_not_mixed(suite_files, planned, constructed):
    for number, path in enumerate(suite_files[0]):
        add_bins(path, [0, 8, 32 + number // 3])
    mixed = constructed.compare(constructed.collect(*suite_files), planned)
    with pytest.raises(UserError, match="different bins of object size; score all runs again"):
        by_bin(mixed, SIZE_BINS)


def test_the_table_has_every_bin(report, without, tmp_path):
    path = write_bin_table(report, SIZE_BINS, tmp_path)
    assert path.name == "detection2d_size_bins.csv"
    with path.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 18
    wanted = ("0.75", "lzu_fixed", "8")
    [row] = [row for row in rows if (row["to"], row["method"], row["lower"]) == wanted]
    assert (row["unit"], row["upper"], row["boxes"], row["runs"]) == ("px", "32", "40", "3")
    assert float(row["difference"]) == pytest.approx(16 / 3, abs=1e-6)
    assert "verdict" not in row
    assert rows[0]["value"] == ""
    empty = write_bin_table(without, SIZE_BINS, tmp_path)
    assert empty.read_text().count("\n") == 1


@pytest.fixture
def relative(suite_files, planned, constructed):
    for path in suite_files[0]:
        add_bins(path, heights=True)
    return constructed.compare(constructed.collect(*suite_files), planned)


def test_bins_in_heights_of_the_image_stand_beside_those_in_pixels(relative, tmp_path):
    pixels, heights = by_bin(relative, SIZE_BINS)
    assert (pixels.unit.name, heights.unit.name) == ("px", "heights")
    assert heights.edges == (0, 0.02, 0.08, math.inf)
    assert [c.values for c in heights.curves] == [c.values for c in pixels.curves]
    with write_bin_table(relative, SIZE_BINS, tmp_path).open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["lower"] for row in rows if row["unit"] == "heights"][:3] == ["0", "0.02", "0.08"]
    figure = bin_figure(relative, SIZE_BINS)
    edges = [label.get_text() for label in figure.axes[3].get_xticklabels()]
    assert edges == ["0", "2", "8", "∞"]
    assert "% of the image's height" in figure.get_supxlabel()


def drawn(axes):
    """Marker -> heights of a method's points, without those that are not numbers."""
    return {
        line.get_marker(): [float(y) for y in line.get_ydata() if not math.isnan(y)]
        for line in axes.lines
        if line.get_marker() in "os"
    }


def test_the_figure_shows_values_differences_and_counts(report, tmp_path):
    figure = bin_figure(report, SIZE_BINS)
    above, below = figure.axes[0], figure.axes[3]
    assert drawn(above) == {"o": [21, 61], "s": pytest.approx([79 / 3, 182 / 3])}
    assert drawn(below) == {"s": pytest.approx([16 / 3, -1 / 3])}
    assert [label.get_text() for label in below.get_xticklabels()] == ["0", "8", "32", "∞"]
    counts = next(axes for axes in figure.axes if axes.patches)
    assert [bar.get_height() for bar in counts.patches] == BOXES
    assert [text.get_text() for text in counts.texts] == ["0", "40", "7"]
    first = write_bin_figure(report, SIZE_BINS, tmp_path / "a")
    second = write_bin_figure(report, SIZE_BINS, tmp_path)
    assert set(first) == {"png", "pdf", "svg"}
    assert first["svg"].read_bytes() == second["svg"].read_bytes()


def test_results_without_bins_are_said_in_the_figure(without):
    assert by_bin(without, SIZE_BINS) == ()
    assert [text.get_text() for text in bin_figure(without, SIZE_BINS).texts] == [
        NOTHING.format("object size")
    ]
