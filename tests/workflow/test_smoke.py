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

from lzu.experiments.methods import METHODS
from lzu.experiments.paths import ANALYSIS_FIGURES
from lzu.files import read_json
from lzu.results.schema import read_level_error, read_timing
from lzu.results.schema import read_metrics as read_metrics_of
from lzu.tasks import TASKS
from tests.workflow.finished import jobs

SNAKEMAKE = Path(sys.executable).with_name("snakemake")


def read_metrics(path):
    return read_metrics_of(path, TASKS[read_json(path)["run"]["task"]])


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
    metrics = sorted(smoke.glob("runs/detection2d/**/metrics.json"))
    timings = sorted(smoke.glob("timing/detection2d/**/*.json"))
    # Table 1: two methods at two scales, four at one, two seeds; Table 2: two methods at two scales
    # from another than 1x; Table 6: a corner of 2x2 for two methods, and uniform.
    assert len(metrics) == 2 * (2 * 2 + 4) + 2 * 2 + (2 * 4 + 1)
    assert len(timings) == 2 * 2 + 4
    contents = [read_metrics(path) for path in metrics]
    assert {c["dataset"]["source"] for c in contents} == {"synthetic"}
    assert {c["training"]["initial_weights"] for c in contents} == {"scratch"}
    assert (
        len(read_level_error(smoke / "analysis" / "detection2d" / "level_error.json")["readings"])
        == 12
    )
    for path in timings:
        timing = read_timing(path)
        added = timing["summary"]["added_ms"]
        method = timing["run"]["method"]
        assert (added == 0) == (method == "uniform")
        assert ("previous_boxes" in timing["shapes"]) == METHODS[method].follows_frames


def test_tables_and_figures_are_made(smoke):
    metrics = smoke.glob("runs/detection2d/**/metrics.json")
    table = (smoke / "tables" / "table1.txt").read_text()
    assert "published" in table
    assert "measured" in table
    assert "synthetic" in table
    for method in ("FOVEA", "LZU, adaptive", "LZU, learned"):
        assert method in table
    for name in ("table1", "table2", "table6", "detection2d_eq18"):
        for form in ("csv", "md", "tex", "txt"):
            assert (smoke / "tables" / f"{name}.{form}").stat().st_size > 100
    figures = smoke / "figures" / "detection2d"
    for name in ("figure7", "figure7_end_to_end", "iso_latency", "size_bins", "table6_search"):
        assert (figures / f"{name}.png").stat().st_size > 10_000
    assert "LZU, learned" in (smoke / "tables" / "detection2d_iso_latency.txt").read_text()
    sizes = pd.read_csv(smoke / "tables" / "detection2d_size_bins.csv")
    assert set(sizes["method"]) == {read_metrics(p)["run"]["method"] for p in metrics}
    assert sizes["value"].notna().equals(sizes["boxes"] > 0)
    assert list(smoke.glob("priors/detection2d/train/*.png"))
    for name in ANALYSIS_FIGURES:
        for form in ("png", "pdf", "svg"):
            assert (figures / f"{name}.{form}").stat().st_size > 10_000
    assert "0.0274" in (smoke / "tables" / "detection2d_eq18.txt").read_text()


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
        assert own["stamp"] == trained["stamp"]
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
        path = smoke / "figures" / "detection2d" / f"figure6_lzu_fixed_1-0.5_seed0.{form}"
        assert path.stat().st_size > 10_000
    scores = (smoke / "figures" / "detection2d" / "figure6_lzu_fixed_1-0.5_seed0.csv").read_text()
    assert scores.count("\n") == 13
    figures = smoke / "figures" / "segmentation"
    for name in ("figure6_lzu_fixed_1-0.25_seed0", "figure11_1-0.25"):
        for form in ("png", "pdf", "svg"):
            assert (figures / f"{name}.{form}").stat().st_size > 10_000
    assert (figures / "figure6_lzu_fixed_1-0.25_seed0.csv").read_text().count("\n") == 5
    rows = list(csv.DictReader((figures / "figure11_1-0.25.csv").open()))
    assert [row["method"] for row in rows] == ["lzu_fixed", "lzu_learned", "lds", "es"]
    for form in ("gif", "npz"):
        path = smoke / "streams" / "detection2d" / f"lzu_adaptive_1-0.5_seed0_0.{form}"
        assert path.stat().st_size > 10_000


def test_segmentation_is_scored_timed_and_told_of(smoke):
    metrics = sorted(smoke.glob("runs/segmentation/**/metrics.json"))
    # two methods at two scales, one of them with two seeds, and three methods at one
    assert len(metrics) == 2 * 3 + 3
    contents = [read_metrics(path) for path in metrics]
    assert {c["dataset"]["source"] for c in contents} == {"synthetic"}
    for content in contents:
        by_class = [v for k, v in content["metrics"].items() if k.startswith("IoU_")]
        known = [value for value in by_class if value is not None]
        assert len(by_class) == 19
        assert content["metrics"]["mIoU"] == pytest.approx(sum(known) / len(known), abs=1e-3)
        assert content["metrics"]["mIoU_intrinsic"] > content["metrics"]["mIoU"]
        assert ("stage" in content["provenance"]) == (content["run"]["method"] == "es")
        assert ("prior" in content["provenance"]) == (content["run"]["method"] == "lzu_fixed")
    macs = {}
    for path in smoke.glob("timing/segmentation/**/1-0.25.json"):
        timing = read_timing(path)
        macs[timing["run"]["method"]] = timing["shapes"]["gmac"]
    # the networks of LDS, ES and learned saliency are counted, and to warp is no product
    assert set(macs) == set(TASKS["segmentation"].settings.offered)
    assert min(macs["lds"], macs["es"], macs["lzu_learned"]) > macs["uniform"] == macs["lzu_fixed"]


def test_tables_3_and_4_have_no_gap_in_what_is_planned(smoke):
    for name, planned in (("table3", 7), ("table4", 4), ("segmentation_spaces", 7)):
        rows = list(csv.DictReader((smoke / "tables" / f"{name}.csv").open()))
        assert sum(bool(row["mIoU_measured"]) for row in rows) == planned
        text = (smoke / "tables" / f"{name}.txt").read_text()
        assert "no metrics.json" not in text
        for form in ("md", "tex"):
            assert (smoke / "tables" / f"{name}.{form}").stat().st_size > 100
    assert "LDS" in (smoke / "tables" / "table4.txt").read_text()
    figures = smoke / "figures" / "segmentation"
    for name in ("figure7", "figure7_end_to_end", "iso_latency", "iso_flops", "distance_bins"):
        assert (figures / f"{name}.png").stat().st_size > 10_000


def test_3d_detection_is_scored_timed_and_told_of(smoke):
    metrics = sorted(smoke.glob("runs/detection3d/**/metrics.json"))
    # uniform, fixed LZU and its two variants, adaptive; Table 2: two models from another scale
    assert len(metrics) == 5 + 2
    for path in metrics:
        content = read_metrics(path)
        about = read_json(smoke / "data" / "nuscenes" / "val.about.json")
        # two sequences of two samples, six cameras
        assert content["dataset"]["images"] == about["images"] == 2 * 2 * 6
        assert content["dataset"]["source"] == "synthetic"
        assert ("prior" in content["provenance"]) == (content["run"]["method"] == "lzu_fixed")
        predictions = read_json(path.with_name("predictions.json"))["results"]
        assert len(predictions) == about["samples"] == 4
        assert sum(map(len, predictions.values())) > 0
    timings = [read_timing(path) for path in smoke.glob("timing/detection3d/**/*.json")]
    assert len(timings) == 5
    for timing in timings:
        method = timing["run"]["method"]
        assert (timing["summary"]["added_ms"] == 0) == (method == "uniform")
        assert ("previous_boxes" in timing["shapes"]) == METHODS[method].follows_frames
    assert len(list(smoke.glob("priors/detection3d/train/*.npz"))) == 2


def test_table_5_and_both_halves_of_table_2_have_no_gap_in_what_is_planned(smoke):
    for name, planned in (
        ("table5", 5),
        ("table2_3d", 4),
        ("detection3d_classes", 5),
        ("detection3d_recall", 5),
    ):
        text = (smoke / "tables" / f"{name}.csv").read_text().splitlines()
        rows = list(csv.DictReader(text))
        headline = "mAP" if name == "detection3d_classes" else "NDS"
        assert sum(bool(row[f"{headline}_measured"]) for row in rows) == planned
        assert "no metrics.json" not in (smoke / "tables" / f"{name}.txt").read_text()
    figures = smoke / "figures" / "detection3d"
    shown = ("figure7", "figure7_end_to_end", "iso_latency", "recall_by_distance")
    for name in (
        *shown,
        "recall_by_height",
        "figure6_lzu_fixed_1-0.5_seed0",
        "zoom_unzoom",
        "data",
    ):
        assert (figures / f"{name}.png").stat().st_size > 10_000


def test_es_is_trained_on_its_sampler_and_the_record_tells_of_the_choice(smoke):
    record = read_json(next(smoke.glob("stages/segmentation/es_sampler/*/seed0.json")))
    assert record["stage"] == "es_sampler"
    assert record["trained_on"]["split"] == "mini_train"
    training = read_json(smoke / "runs/segmentation/es/1-0.25/seed0/train.json")
    assert [one["iteration"] for one in training["evaluations"]] == [2, 4]
    assert training["chosen"] in training["evaluations"]
    split = read_json(smoke / "data" / "cityscapes" / "mini_split.json")
    assert split["mini_val"]["images"] == split["wanted"] == 2


def test_a_second_run_has_nothing_to_do(smoke, snakemake):
    assert "Nothing to be done" in snakemake()


def test_deleting_metrics_rescores_and_does_not_retrain(smoke, snakemake):
    path = next(smoke.glob("runs/detection2d/**/metrics.json"))
    before = read_metrics(path)["metrics"]
    path.unlink()
    planned = jobs(snakemake("-n"))
    assert planned.pop("score") == 1
    shown = {"collect_detection2d", "tables_detection2d", "figures_detection2d", "all"}
    assert set(planned) == shown
    snakemake()
    assert read_metrics(path)["metrics"] == before


def test_the_report_is_built_offline(smoke, snakemake):
    snakemake("--report", smoke / "report.zip")
    assert (smoke / "report.zip").stat().st_size > 50_000


def test_rewritten_equal_data_trains_and_predicts_nothing(folder, smoke, snakemake):
    """Content decides: the jobs are planned, and end at once because their stamp is the same."""
    run = smoke / "runs" / "detection2d" / "lzu_fixed" / "1-0.5" / "seed0"
    names = ("checkpoint.pth", "train.json", "predictions.json")
    before = {name: (run / name).read_bytes() for name in names}
    target = (run / "metrics.json").relative_to(folder)
    again = ("--forcerun", "prepare", "--", target)
    planned = jobs(snakemake("-n", *again))
    assert planned["prepare"] == 2
    assert planned["train"] == planned["predict"] == 1
    snakemake(*again)
    assert {name: (run / name).read_bytes() for name in names} == before
    # nor do the others, which saw the small files before: these are equal
    later = jobs(snakemake("-n"))
    assert not {"prepare", "train", "predict"} & set(later)


def test_changed_data_retrains_what_was_trained_on_it(smoke, snakemake):
    """Real data that is no longer the same is noticed by its fingerprint."""
    about = smoke / "data" / "argoverse_hd" / "train.about.json"
    before = about.read_text()
    about.write_text(before.replace('"fingerprint": "', '"fingerprint": "0'))
    try:
        planned = jobs(snakemake("-n"))
    finally:
        about.write_text(before)
    assert planned["train"] == 16 + 9
    assert "world_detection2d" not in planned


def test_a_missing_result_is_made_even_if_settings_changed(request, smoke, snakemake, tmp_path):
    """Snakemake once planned nothing but the settings' own rule here."""
    path = tmp_path / "smoke.yaml"
    text = (request.config.rootpath / "config" / "smoke.yaml").read_text()
    path.write_text(text.replace("rounds: 5", "rounds: 6"))
    metrics = next(smoke.glob("runs/detection2d/**/metrics.json"))
    kept = metrics.read_bytes()
    metrics.unlink()
    try:
        planned = jobs(snakemake("-n", "--configfile", path))
    finally:
        metrics.write_bytes(kept)
    assert planned["score"] == 1
    assert "train" not in planned
