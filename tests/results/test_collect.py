"""Gathering result files into one table."""

import json
import subprocess

import pandas as pd
import pytest

from lzu.errors import UserError
from lzu.experiments.run import Run
from lzu.results.collect import (
    COLUMNS,
    collect,
    kept_files,
    of_run,
    read_collected,
    write_collected,
)
from lzu.tasks.detection2d.metrics import COCO
from lzu.tasks.detection2d.task import DETECTION2D
from tests.experiments.toy import TOY


def test_one_row_for_each_run_and_metric(suite_files, planned, constructed):
    frame = collect(DETECTION2D, *suite_files)
    scores = frame[frame["kind"] == "score"]
    assert list(frame.columns) == list(COLUMNS)
    assert len(scores) == len(planned) * len(COCO)
    run = planned[4]
    found = of_run(scores, run).set_index("metric")["value"]
    for name, value in constructed.invented_metrics(run).items():
        assert pd.isna(found[name]) if value is None else found[name] == value


def test_timings_belong_to_all_seeds_and_keep_their_spread(suite_files, planned):
    timings = collect(DETECTION2D, *suite_files).query("kind == 'timing'")
    assert timings["seed"].isna().all()
    own = of_run(timings, next(run for run in planned if run.method == "lzu_fixed"))
    found = own.set_index("metric")["value"]
    assert found["added_ms"] == 1.0
    assert found["latency_ms"] == found["baseline_ms"] + 1.0
    assert found["latency_ms_q25"] <= found["latency_ms"] <= found["latency_ms_q75"]
    assert found["end_to_end_ratio"] > 1


def test_csv_round_trip_is_exact(suite_files, tmp_path):
    frame = collect(DETECTION2D, *suite_files)
    write_collected(frame, tmp_path / "collected.csv")
    pd.testing.assert_frame_equal(
        read_collected(tmp_path / "collected.csv"), frame, check_exact=True
    )


def test_nothing_collected_is_an_empty_table(tmp_path):
    write_collected(collect(DETECTION2D, [], []), tmp_path / "collected.csv")
    assert read_collected(tmp_path / "collected.csv").empty


def test_kept_files_are_found_where_they_lie(constructed, planned, tmp_path):
    kept = tmp_path / "measured" / "demo"
    for machine in ("one", "two"):
        constructed.write_suite(kept / machine, planned[:2], machine)
    constructed.write_json(kept / "one" / "analysis" / "detection2d" / "level_error.json", {})
    metrics, timings = kept_files(kept, "detection2d")
    assert metrics == sorted(
        kept / m / r.path / "metrics.json" for m in ("one", "two") for r in planned[:2]
    )
    assert timings == [kept / machine / planned[0].timing_path for machine in ("one", "two")]
    assert set(collect(DETECTION2D, metrics, timings)["machine"]) == {"one", "two"}
    assert kept_files(kept, "toy") == ([], [])
    assert kept_files(tmp_path / "measured" / "smoke", "detection2d") == ([], [])


def test_the_machine_is_where_the_weights_are_from(constructed, planned, tmp_path):
    """Though a file's keys are sorted."""
    value = constructed.metrics_of(planned[0], constructed.invented_metrics(planned[0]))
    steps = {
        step: constructed.provenance(f"machine-{step}") for step in ("predict", "score", "train")
    }
    steps["train"]["git_commit"] = "a" * 40
    path = constructed.write_json(tmp_path / "metrics.json", {**value, "provenance": steps})
    frame = collect(DETECTION2D, [path], [])
    assert set(frame["machine"]) == {"machine-train"}
    assert set(frame["git_commit"]) == {"a" * 40}


@pytest.mark.parametrize(
    ("dirty", "said"),
    [((False, False, False), "False"), ((True, False, False), "True"), ((None, True, False), None)],
)
def test_a_run_is_dirty_if_a_step_is(constructed, planned, tmp_path, dirty, said):
    value = constructed.metrics_of(planned[0], constructed.invented_metrics(planned[0]))
    for step, mark in zip(("train", "predict", "score"), dirty, strict=True):
        value["provenance"][step]["git_dirty"] = mark
    frame = collect(DETECTION2D, [constructed.write_json(tmp_path / "metrics.json", value)], [])
    assert [None if pd.isna(one) else one for one in frame["git_dirty"].unique()] == [said]


def test_extras_and_left_out_groups_are_collected(constructed, planned, tmp_path):
    value = constructed.metrics_of(planned[0], constructed.invented_metrics(planned[0]))
    value["relative"] = {"AP_S_rel": 5, "AP_M_rel": None, "AP_L_rel": 50}
    value["size_bins"] = {"lower_px": [0, 8], "AP": [None, 20.5], "boxes": [0, 3]}
    value["size_bins_relative"] = {"lower": [0, 0.01], "AP": [7, 8], "boxes": [1, 2]}
    value["jackknife"] = {
        "unit": "sequence", "groups": [[0], [1]], "metrics": {"AP": [1.5, None]}
    }  # fmt: skip
    frame = collect(DETECTION2D, [constructed.write_json(tmp_path / "metrics.json", value)], [])
    found = frame.set_index("metric")
    assert set(found.index) == {*COCO, *value["relative"]} | {
        f"{what}[{edges}" for what in ("AP", "boxes")
        for edges in ("0,8)", "8,inf)", "0,0.01)/H", "0.01,inf)/H")
    }  # fmt: skip
    assert found["value"]["AP[8,inf)"] == 20.5
    assert found["value"]["boxes[0.01,inf)/H"] == 2
    assert pd.isna(found["value"]["AP[0,8)"])
    assert json.loads(found["left_out"]["AP"]) == [1.5, None]
    assert json.loads(found["left_out"]["AP50"]) == []


def test_files_of_the_first_version_are_collected(constructed, planned, tmp_path):
    value = constructed.metrics_of(planned[0], constructed.invented_metrics(planned[0]), "old")
    old = {**value, "schema": "lzu-metrics/1", "provenance": value["provenance"]["score"]}
    old["config_hash"] = old.pop("stamp")
    frame = collect(DETECTION2D, [constructed.write_json(tmp_path / "metrics.json", old)], [])
    assert set(frame["machine"]) == {"old"}
    assert set(frame["stamp"]) == {value["stamp"]}


def test_any_task_is_collected(constructed, tmp_path):
    run = Run("play", "toy", "lzu_fixed", 1.0, 0.5, 0)
    value = constructed.metrics_of(run, {"accuracy": 87.5})
    value["classes"] = {"low": 4, "high": 6}
    path = constructed.write_json(tmp_path / "metrics.json", value)
    frame = collect(TOY, [path], [])
    assert list(zip(frame["metric"], frame["value"], strict=True)) == [("accuracy", 87.5)]
    with pytest.raises(UserError, match="metrics"):
        collect(DETECTION2D, [path], [])


@pytest.mark.parametrize("kind", [0, 1])
def test_the_same_run_twice_is_refused(suite_files, tmp_path, kind):
    first = suite_files[kind][0]
    copy = tmp_path / "copy.json"
    copy.write_text(first.read_text())
    files = [list(suite_files[0]), list(suite_files[1])]
    files[kind].append(copy)
    with pytest.raises(UserError, match="same run on the same machine") as error:
        collect(DETECTION2D, *files)
    assert str(first) in str(error.value)
    assert str(copy) in str(error.value)


def test_runs_that_differ_by_options_or_machine_are_not_duplicates(constructed, tmp_path):
    plain = Run("demo", "detection2d", "lzu_fixed", 1.0, 0.5, 0)
    narrow = Run("demo", "detection2d", "lzu_fixed", 1.0, 0.5, 0, (("fwhm", "4"),))
    files = [
        constructed.write_json(
            tmp_path / f"{i}.json",
            constructed.metrics_of(run, constructed.invented_metrics(run), machine),
        )
        for i, (run, machine) in enumerate([(plain, "a"), (narrow, "a"), (plain, "b")])
    ]
    frame = collect(DETECTION2D, files, [])
    assert len(of_run(frame, plain)) == 2 * len(COCO)
    assert len(of_run(frame, narrow)) == len(COCO)


def test_a_broken_file_is_named(suite_files):
    broken = suite_files[0][3]
    broken.write_text(json.dumps({**json.loads(broken.read_text()), "metrics": {}}))
    with pytest.raises(UserError, match="metrics") as error:
        collect(DETECTION2D, *suite_files)
    assert str(broken) in str(error.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b\n1,2\n", "columns differ"),
        ("", "not a table"),
        (",".join(COLUMNS) + "\n" + ",".join(["x"] * len(COLUMNS)) + "\n", "not a table"),
    ],
)
def test_other_csv_files_are_refused(tmp_path, content, message):
    path = tmp_path / "collected.csv"
    path.write_text(content)
    with pytest.raises(UserError, match=message) as error:
        read_collected(path)
    assert str(path) in str(error.value)


def test_missing_csv_file_is_named(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        read_collected(tmp_path / "collected.csv")


def test_the_whole_report_is_made_without_torch(tmp_path, blocked_torch, constructed):
    kept = tmp_path / "measured" / "demo" / "constructed"
    scales = (0.25, 0.5, 0.75)
    runs = constructed.runs_of({"uniform": scales, "lzu_fixed": scales}, (0, 1, 2, 3, 4))
    constructed.write_suite(kept, runs)
    (tmp_path / "published").symlink_to(constructed.published)
    method = {"scales": scales, "learning_rate": 0.01}
    block = {
        "dataset": {"root": "x"},
        "methods": {"uniform": method, "lzu_fixed": method},
        "seeds": [0, 1, 2, 3, 4],
    }
    settings = {"suite": "demo", "mode": "cached", "detection2d": block}
    code = f"""
from pathlib import Path
from lzu.experiments.context import contexts
from lzu.experiments.suite import parse_suite
from lzu.report.make import collect_task, make_figures, make_tables, show
from lzu.report.pictures import warps as warp_pictures
from lzu.results import provenance
from lzu.tasks import TASKS
found = contexts(parse_suite({settings!r}, "x", TASKS), TASKS, Path({str(tmp_path)!r}))
for context in found.values():
    for step in (collect_task, make_tables, make_figures):
        step(context)
show(found.values())
assert not [name for name in sys.modules if name.split(".")[0] in ("torch", "mmdet", "scipy")]
"""
    done = subprocess.run(
        blocked_torch(code), capture_output=True, text=True, cwd=constructed.repository, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "LZU, fixed against Uniform at 0.5x (declared): win" in done.stdout, done.stdout
    assert "figure7" in done.stdout


def test_multiply_accumulates_are_collected_where_they_were_counted(constructed, tmp_path):
    runs = constructed.runs_of({"uniform": (0.25, 0.5)}, (0,))
    counted, without = constructed.write_suite(tmp_path, runs)[1]
    value = json.loads(counted.read_text())
    value["shapes"]["gmac"] = 44.62
    constructed.write_json(counted, value)
    frame = collect(DETECTION2D, [], [counted, without])
    found = frame[frame["metric"] == "gmac"]
    assert list(found["value"]) == [44.62]
    value["shapes"]["gmac"] = -1
    constructed.write_json(counted, value)
    with pytest.raises(UserError, match=r"shapes\.gmac: -1 is less than the minimum"):
        collect(DETECTION2D, [], [counted])
