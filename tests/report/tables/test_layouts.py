"""Tables 2 and 6: the paper's shape, their own runs, and no others'."""

import csv
from dataclasses import replace

import numpy as np
import pytest

from lzu.experiments.run import SEARCH
from lzu.report.figures.search import differences, search_figure, write_search
from lzu.report.tables.forms import TEXT_WIDTH, latex_table, text_table, write_table
from lzu.report.tables.layouts import scales_grid, search_grid, searched
from lzu.report.tables.paired import tally
from lzu.tasks.detection2d.task import DETECTION2D

SEEDS = (0, 1)


def invented(run):
    """An AP from which every run can be told; Table 6's are about 20 times its amplitude's root."""
    own = dict(run.options)
    ap = 10 * run.to_scale + 4 * run.from_scale + (run.method != "uniform") + 0.1 * run.seed
    if SEARCH in run.options:
        ap += 20 + float(own.get("amplitude", 0)) ** 0.5 + 0.1 * float(own.get("fwhm", 0))
        ap += 0.5 * (run.method == "lzu_adaptive")
    return dict.fromkeys(("AP", "AP50", "AP75", "AP_S", "AP_M", "AP_L"), round(ap, 4))


@pytest.fixture
def results(constructed, tmp_path):
    """Metrics of the whole of Tables 1, 2 and 6, the latter on data of their own."""

    def write(root=tmp_path / "demo", keep=lambda run: True):
        rows = [row for table in DETECTION2D.tables for row in table.rows]
        runs = [run for run in dict.fromkeys(r for row in rows for r in row.runs("demo", SEEDS))]
        paths = []
        for run in filter(keep, runs):
            metrics = constructed.metrics_of(run, invented(run))
            if SEARCH in run.options:
                metrics["dataset"] |= {"split": "search_val", "fingerprint": "e" * 16, "images": 3}
            paths.append(constructed.write_json(root / run.path / "metrics.json", metrics))
        return paths, runs

    return write


@pytest.fixture
def reports(results, constructed):
    def make(keep=lambda run: True):
        paths, runs = results(keep=keep)
        frame = constructed.collect(paths, [])
        return [constructed.compare(frame, runs, table) for table in DETECTION2D.tables]

    return make


def test_table_2_is_the_papers_grid(reports):
    _, report, _ = reports()
    grid = scales_grid(report)
    assert grid.header == (
        "to", "from", "Uniform 0.25x", "0.5x", "0.75x", "1x", "LZU, fixed 0.25x", "0.5x",
        "0.75x", "1x",
    )  # fmt: skip
    published = [group[0] for group in grid.groups]
    # the paper's Table 2, as it is printed
    assert published == [
        ("0.25x", "published", *["10.5", "10.5", "10.5", "10.5", "11.7", "12.4", "12.4", "12.4"]),
        ("0.5x", "published", *["17.0", "22.6", "22.6", "22.6", "20.9", "24.8", "24.8", "25.2"]),
        ("0.75x", "published", *["23.5", "28.5", "29.5", "29.5", "22.5", "29.4", "30.0", "30.8"]),
        ("1x", "published", *["13.5", "28.4", "30.9", "31.9", "22.1", "30.7", "31.2", "32.6"]),
    ]
    for scale, (_, measured) in zip((0.25, 0.5, 0.75, 1), grid.groups, strict=True):
        values = [10 * scale + 4 * f + lzu + 0.05 for lzu in (0, 1) for f in (0.25, 0.5, 0.75, 1)]
        found = [float(text.split("±")[0]) for text in measured[2:]]
        assert found == pytest.approx(values, abs=0.0501)


def test_on_the_published_data_grids_have_differences(results, constructed):
    paths, runs = results()
    frame = constructed.collect(paths, []).assign(dataset_source="real")
    report = constructed.compare(frame, runs, DETECTION2D.tables[1])
    for published, measured, difference in scales_grid(report).groups:
        assert difference[1] == "difference"
        for theirs, ours, text in zip(published[2:], measured[2:], difference[2:], strict=True):
            expected = float(ours.split("±")[0]) - float(theirs)
            assert float(text) == pytest.approx(expected, abs=0.11)


def test_table_6_is_the_papers_grid(reports):
    *_, report = reports()
    grid = search_grid(report)
    assert grid.header[2:] == (
        *("LZU, fixed 4", "10", "16", "22", "LZU, adaptive 4", "10", "16", "22"),
    )
    assert [group[0] for group in grid.groups] == [
        ("1", "published", *["34.6", "34.8", "35.4", "35.7", "34.9", "36.0", "35.6", "35.5"]),
        ("5", "published", *["34.5", "34.7", "32.6", "34.6", "34.3", "35.1", "33.3", "35.1"]),
        ("10", "published", *["34.8", "34.4", "32.3", "34.5", "33.4", "34.3", "32.2", "34.0"]),
        ("50", "published", *["35.0", "33.5", "31.4", "33.7", "33.8", "33.2", "32.3", "34.2"]),
        ("100", "published", *["35.0", "33.8", "31.3", "33.2", "34.0", "33.6", "32.3", "33.7"]),
        ("Uniform", "published", "32.2", *[""] * 7),
    ]
    measured = [float(text.split("±")[0]) for text in grid.groups[2][1][2:]]
    # amplitude 10: 0.5x, from 1x, LZU, mean of two seeds, and the search's own terms
    base = 5 + 4 + 1 + 0.05 + 20 + 10**0.5
    expected = [base + 0.1 * fwhm + extra for extra in (0, 0.5) for fwhm in (4, 10, 16, 22)]
    assert measured == pytest.approx(expected, abs=0.0501)


def test_tables_keep_to_their_runs_and_data(reports):
    one, two, six = reports()
    for report in (one, two):
        assert "split val, 10 images" in " ".join(report.notes)
        cell = next(r for r in report.rows if (r.row.method, r.row.to_scale) == ("uniform", 1))
        assert cell.cells["AP"].measured.n == 2
    assert "split search_val, 3 images" in " ".join(six.notes)
    assert not one.unlisted + two.unlisted + six.unlisted
    assert all("timing" not in reason for report in (two, six) for reason, _ in report.missing)
    assert any("timing" in reason for reason, _ in one.missing)
    assert "search_split.json" in six.notes[0]
    assert "trained once" in two.notes[0]


def test_missing_cells_are_dashes_and_named(reports):
    def some(run):
        return run.from_scale != 0.25 and dict(run.options).get("amplitude") != "50"

    _, two, six = reports(some)
    line = scales_grid(two).groups[1][1]
    assert [text == "–" for text in line[2:]] == [True, False, False, False] * 2
    assert dict(two.missing)["no metrics.json of seed 0, 1"][0] == "0.25x Uniform from 0.25x"
    assert len(dict(two.missing)["no metrics.json of seed 0, 1"]) == 8
    assert set(search_grid(six).groups[3][1][2:]) == {"–"}
    names = dict(six.missing)["no metrics.json of seed 0, 1"]
    assert names[0] == "0.5x LZU, fixed amplitude=50 fwhm=4"
    maps = differences(searched(six), "measured")
    assert np.isnan(maps["lzu_fixed"][3]).all()
    assert np.isfinite(np.delete(maps["lzu_fixed"], 3, axis=0)).all()


def test_pairs_are_tallied_and_listed(reports, tmp_path):
    _, two, six = reports()
    # the invented seeds move all methods alike, so every paired difference is certain
    assert "16 suggests a gain of 16 measured comparisons (table2_paired.csv)" in tally(two)
    assert "40 suggests a gain of 40 measured comparisons (table6_paired.csv)" in tally(six)
    for report in (two, six):
        assert max(map(len, text_table(report).splitlines())) <= TEXT_WIDTH
        tex = latex_table(report)
        assert tex.count(r"\begin{tabular}") == 1
        assert tex.isascii()
        paths = write_table(report, tmp_path)
        rows = list(csv.DictReader(paths["csv"].open()))
        assert len(rows) == len(report.table.rows)
        pairs = list(csv.DictReader(paths["paired"].open()))
        keys = {tuple(list(pair.values())[: list(pair).index("metric")]) for pair in pairs}
        assert len(keys) == len(pairs) == sum(r.row.method != "uniform" for r in report.rows)
    # of the last, Table 6
    row = next(r for r in rows if (r["method"], r["amplitude"], r["fwhm"]) == (
        "lzu_adaptive", "1", "10"))  # fmt: skip
    assert float(row["AP_published"]) == 36
    pair = next(p for p in pairs if (p["amplitude"], p["fwhm"]) == ("100", "22"))
    assert float(pair["published_difference"]) == pytest.approx(33.2 - 32.2)
    assert float(pair["measured_difference"]) == pytest.approx(1 + 10 + 2.2)


def test_nothing_measured_are_published_grids(results, constructed):
    _, runs = results(keep=lambda run: False)
    for table in DETECTION2D.tables[1:]:
        report = constructed.compare(constructed.collect([], []), runs, table)
        assert "nothing measured yet" in text_table(report)
        assert "Against Uniform" not in text_table(report)


def test_heat_maps_are_differences_from_uniform(reports):
    *_, report = reports()
    published = differences(searched(report), "published")
    assert published["lzu_fixed"][0] == pytest.approx([2.4, 2.6, 3.2, 3.5])
    assert published["lzu_adaptive"][4] == pytest.approx([1.8, 1.4, 0.1, 1.5])
    measured = differences(searched(report), "measured")["lzu_fixed"]
    roots = np.sqrt([1, 5, 10, 50, 100])[:, None]
    expected = 1 + roots + 0.1 * np.array([4, 10, 16, 22])
    np.testing.assert_allclose(measured, expected, atol=1e-3)


def test_heat_map_s_panels_and_shades(reports, tmp_path):
    *_, report = reports()
    panels = [axes for axes in search_figure(report).axes if axes.images]
    titles = [axes.get_title(loc="left") for axes in panels]
    assert titles[0].startswith("Published: LZU, fixed")
    assert titles[3].startswith("Measured: LZU, adaptive")
    limits = [axes.images[0].get_clim() for axes in panels]
    assert limits[0] == limits[1] == pytest.approx((-3.8, 3.8))
    assert limits[2] == limits[3]
    assert limits[3][1] == pytest.approx(1 + 10 + 2.2 + 0.5)
    assert [text.get_text() for text in panels[0].texts][:4] == ["+2.4", "+2.6", "+3.2", "+3.5"]
    first = {form: path.read_bytes() for form, path in write_search(report, tmp_path).items()}
    assert set(first) == {"png", "pdf", "svg"}
    assert first == {f: p.read_bytes() for f, p in write_search(report, tmp_path / "b").items()}


def test_heat_map_of_nothing_measured_says_so(results, constructed):
    _, runs = results(keep=lambda run: False)
    report = constructed.compare(constructed.collect([], []), runs, DETECTION2D.tables[2])
    panels = [axes for axes in search_figure(report).axes if axes.images]
    assert "nothing yet" in panels[2].get_title(loc="left")
    assert {text.get_text() for text in panels[2].texts} == {"–"}


def test_cells_that_a_table_has_not_are_blank(reports):
    """A grid's axes are those of its rows; not every pair of them need be a row."""
    _, two, six = reports()
    for report, grid in ((two, scales_grid), (six, search_grid)):
        part = replace(report, rows=report.rows[:-1])
        whole, fewer = grid(report), grid(part)
        assert whole.header == fewer.header
        last = {"scales": -1, "search": -2}[report.table.layout]
        assert fewer.groups[last][0][-1] == ""
        assert whole.groups[last][0][:-1] == fewer.groups[last][0][:-1]


def test_a_search_needs_the_baseline_and_two_options(reports):
    one, _, six = reports()
    with pytest.raises(ValueError, match="baseline and two options"):
        searched(replace(six, rows=six.rows[1:]))
    with pytest.raises(ValueError, match="baseline and two options"):
        searched(one)
