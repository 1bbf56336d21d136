"""The smoke suite from nothing, and what a second look at its results does."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

pytest.importorskip("mmdet")
pytest.importorskip("snakemake")

from lzu.experiments.paths import ANALYSIS_FIGURES
from lzu.experiments.run import ADAPTIVE
from lzu.files import read_json
from lzu.results.schema import read_level_error, read_metrics, read_timing
from tests.workflow.test_plans import jobs

SNAKEMAKE = Path(sys.executable).with_name("snakemake")


@pytest.fixture(scope="module")
def folder(request, tmp_path_factory):
    """A working folder of its own, so that nobody's results are touched."""
    root = request.config.rootpath
    folder = tmp_path_factory.mktemp("workflow")
    (folder / "results").mkdir()
    (folder / "results" / "published").symlink_to(root / "results" / "published")
    (folder / "config").symlink_to(root / "config")
    return folder


@pytest.fixture(scope="module")
def snakemake(request, folder):
    def run(*arguments):
        command = [SNAKEMAKE, "--cores", os.cpu_count()]
        if "--configfile" not in arguments:
            command += ["--configfile", "config/smoke.yaml"]
        command += ["--snakefile", request.config.rootpath / "Snakefile"]
        command += ["--directory", folder]
        command += ["--workflow-profile", request.config.rootpath / "profiles" / "default"]
        done = subprocess.run(
            [*map(str, command), *map(str, arguments)], capture_output=True, text=True, cwd=folder
        )
        text = done.stdout + done.stderr
        assert done.returncode == 0, text[-6000:]
        return text

    return run


@pytest.fixture(scope="module")
def smoke(folder, snakemake):
    """The results of the smoke suite."""
    snakemake()
    return folder / "results" / "smoke"


def test_every_result_file_passes_its_schema(smoke):
    metrics = sorted(smoke.glob("runs/**/metrics.json"))
    timings = sorted(smoke.glob("timing/**/*.json"))
    # Table 1: two methods at two scales, four at one, two seeds; Table 2: two methods at two scales
    # from another than 1x; Table 6: a corner of 2x2 for two methods, and uniform.
    assert len(metrics) == 2 * (2 * 2 + 4) + 2 * 2 + (2 * 4 + 1)
    assert len(timings) == 2 * 2 + 4
    contents = [read_metrics(path) for path in metrics]
    assert {c["dataset"]["source"] for c in contents} == {"synthetic"}
    assert {c["training"]["initial_weights"] for c in contents} == {"scratch"}
    assert len(read_level_error(smoke / "analysis" / "level_error.json")["readings"]) == 12
    for path in timings:
        timing = read_timing(path)
        added = timing["summary"]["added_ms"]
        method = timing["run"]["method"]
        assert (added == 0) == (method == "uniform")
        assert ("previous_boxes" in timing["shapes"]) == (method in ADAPTIVE)


def test_tables_and_figures_are_made(smoke):
    metrics = smoke.glob("runs/**/metrics.json")
    table = (smoke / "tables" / "table1.txt").read_text()
    assert "published" in table
    assert "measured" in table
    assert "synthetic" in table
    for method in ("FOVEA", "LZU, adaptive", "LZU, learned"):
        assert method in table
    for name in ("table1", "table2", "table6", "eq18"):
        for form in ("csv", "md", "tex", "txt"):
            assert (smoke / "tables" / f"{name}.{form}").stat().st_size > 100
    assert (smoke / "figures" / "table6_search.png").stat().st_size > 10_000
    assert (smoke / "figures" / "figure7_detection2d.png").stat().st_size > 10_000
    for name in ("iso_latency", "size_bins"):
        assert (smoke / "figures" / f"{name}.png").stat().st_size > 10_000
    assert "LZU, learned" in (smoke / "tables" / "iso_latency.txt").read_text()
    sizes = pd.read_csv(smoke / "tables" / "size_bins.csv")
    assert set(sizes["method"]) == {read_metrics(p)["run"]["method"] for p in metrics}
    assert sizes["AP"].notna().equals(sizes["boxes"] > 0)
    assert list(smoke.glob("priors/detection2d/*.png"))
    for name in ANALYSIS_FIGURES:
        for form in ("png", "pdf", "svg"):
            assert (smoke / "figures" / f"{name}.{form}").stat().st_size > 10_000
    assert "0.0274" in (smoke / "tables" / "eq18.txt").read_text()


def test_tables_2_and_6_have_no_gap_in_what_is_planned(smoke):
    """Of every other cell it is said that it is not planned."""
    for name, cells, planned in (("table2", 32, 8), ("table6", 41, 9)):
        rows = list(csv.DictReader((smoke / "tables" / f"{name}.csv").open()))
        assert len(rows) == cells
        assert sum(bool(row["AP_measured"]) for row in rows) == planned
        assert "no metrics.json" not in (smoke / "tables" / f"{name}.txt").read_text()


def test_table_2_evaluates_the_weights_of_table_1(smoke):
    """From a quarter the same weights see another image; trained there they were not."""
    folder = smoke / "runs" / "detection2d" / "lzu_fixed"
    for seen in ("0.25", "0.5"):
        given = folder / f"0.25-{seen}" / "seed0"
        assert {path.name for path in given.iterdir()} == {"predictions.json", "metrics.json"}
        own, trained = (
            read_metrics(f / "metrics.json") for f in (given, folder / f"1-{seen}/seed0")
        )
        assert own["config_hash"] == trained["config_hash"]
        assert own["run"] == {**trained["run"], "from": 0.25}
        detections = [
            (f / "predictions.json").read_bytes() for f in (given, folder / f"1-{seen}/seed0")
        ]
        assert detections[0] != detections[1]


def test_the_search_keeps_to_its_split(smoke):
    record = read_json(smoke / "data" / "argoverse_hd" / "search_split.json")
    found = list((smoke / "runs").glob("detection2d/*/1-0.5/*split=search/seed0/metrics.json"))
    # uniform, and the corner of each method
    assert len(found) == 1 + 4 + 4
    for path in found:
        dataset = read_metrics(path)["dataset"]
        assert dataset["split"] == "search_val"
        assert dataset["fingerprint"] == record["val"]["fingerprint"]
        assert dataset["images"] == record["val"]["images"] == 6


def test_pictures_of_frames_are_made(smoke):
    for form in ("png", "pdf", "svg"):
        path = smoke / "figures" / f"figure6_detection2d_lzu_fixed_1-0.5_seed0.{form}"
        assert path.stat().st_size > 10_000
    scores = (smoke / "figures" / "figure6_detection2d_lzu_fixed_1-0.5_seed0.csv").read_text()
    assert scores.count("\n") == 7
    for form in ("gif", "npz"):
        path = smoke / "streams" / f"detection2d_lzu_adaptive_1-0.5_seed0_0.{form}"
        assert path.stat().st_size > 10_000


def test_a_second_run_has_nothing_to_do(smoke, snakemake):
    assert "Nothing to be done" in snakemake()


def test_deleting_metrics_rescores_and_does_not_retrain(smoke, snakemake):
    path = next(smoke.glob("runs/**/metrics.json"))
    before = read_metrics(path)["metrics"]
    path.unlink()
    planned = jobs(snakemake("-n"))
    assert planned.pop("score") == 1
    assert set(planned) == {"collect", "tables", "figures", "all"}
    snakemake()
    assert read_metrics(path)["metrics"] == before


def test_the_report_is_built_offline(smoke, snakemake):
    snakemake("--report", smoke / "report.zip")
    assert (smoke / "report.zip").stat().st_size > 50_000


def test_a_changed_setting_reruns_what_uses_it_and_no_more(
    request, folder, smoke, snakemake, tmp_path
):
    """Timing again does not retrain; another learning rate retrains its method's runs alone."""
    text = (request.config.rootpath / "config" / "smoke.yaml").read_text()

    def planned(old, new):
        assert old in text
        path = tmp_path / "smoke.yaml"
        path.write_text(text.replace(old, new))
        return jobs(snakemake("-n", "--configfile", path))

    assert planned("rounds: 5", "rounds: 6") == {
        "time": 1, "collect": 1, "tables": 1, "figures": 1, "all": 1
    }  # fmt: skip
    assert planned("seeds: [0, 1]", "prior: {fwhm: 16}\n  seeds: [0, 1]")["analysis"] == 1
    fixed = "lzu_fixed: {scales: [0.25, 0.5], learning_rate: 0.01}"
    retrained = planned(fixed, fixed.replace("0.01", "0.02"))
    # two scales and two seeds, and the search's corner; Table 2 evaluates two of them once more
    assert retrained["train"] == 4 + 4
    assert retrained["predict"] == retrained["score"] == 4 + 4 + 2
    assert "prepare" not in retrained
    assert "prior" not in retrained
    assert "analysis" not in retrained
    assert planned("score_threshold: 0.005", "score_threshold: 0.5")["train"] == 4 + 4
    split = planned("validation_share: 0.5", "validation_share: 0.4")
    assert split["split"] == split["search_priors"] == 1
    assert split["train"] == 9
    assert "prior" not in split
    wider = planned("fwhms: [4, 22]", "fwhms: [4, 16, 22]")
    assert wider["train"] == 4
    assert not {"split", "search_priors"} & set(wider)


def test_a_missing_result_is_made_even_if_settings_changed(request, smoke, snakemake, tmp_path):
    """Snakemake once planned nothing but the settings' own rule here."""
    path = tmp_path / "smoke.yaml"
    text = (request.config.rootpath / "config" / "smoke.yaml").read_text()
    path.write_text(text.replace("rounds: 5", "rounds: 6"))
    metrics = next(smoke.glob("runs/**/metrics.json"))
    kept = metrics.read_bytes()
    metrics.unlink()
    try:
        planned = jobs(snakemake("-n", "--configfile", path))
    finally:
        metrics.write_bytes(kept)
    assert planned["score"] == 1
    assert "train" not in planned
