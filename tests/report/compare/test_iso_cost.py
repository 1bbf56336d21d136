"""Comparison at equal latency: hand-made fronts, ends, pairs of seeds, and what is written."""

import csv
from dataclasses import replace

import pytest

from lzu.experiments.tables import Column
from lzu.report.compare.iso_cost import FLOPS, LATENCY, Model, compare_at_equal_cost, interpolated
from lzu.report.compare.uncertainty import Scores
from lzu.report.figures.iso_cost import iso_cost_figure, write_iso_cost_figure
from lzu.report.tables.iso_cost import write_iso_cost_table
from lzu.results.statistics import mean_interval
from lzu.tasks.detection2d.tables import TABLE_1
from tests.report.compare.conftest import edit_json

# Of the constructed files: a uniform model at scale s takes 100 s^1.5 + 0.5 ms, LZU adds 1.0.
QUARTER, HALF, THREE = (100 * s**1.5 + 0.5 for s in (0.25, 0.5, 0.75))


@pytest.fixture
def report(suite_files, planned, constructed):
    return constructed.compare(constructed.collect(*suite_files), planned)


def found(report, scale, metric="AP", published=False, protocol="latency_ms", method="lzu_fixed"):
    [result] = [
        r
        for r in compare_at_equal_cost(report)
        if (r.row.method, r.row.to_scale, r.column.metric) == (method, scale, metric)
        and (r.published, r.protocol) == (published, protocol)
    ]
    return result


def test_published_values_are_interpolated_by_hand(report):
    """Uniform: 23.3 ms 10.5 AP, 36.0 22.6, 62.9 29.5, 98.3 31.9."""
    result = found(report, 0.5, published=True)
    uniform = 22.6 + (36.4 - 36.0) / (62.9 - 36.0) * (29.5 - 22.6)
    assert result.baseline == pytest.approx(uniform)
    assert result.estimate.value == pytest.approx(25.2 - uniform)
    assert result.estimate.low is None
    assert result.contrast is None
    slow = found(report, 1.0, published=True)
    assert (slow.cost, slow.difference, slow.baseline) == (99.3, None, None)
    assert "slower than the front's slowest model of Uniform (98.3 ms)" in slow.reason


def test_seeds_are_interpolated_and_paired_one_by_one(report, planned, constructed):
    result = found(report, 0.5)
    weight = 1.0 / (THREE - HALF)
    values = {
        (run.method, run.to_scale, run.seed): constructed.invented_metrics(run)["AP"]
        for run in planned
    }
    differences = [
        values["lzu_fixed", 0.5, seed]
        - (1 - weight) * values["uniform", 0.5, seed]
        - weight * values["uniform", 0.75, seed]
        for seed in (0, 1, 2)
    ]
    expected = mean_interval(differences)
    assert result.cost == pytest.approx(HALF + 1)
    assert result.estimate.value == pytest.approx(expected.value)
    assert result.estimate.low == pytest.approx(expected.low)
    assert result.value - result.baseline == pytest.approx(expected.value)
    assert result.contrast.verdict == "suggests a gain"
    assert found(report, 0.25).contrast.verdict == "suggests a loss"
    assert found(report, 0.5, "AP_S").contrast is None
    # end to end a constant is added to all, and LZU's own added time with it
    whole = found(report, 0.5, protocol="end_to_end_ms")
    assert whole.difference.value == pytest.approx(expected.value, abs=0.2)
    assert found(report, 0.75).difference is None
    metrics = {r.column.metric for r in compare_at_equal_cost(report) if not r.published}
    assert metrics == {"AP", "AP50", "AP75", "AP_S", "AP_M"}


def test_only_seeds_that_all_three_models_have_count(suite_files, planned, constructed):
    metrics = [path for path in suite_files[0] if "uniform/1-0.75/seed2" not in path.as_posix()]
    files = constructed.collect(metrics, suite_files[1])
    result = found(constructed.compare(files, planned), 0.5)
    assert result.difference.n == 2
    assert result.value - result.baseline == pytest.approx(result.difference.value)


def test_a_dominated_uniform_model_does_not_count(suite_files, planned, constructed):
    """With 0.5x better than 0.75x, the front ends there, and 0.5x LZU has nothing to compare."""
    files = constructed.collect(*suite_files)
    better = (files["method"] == "uniform") & (files["to_scale"] == 0.5) & (files["metric"] == "AP")
    files.loc[better, "value"] = 90.0
    result = found(constructed.compare(files, planned), 0.5)
    assert "slower than the front's slowest" in result.reason
    assert f"({HALF:.1f} ms)" in result.reason


def test_without_uniform_models_there_is_nothing_to_compare_with(constructed, tmp_path):
    runs = constructed.runs_of({"lzu_fixed": (0.5,)}, (0,))
    files = constructed.collect(*constructed.write_suite(tmp_path, runs))
    result = found(constructed.compare(files, runs), 0.5)
    assert result.reason == "no model of Uniform with a value and a latency"


def test_a_variant_of_a_method_meets_the_same_uniform_models(planned, constructed, tmp_path):
    """Its options are the method's, not the data's."""
    own = [run for run in planned if (run.method, run.to_scale) == ("lzu_fixed", 0.5)]
    variant = [replace(run, options=(("fwhm", "10"),)) for run in own]
    runs = [*planned, *variant]
    files = constructed.collect(*constructed.write_suite(tmp_path, runs))
    both = [
        r
        for r in compare_at_equal_cost(constructed.compare(files, runs))
        if (r.row.method, r.row.to_scale, r.column.metric) == ("lzu_fixed", 0.5, "AP")
        and (r.published, r.protocol) == (False, "latency_ms")
    ]
    assert [r.row.options for r in both] == [(), (("fwhm", "10"),)]
    assert both[0].baseline == both[1].baseline
    assert both[1].difference is not None


def test_no_comparison_was_declared_so_all_are_corrected(report):
    measured = [r for r in compare_at_equal_cost(report) if r.contrast]
    # two scales by two kinds of latency
    assert len(measured) == 4
    assert not any(result.contrast.primary for result in measured)
    assert min(result.contrast.level for result in measured) == 0.0125


def test_a_front_is_met_exactly_at_its_points():
    def model(latency, *values):
        return Model(latency, Scores({("a", seed): value for seed, value in enumerate(values)}))

    front = [model(10.0, 1.0, 2.0), model(20.0, 3.0, 6.0), model(30.0, 9.0)]
    for latency, values in ((10.0, (1, 2)), (20.0, (3, 6)), (12.5, (1.5, 3)), (25.0, (6,))):
        expected = {("a", seed): value for seed, value in enumerate(values)}
        assert interpolated(front, latency).values == expected
    apart = [front[0], Model(20.0, Scores({("b", 0): 1.0}))]
    assert interpolated(apart, 15.0) is None


def test_leave_one_out_values_are_interpolated_too():
    run, other = ("a", 0), ("a", 1)
    below = Scores({run: 1.0, other: 1.0}, {run: (0.0, 2.0), other: (1.0, 1.0)})
    above = Scores({run: 3.0, other: 5.0}, {run: (2.0, 8.0)})
    found = interpolated([Model(10.0, below), Model(20.0, above)], 15.0)
    assert found == Scores({run: 2.0, other: 3.0}, {run: (1.0, 5.0)})


def test_the_table_is_written_in_every_form(report, tmp_path):
    paths = write_iso_cost_table(report, LATENCY, tmp_path)
    text = paths["txt"].read_text()
    assert max(map(len, text.splitlines())) <= 120
    assert "Nothing is extrapolated" in " ".join(text.split())
    lines = [line.split() for line in text.splitlines()]
    published = next(line for line in lines if line[:4] == ["0.5x", "LZU,", "fixed", "published"])
    assert published[4:] == ["36.4", "25.2", "22.7", "+2.5"]
    measured = lines[lines.index(published) + 1]
    assert measured[0] == "measured"
    assert measured[-4:] == ["3", "suggests", "a", "gain"]
    assert "slower than the front's slowest model of Uniform (98.3 ms): 1x LZU" in text
    assert r"\toprule" in paths["tex"].read_text()
    assert "| 0.5x LZU, fixed | published |" in paths["md"].read_text()
    with paths["csv"].open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    [row] = [
        row
        for row in rows
        if (row["to"], row["method"], row["metric"]) == ("0.5", "lzu_fixed", "AP_S")
        and (row["source"], row["latency"]) == ("measured", "end_to_end_ms")
    ]
    assert float(row["low"]) < float(row["difference"]) < float(row["high"])
    gap = next(row for row in rows if row["reason"])
    assert gap["difference"] == ""


def test_the_figure_shows_differences_and_gaps(report, tmp_path):
    published, measured, whole = iso_cost_figure(report, LATENCY).axes
    names = [label.get_text() for label in published.get_yticklabels()]
    assert names[0] == "0.25x LZU, fixed"
    assert len(names) == 10
    drawn = {
        (round(float(line.get_xdata()[0]), 6), int(line.get_ydata()[0]))
        for line in measured.lines
        if line.get_marker() == "s"
    }
    expected = {
        (round(found(report, scale).difference.value, 6), names.index(f"{scale:g}x LZU, fixed"))
        for scale in (0.25, 0.5)
    }
    assert drawn == expected
    assert [(text.get_text(), text.get_position()) for text in whole.texts] == [
        ("out of range", (0.98, names.index("0.75x LZU, fixed")))
    ]
    paths = write_iso_cost_figure(report, LATENCY, tmp_path)
    assert set(paths) == {"png", "pdf", "svg"}


def test_nothing_measured_is_said(planned, constructed, tmp_path):
    empty = constructed.compare(constructed.collect([], []), planned)
    axes = iso_cost_figure(empty, LATENCY).axes
    assert [text.get_text() for text in axes[1].texts] == ["nothing measured yet"]
    assert "nothing yet" in write_iso_cost_table(empty, LATENCY, tmp_path)["txt"].read_text()


@pytest.fixture
def counted(suite_files, planned, constructed):
    """With multiply-accumulates: 8 s^2 of a uniform model, and 0.5 more of LZU."""
    for path in suite_files[1]:
        edit_json(path, count)
    table = replace(TABLE_1, columns=(*TABLE_1.columns, Column("gmac", "GMAC", "timing")))
    return constructed.compare(constructed.collect(*suite_files), planned, table)


def count(timing):
    run = timing["run"]
    timing["shapes"]["gmac"] = 8 * run["to"] ** 2 + 0.5 * (run["method"] == "lzu_fixed")


def test_equal_flops_are_compared_like_equal_latency(counted, planned, constructed):
    [result] = [
        r
        for r in compare_at_equal_cost(counted, FLOPS)
        if (r.row.method, r.row.to_scale, r.column.metric) == ("lzu_fixed", 0.5, "AP")
    ]
    assert (result.published, result.cost) == (False, 2.5)
    weight = 0.5 / (8 * 0.75**2 - 2)
    values = {
        (run.method, run.to_scale, run.seed): constructed.invented_metrics(run)["AP"]
        for run in planned
    }
    expected = mean_interval(
        [
            values["lzu_fixed", 0.5, seed]
            - (1 - weight) * values["uniform", 0.5, seed]
            - weight * values["uniform", 0.75, seed]
            for seed in (0, 1, 2)
        ]
    )
    assert result.estimate.value == pytest.approx(expected.value)
    assert result.estimate.low == pytest.approx(expected.low)


def test_equal_flops_have_a_table_and_a_figure_of_their_own(counted, tmp_path):
    paths = write_iso_cost_table(counted, FLOPS, tmp_path)
    assert paths["csv"].name == "detection2d_iso_flops.csv"
    text = paths["txt"].read_text()
    assert text.startswith("AP against Uniform at the same FLOPs: measured on synthetic data")
    assert "heavier than the front's heaviest model of Uniform (4.500 GMAC): 0.75x LZU" in text
    assert "latenc" not in text
    with paths["csv"].open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert {(row["source"], row["flops"]) for row in rows} == {("measured", "gmac")}
    assert {row["flops_gmac"] for row in rows} == {"1.0", "2.5", "5.0"}
    [axes] = iso_cost_figure(counted, FLOPS).axes
    assert axes.get_title(loc="left") == "Measured"
    assert write_iso_cost_figure(counted, FLOPS, tmp_path)["svg"].name == "iso_flops.svg"


def test_timings_without_flops_are_left_out(report):
    assert compare_at_equal_cost(report, FLOPS) == ()
