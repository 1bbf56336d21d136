"""Tables 2 and 6: the paper's shape, their own runs, and no others'."""

import csv
import os
import re
import shutil
import subprocess

import numpy as np
import pytest
import yaml

from lzu.experiments.config import parse_suite
from lzu.experiments.paths import Paths
from lzu.experiments.plan import evaluated_runs
from lzu.experiments.registry import TABLE_2, TABLE_6, TABLES
from lzu.experiments.run import SEARCH
from lzu.report.compare.comparison import compare
from lzu.report.figures.search import differences, search_figure, write_search
from lzu.report.suite import keep
from lzu.report.tables.forms import TEXT_WIDTH, latex_table, text_table, write_table
from lzu.report.tables.layouts import table2_grid, table6_grid, tally
from lzu.results.collect import collect

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
        rows = [row for table in TABLES.values() for row in table.rows]
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
        frame = collect(paths, [])
        return [compare(n, "demo", frame, constructed.published, runs) for n in TABLES]

    return make


def test_table_2_is_the_papers_grid(reports):
    _, report, _ = reports()
    grid = table2_grid(report)
    assert grid.header == (
        "to", "from", "Uniform 0.25x", "0.5x", "0.75x", "1x", "LZU 0.25x", "0.5x", "0.75x", "1x"
    )  # fmt: skip
    published = [group[0] for group in grid.groups]
    # the paper's Table 2, as it is printed
    assert published == [
        ("0.25x", "published", *["10.5", "10.5", "10.5", "10.5", "11.7", "12.4", "12.4", "12.4"]),
        ("0.5x", "published", *["17.0", "22.6", "22.6", "22.6", "20.9", "24.8", "24.8", "25.2"]),
        ("0.75x", "published", *["23.5", "28.5", "29.5", "29.5", "22.5", "29.4", "30.0", "30.8"]),
        ("1x", "published", *["13.5", "28.4", "30.9", "31.9", "22.1", "30.7", "31.2", "32.6"]),
    ]
    for scale, (theirs, measured, difference) in zip(
        (0.25, 0.5, 0.75, 1), grid.groups, strict=True
    ):
        values = [10 * scale + 4 * f + lzu + 0.05 for lzu in (0, 1) for f in (0.25, 0.5, 0.75, 1)]
        found = [float(text.split("±")[0]) for text in measured[2:]]
        assert found == pytest.approx(values, abs=0.0501)
        expected = [ours - float(text) for ours, text in zip(values, theirs[2:], strict=True)]
        assert [float(text) for text in difference[2:]] == pytest.approx(expected, abs=0.0501)


def test_table_6_is_the_papers_grid(reports):
    *_, report = reports()
    grid = table6_grid(report)
    assert grid.header[2:] == ("fixed 4", "10", "16", "22", "adaptive 4", "10", "16", "22")
    assert [group[0] for group in grid.groups] == [
        ("1", "published", *["34.6", "34.8", "35.4", "35.7", "34.9", "36.0", "35.6", "35.5"]),
        ("5", "published", *["34.5", "34.7", "32.6", "34.6", "34.3", "35.1", "33.3", "35.1"]),
        ("10", "published", *["34.8", "34.4", "32.3", "34.5", "33.4", "34.3", "32.2", "34.0"]),
        ("50", "published", *["35.0", "33.5", "31.4", "33.7", "33.8", "33.2", "32.3", "34.2"]),
        ("100", "published", *["35.0", "33.8", "31.3", "33.2", "34.0", "33.6", "32.3", "33.7"]),
        ("uniform", "published", "32.2", *[""] * 7),
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
    line = table2_grid(two).groups[1][1]
    assert [text == "–" for text in line[2:]] == [True, False, False, False] * 2
    assert dict(two.missing)["no metrics.json of seed 0, 1"][0] == "0.25x Uniform from 0.25x"
    assert len(dict(two.missing)["no metrics.json of seed 0, 1"]) == 8
    assert set(table6_grid(six).groups[3][1][2:]) == {"–"}
    names = dict(six.missing)["no metrics.json of seed 0, 1"]
    assert names[0] == "0.5x LZU, fixed amplitude=50 fwhm=4"
    maps = differences(six, "measured")
    assert np.isnan(maps["lzu_fixed"][3]).all()
    assert np.isfinite(np.delete(maps["lzu_fixed"], 3, axis=0)).all()


def test_pairs_are_tallied_and_listed(reports, tmp_path):
    _, two, six = reports()
    # the invented seeds move all methods alike, so every paired difference is certain
    assert "16 win, 0 loss, 0 undecided of 16 measured cells" in tally(two)
    assert "40 win, 0 loss, 0 undecided of 40 measured cells" in tally(six)
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
    for name in ("table2", "table6"):
        report = compare(name, "demo", collect([], []), constructed.published, runs)
        assert "nothing measured yet" in text_table(report)
        assert "LZU against" not in text_table(report)


def test_heat_maps_are_differences_from_uniform(reports):
    *_, report = reports()
    published = differences(report, "published")
    assert published["lzu_fixed"][0] == pytest.approx([2.4, 2.6, 3.2, 3.5])
    assert published["lzu_adaptive"][4] == pytest.approx([1.8, 1.4, 0.1, 1.5])
    measured = differences(report, "measured")["lzu_fixed"]
    roots = np.sqrt([1, 5, 10, 50, 100])[:, None]
    expected = 1 + roots + 0.1 * np.array([4, 10, 16, 22])
    np.testing.assert_allclose(measured, expected, atol=1e-3)


def test_heat_map_s_panels_and_shades(reports, tmp_path):
    *_, report = reports()
    panels = [axes for axes in search_figure(report).axes if axes.images]
    titles = [axes.get_title(loc="left") for axes in panels]
    assert titles[0].startswith("Published: fixed")
    assert titles[3].startswith("Measured: adaptive")
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
    report = compare("table6", "demo", collect([], []), constructed.published, runs)
    panels = [axes for axes in search_figure(report).axes if axes.images]
    assert "nothing yet" in panels[2].get_title(loc="left")
    assert {text.get_text() for text in panels[2].texts} == {"–"}


def test_tables_rebuild_from_kept_results_without_torch(
    results, constructed, tmp_path, blocked_torch
):
    results(root=tmp_path / "measured" / "demo" / "constructed")
    (tmp_path / "published").symlink_to(constructed.published)
    settings = yaml.safe_load((constructed.repository / "config" / "demo.yaml").read_text())
    paper = yaml.safe_load((constructed.repository / "config" / "paper.yaml").read_text())
    settings["detection2d"] |= {
        key: paper["detection2d"][key] for key in ("methods", "upsampling", "search", "schedule")
    }
    config = tmp_path / "demo.yaml"
    config.write_text(yaml.safe_dump(settings))
    code = "import sys; from lzu.cli import main; sys.exit(main(sys.argv[1:]))"
    for verb in ("collect", "tables", "figures"):
        command = [*blocked_torch(code), verb, "--config", config, "--results", tmp_path]
        done = subprocess.run(
            [*map(str, command), "--mode", "cached"],
            capture_output=True,
            text=True,
            cwd=constructed.repository,
            env={**os.environ, "PYTHONPATH": str(constructed.repository)},
        )
        assert done.returncode == 0, done.stderr
    tables = tmp_path / "demo" / "tables"
    for table in (TABLE_2, TABLE_6):
        rows = list(csv.DictReader((tables / f"{table.name}.csv").open()))
        assert all(row["AP_measured"] for row in rows)
        assert len(rows) == len(table.rows)
    assert re.search(r"uniform +published +32\.2", (tables / "table6.txt").read_text())
    assert (tmp_path / "demo" / "figures" / "table6_search.png").stat().st_size > 10_000
    shutil.rmtree(tmp_path / "demo")


def test_what_is_kept_of_a_search_tells_its_split(constructed, tmp_path):
    methods = {m: {"scales": [], "learning_rate": 0.01} for m in ("uniform", "lzu_fixed")}
    search = {"methods": ["lzu_fixed"], "amplitudes": [1], "fwhms": [4, 22], "seeds": [0, 2]}
    settings = {"dataset": {"root": "x"}, "methods": methods, "search": search}
    suite = parse_suite({"suite": "demo", "detection2d": settings}, "x")
    paths = Paths(suite, tmp_path)
    runs = evaluated_runs(suite)
    assert len(runs) == 2 * (2 + 1)
    for run in runs:
        path = paths.run(run, "metrics.json")
        constructed.write_json(path, constructed.metrics_of(run, invented(run)))
    constructed.write_json(paths.search_split, {"seed": 0})
    keep(suite, paths)
    folder = paths.measured / "constructed"
    kept = {path.relative_to(folder).as_posix() for path in folder.rglob("*.json")}
    assert kept == {f"{run.path}/metrics.json" for run in runs} | {
        "data/argoverse_hd/search_split.json"
    }


def test_keeping_removes_what_was_kept_earlier_of_the_same_machine(constructed, tmp_path):
    methods = {m: {"scales": [], "learning_rate": 0.01} for m in ("uniform", "lzu_fixed")}
    search = {"methods": ["lzu_fixed"], "amplitudes": [1], "fwhms": [4, 22], "seeds": [0]}
    settings = {"dataset": {"root": "x"}, "methods": methods, "search": search}

    def keep_some(fwhms):
        search["fwhms"] = fwhms
        suite = parse_suite({"suite": "demo", "detection2d": settings}, "x")
        paths, runs = Paths(suite, tmp_path), evaluated_runs(suite)
        for run in runs:
            metrics = constructed.metrics_of(run, invented(run))
            constructed.write_json(paths.run(run, "metrics.json"), metrics)
        constructed.write_json(paths.search_split, {"seed": 0})
        keep(suite, paths)
        found = paths.measured.rglob("*.json")
        return {p.relative_to(paths.measured).as_posix() for p in found}, runs

    elsewhere = tmp_path / "measured" / "demo" / "other" / "runs" / "metrics.json"
    constructed.write_json(elsewhere, {})
    keep_some([4, 22])
    for stale in ("timing/detection2d/uniform/1-0.25.json", "analysis/level_error.json"):
        constructed.write_json(tmp_path / "measured" / "demo" / "constructed" / stale, {})
    kept, runs = keep_some([4])
    assert len(runs) == 2
    assert kept == {f"constructed/{r.path}/metrics.json" for r in runs} | {
        "constructed/data/argoverse_hd/search_split.json",
        "other/runs/metrics.json",
    }
    folders = [p for p in (tmp_path / "measured").rglob("*") if p.is_dir()]
    assert all(any(folder.iterdir()) for folder in folders)
