"""The report of semantic segmentation: Tables 3 and 4, the one beyond them, and the figures."""

import csv

import pytest

from lzu.report.compare.iso_cost import FLOPS, compare_at_equal_cost
from lzu.report.figures.bins import bin_figure
from lzu.report.figures.tradeoff import tradeoff_figure
from lzu.report.tables.bins import write_bin_table
from lzu.report.tables.forms import text_table, write_table
from lzu.tasks.segmentation.tables import DISTANCE_BINS, PARTS, SPACES, TABLE_3, TABLE_4
from tests.tasks.segmentation.reporting import FACTS, LOWER, PIXELS, planned, report_of


def lines_of(text):
    return [line.split() for line in text.splitlines()]


def test_table_3_stays_as_narrow_as_a_terminal(constructed, tmp_path):
    text = text_table(report_of(constructed, tmp_path))
    assert max(map(len, text.splitlines())) <= 120
    for part in PARTS:
        assert f"\n{part}:\n" in text
    headings = [line for line in lines_of(text) if line[:2] == ["scale", "method"]]
    assert headings[0][2:] == ["mIoU", "ms", "ms", "e2e", "GMAC"]
    assert headings[2][2:] == ["pole", "light", "sign", "vegetation", "terrain"]
    assert ["128", "Uniform", "published", "39.3", "16.1", "–", "–"] in lines_of(text)


def test_table_3_has_the_papers_rows_first_and_then_the_others(constructed, tmp_path):
    rows = [(r.row.to_scale, r.row.method) for r in report_of(constructed, tmp_path).rows]
    methods = ["uniform", "lzu_fixed", "es", "lds", "lzu_learned"]
    assert rows[:5] == [(0.0625, method) for method in methods]
    assert rows[-2:] == [(0.5, "uniform"), (0.5, "lzu_fixed")]


def test_every_form_of_table_3_has_every_column(constructed, tmp_path):
    paths = write_table(report_of(constructed, tmp_path), tmp_path / "tables")
    with paths["csv"].open(newline="") as stream:
        [row] = [r for r in csv.DictReader(stream) if (r["to"], r["method"]) == ("0.25", "lds")]
    assert {f"{column.metric}_measured" for column in TABLE_3.columns} <= set(row)
    assert row["IoU_train_measured"] == ""
    assert float(row["gmac_measured"]) == pytest.approx(3 * 0.25**2 + 0.011)
    markdown, latex = paths["md"].read_text(), paths["tex"].read_text()
    assert all(f"**{part}**" in markdown for part in PARTS)
    assert latex.count(r"\begin{table}") == len(PARTS) + 2
    assert max(line.count(" & ") for line in latex.splitlines()) <= 9


def test_a_class_that_never_occurs_is_a_dash_with_its_reason(constructed, tmp_path):
    report = report_of(constructed, tmp_path)
    reasons = dict(report.missing)
    [reason] = [reason for reason in reasons if "IoU_train" in reason]
    assert "undefined on this data" in reason
    assert len(reasons[reason]) == 15


def test_table_4_has_measured_and_published_improvements(constructed, tmp_path):
    report = report_of(constructed, tmp_path, TABLE_4)
    cells = {(r.row.method, r.row.to_scale): r.cells for r in report.rows}
    assert cells["lds", 0.0625]["improvement"].published == 24.1
    assert cells["uniform", 0.0625]["improvement"].published is None
    assert cells["uniform", 0.0625]["improvement"].measured is None
    mean = {name: cells[name, 0.125]["mIoU"].measured.value for name in ("uniform", "lds")}
    found = cells["lds", 0.125]["improvement"].measured
    assert found.value == pytest.approx(100 * (mean["lds"] / mean["uniform"] - 1))
    assert found.low < found.value < found.high
    # Uniform has no improvement, and that needs no reason.
    assert not any("%" in reason for reason, _ in report.missing)


def test_published_differences_are_from_the_baseline_of_the_same_paper(constructed, tmp_path):
    report = report_of(constructed, tmp_path, TABLE_4)
    found = {
        (p.row.method, p.row.to_scale): p.published
        for p in report.paired
        if p.column.metric == "mIoU"
    }
    assert found["lds", 0.0625] == 36 - 29
    assert found["es", 0.25] == 54 - 54
    assert found["lzu_fixed", 0.0625] == pytest.approx(26.7 - 26.4)


def test_a_method_without_a_run_in_common_has_no_improvement_and_a_reason(constructed, tmp_path):
    runs = planned(scales=(0.25,), seeds=(0,), methods=("uniform",))
    runs += planned(scales=(0.25,), seeds=(1,), methods=("lds",))
    report = report_of(constructed, tmp_path, TABLE_4, runs)
    assert dict(report.missing)["no run in common with Uniform (% of Uniform)"] == ("256 LDS",)


def test_the_table_beyond_the_paper_has_every_method_and_nothing_published(constructed, tmp_path):
    report = report_of(constructed, tmp_path, SPACES)
    text = text_table(report)
    assert len(report.rows) == 15
    assert "published" not in text
    assert max(map(len, text.splitlines())) <= 120
    [line] = [x for x in lines_of(text) if x[:2] == ["256", "LDS"] and len(x) == 7]
    assert line[5].split("±")[0] == "94.0"
    assert not report.missing


def test_figure_7_has_a_panel_of_flops(constructed, tmp_path):
    left, latency, flops = tradeoff_figure(report_of(constructed, tmp_path)).axes
    assert left.get_xlabel().endswith("RTX 2080 Ti")
    assert latency.get_xlabel().startswith("latency (ms)")
    assert flops.get_xlabel().startswith("GMAC")
    drawn = {x for line in flops.lines if line.get_marker() == "s" for x in line.get_xdata()}
    assert drawn == {3 * scale**2 for scale in (0.0625, 0.125, 0.25)}


def test_timings_without_flops_still_make_every_table_and_figure(constructed, tmp_path):
    report = report_of(constructed, tmp_path, gmac=False)
    flops = tradeoff_figure(report).axes[2]
    assert [text.get_text() for text in flops.texts] == ["nothing measured yet"]
    assert compare_at_equal_cost(report, FLOPS) == ()
    assert any("(gmac)" in reason for reason, _ in report.missing)


def test_miou_stands_against_the_distance_from_a_boundary(constructed, tmp_path):
    report = report_of(constructed, tmp_path)
    with write_bin_table(report, DISTANCE_BINS, tmp_path).open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 15 * len(LOWER)
    assert [int(row["pixels"]) for row in rows[: len(LOWER)]] == PIXELS
    assert rows[len(LOWER) - 1]["upper"] == "inf"
    figure = bin_figure(report, DISTANCE_BINS)
    assert "% of the crop's shorter side" in figure.get_supxlabel()
    counts = next(axes for axes in figure.axes if axes.patches)
    assert [text.get_text() for text in counts.texts][-3:] == ["2.4M", "2.1M", "54k"]


def test_every_comparison_has_a_caption(constructed):
    shown = (*FACTS.comparisons, *(bins.name for bins in FACTS.bins), "tables", "tables_beyond")
    for caption in shown:
        assert (constructed.repository / "workflow" / "report" / f"{caption}.rst").is_file()
