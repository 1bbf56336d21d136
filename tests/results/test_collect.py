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
    find_result_files,
    of_run,
    read_collected,
    write_collected,
)
from lzu.results.schema import DETECTION2D_METRICS


def test_one_row_for_each_run_and_metric(suite_files, planned, constructed):
    frame = collect(*suite_files)
    scores = frame[frame["kind"] == "score"]
    assert list(frame.columns) == list(COLUMNS)
    assert len(scores) == len(planned) * len(DETECTION2D_METRICS)
    run = planned[4]
    found = of_run(scores, run).set_index("metric")["value"]
    for name, value in constructed.invented_metrics(run).items():
        assert pd.isna(found[name]) if value is None else found[name] == value


def test_timings_belong_to_all_seeds_and_keep_their_spread(suite_files, planned):
    timings = collect(*suite_files).query("kind == 'timing'")
    assert timings["seed"].isna().all()
    own = of_run(timings, next(run for run in planned if run.method == "lzu_fixed"))
    found = own.set_index("metric")["value"]
    assert found["added_ms"] == 1.0
    assert found["latency_ms"] == found["baseline_ms"] + 1.0
    assert found["latency_ms_q25"] <= found["latency_ms"] <= found["latency_ms_q75"]
    assert found["end_to_end_ratio"] > 1


def test_csv_round_trip_is_exact(suite_files, tmp_path):
    frame = collect(*suite_files)
    write_collected(frame, tmp_path / "collected.csv")
    pd.testing.assert_frame_equal(
        read_collected(tmp_path / "collected.csv"), frame, check_exact=True
    )


def test_nothing_collected_is_an_empty_table(tmp_path):
    write_collected(collect([], []), tmp_path / "collected.csv")
    assert read_collected(tmp_path / "collected.csv").empty


def test_files_are_found_where_they_lie(constructed, planned, suite_files, tmp_path):
    kept = tmp_path / "measured" / "demo"
    for machine in ("one", "two"):
        constructed.write_suite(kept / machine, planned[:2], machine)
    metrics, timings = find_result_files(tmp_path, "demo")
    assert metrics == sorted(suite_files[0])
    assert timings == sorted(suite_files[1])
    metrics, timings = find_result_files(tmp_path, "demo", "cached")
    assert len(metrics) == 4
    assert len(timings) == 2
    assert set(collect(metrics, timings)["machine"]) == {"one", "two"}
    assert find_result_files(tmp_path, "smoke") == ([], [])
    with pytest.raises(ValueError, match="mode"):
        find_result_files(tmp_path, "demo", "both")


@pytest.mark.parametrize("kind", [0, 1])
def test_the_same_run_twice_is_refused(suite_files, tmp_path, kind):
    first = suite_files[kind][0]
    copy = tmp_path / "copy.json"
    copy.write_text(first.read_text())
    files = [list(suite_files[0]), list(suite_files[1])]
    files[kind].append(copy)
    with pytest.raises(UserError, match="same run on the same machine") as error:
        collect(*files)
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
    frame = collect(files, [])
    assert len(of_run(frame, plain)) == 2 * len(DETECTION2D_METRICS)
    assert len(of_run(frame, narrow)) == len(DETECTION2D_METRICS)


def test_a_broken_file_is_named(suite_files):
    broken = suite_files[0][3]
    broken.write_text(json.dumps({**json.loads(broken.read_text()), "metrics": {}}))
    with pytest.raises(UserError, match="metrics") as error:
        collect(*suite_files)
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


def test_the_whole_report_is_made_without_torch(
    suite_files, tmp_path, planned, blocked_torch, constructed
):
    code = f"""
from lzu.experiments.registry import runs_for
from lzu.results.collect import collect, find_result_files, read_collected, write_collected
from lzu.report.compare.comparison import compare
from lzu.report.figures.tradeoff import write_tradeoff
from lzu.report.tables.summary import print_summary
from lzu.report.tables.forms import write_table
from lzu.results import provenance
from lzu.report.pictures import warps as warp_pictures
results = {str(tmp_path)!r}
write_collected(collect(*find_result_files(results, "demo")), results + "/collected.csv")
planned = runs_for("table1", "demo", (0, 1, 2), {{"uniform": (0.5,), "lzu_fixed": (0.5,)}})
frame = read_collected(results + "/collected.csv")
report = compare("table1", "demo", frame, {str(constructed.published)!r}, planned)
tables = write_table(report, results + "/tables")
figures = write_tradeoff(report, results + "/figures")
print_summary(tables["txt"], [*tables.values(), *figures.values()])
assert not [name for name in sys.modules if name.split(".")[0] in ("torch", "mmdet", "scipy")]
"""
    done = subprocess.run(
        blocked_torch(code), capture_output=True, text=True, cwd=constructed.repository, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "LZU, fixed against Uniform at 0.5x: win" in done.stdout
    assert "figure7_detection2d.png" in done.stdout
