"""Published and measured side by side: values, pairs, gaps, and what must not be mixed."""

import json

import pytest

from lzu.errors import UserError
from lzu.experiments import registry
from lzu.experiments.registry import runs_for
from lzu.experiments.run import Run
from lzu.report.compare.comparison import compare
from lzu.results.statistics import mean_interval
from lzu.results.collect import collect


@pytest.fixture
def compared(constructed, planned):
    def make(files, **options):
        options = {"planned": planned} | options
        return compare("table1", "demo", collect(*files), constructed.published, **options)

    return make


def row_of(report, method, scale):
    return next(r for r in report.rows if (r.row.method, r.row.to_scale) == (method, scale))


def edit_json(path, change):
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


def test_cells_hold_published_measured_and_difference(compared, suite_files, planned, constructed):
    report = compared(suite_files)
    assert len(report.rows) == 14
    result = row_of(report, "lzu_fixed", 0.5)
    own = [run for run in planned if result.row.matches(run)]
    expected = mean_interval([constructed.invented_metrics(run)["AP"] for run in own])
    cell = result.cells["AP"]
    assert cell.published == 25.2
    assert cell.measured == expected
    assert cell.difference == pytest.approx(expected.value - 25.2)
    assert result.seeds == (0, 1, 2)
    assert result.cells["latency_ms"].measured.value == pytest.approx(100 * 0.5**1.5 + 0.5 + 1)
    assert result.cells["end_to_end_ms"].published is None
    assert report.extra_ms[result.row][0] == 1.0


def test_pairs_say_win_loss_and_undecided(compared, suite_files):
    report = compared(suite_files)
    verdicts = {p.row.to_scale: p.verdict for p in report.paired if p.column.metric == "AP"}
    assert verdicts == {0.25: "loss", 0.5: "win", 0.75: "undecided"}
    pair = next(p for p in report.paired if (p.row.to_scale, p.column.metric) == (0.5, "AP"))
    assert pair.published == pytest.approx(25.2 - 22.6)
    assert pair.measured.value == pytest.approx(2 + 0.1 / 3)
    assert pair.measured.n == 3
    assert not [p for p in report.paired if p.column.metric == "AP_L"]


def test_pairs_use_common_seeds_only(compared, suite_files):
    metrics = [path for path in suite_files[0] if "uniform/1-0.5/seed2" not in path.as_posix()]
    report = compared((metrics, suite_files[1]))
    pair = next(p for p in report.paired if (p.row.to_scale, p.column.metric) == (0.5, "AP"))
    assert pair.measured.n == 2
    missing = dict(report.missing)
    assert missing["no metrics.json of seed 2"] == ("0.5x Uniform",)


def test_every_gap_has_its_reason(compared, suite_files):
    metrics = [path for path in suite_files[0] if "lzu_fixed/1-0.25" not in path.as_posix()]
    timings = [path for path in suite_files[1] if "uniform/1-0.75" not in path.as_posix()]
    report = compared((metrics, timings))
    missing = dict(report.missing)
    unplanned = set(missing["not planned in suite demo"])
    assert {"1x Uniform", "1x LZU, fixed", "0.5x FOVEA"} < unplanned
    assert not {"0.5x Uniform", "0.25x LZU, fixed", "0.5x LZU, learned"} & unplanned
    assert missing["no metrics.json of seed 0, 1, 2"] == ("0.25x LZU, fixed",)
    assert missing["no timing (latency_ms)"] == ("0.75x Uniform",)
    assert any("AP_L is undefined" in reason for reason in missing)
    told = {name for names in missing.values() for name in names}
    for result in report.rows:
        if any(cell.measured is None for cell in result.cells.values()):
            name = f"{result.row.to_scale:g}x {result.row.label}"
            assert name in told


def test_rows_that_are_not_built_say_so(compared, suite_files, monkeypatch):
    monkeypatch.setattr(registry, "BUILT", registry.BUILT - {("detection2d", "fovea")})
    assert dict(compared(suite_files).missing)["not built yet"] == ("0.5x FOVEA",)


def test_rows_beyond_the_paper_are_shown_where_they_are_planned_or_measured(
    compared, constructed, planned, tmp_path
):
    learned = registry.runs_for("table1", "demo", (0, 1), {"lzu_learned": (0.5,)})
    assert not [r for r in compared(([], [])).rows if r.row.method == "lzu_learned"]
    report = compared(constructed.write_suite(tmp_path / "learned", [*planned, *learned]))
    labels = [r.row.label for r in report.rows if r.row.to_scale == 0.5]
    assert labels[-1] == "LZU, learned"
    assert len(report.rows) == 15
    row = next(r for r in report.rows if r.row.method == "lzu_learned")
    assert row.seeds == (0, 1)
    assert all(cell.published is None for cell in row.cells.values())
    pair = next(p for p in report.paired if p.row == row.row and p.column.metric == "AP")
    assert pair.published is None
    assert pair.measured.n == 2
    assert not report.unlisted


def test_nothing_measured_is_a_table_of_published_values(compared):
    report = compared(([], []))
    assert report.dataset is None
    assert report.paired == ()
    assert all(cell.measured is None for r in report.rows for cell in r.cells.values())
    assert len(dict(report.missing)["no metrics.json of seed 0, 1, 2"]) == 6


def test_machines_are_not_mixed(compared, constructed, planned, tmp_path):
    ours = constructed.write_suite(tmp_path / "a", planned, "a")
    theirs = constructed.write_suite(tmp_path / "b", planned[:3], "b")
    files = (ours[0] + theirs[0], ours[1] + theirs[1])
    with pytest.raises(UserError, match=r"scores come from several machines \(a, b\)"):
        compared(files)
    with pytest.raises(UserError, match="no scores of 'c'; choose from a, b"):
        compared(files, machine="c")
    report = compared(files, machine="b")
    assert row_of(report, "uniform", 0.25).seeds == (0, 1, 2)
    assert row_of(report, "uniform", 0.5).seeds == ()
    assert row_of(report, "uniform", 0.5).cells["latency_ms"].measured is None


def test_timings_of_another_machine_are_chosen_by_name(compared, constructed, planned, tmp_path):
    ours = constructed.write_suite(tmp_path / "a", planned, "a")
    theirs = constructed.write_suite(tmp_path / "b", planned, "b")
    report = compared((ours[0], theirs[1]))
    assert any("Latency from machine b" in note for note in report.notes)
    with pytest.raises(UserError, match="timings come from several machines"):
        compared((ours[0], ours[1] + theirs[1]))
    report = compared((ours[0], ours[1] + theirs[1]), timing_machine="b")
    assert any("Latency from machine b" in note for note in report.notes)


@pytest.mark.parametrize(
    ("column", "block", "key", "value"),
    [
        ("dataset_source", "dataset", "source", "real"),
        ("dataset_fingerprint", "dataset", "fingerprint", "e" * 16),
        ("split", "dataset", "split", "test"),
        ("images", "dataset", "images", 11),
    ],
)
def test_datasets_are_not_mixed(compared, suite_files, column, block, key, value):
    edit_json(suite_files[0][0], lambda content: content[block].update({key: value}))
    with pytest.raises(UserError, match=f"several values of {column}") as error:
        compared(suite_files)
    assert str(suite_files[0][0]) in str(error.value)


@pytest.mark.parametrize(("key", "value"), [("device", "cuda"), ("threads", 1), ("dtype", "half")])
def test_devices_are_not_mixed(compared, suite_files, key, value):
    edit_json(suite_files[1][0], lambda content: content.update({key: value}))
    with pytest.raises(UserError, match=f"several values of {key}"):
        compared(suite_files)


def test_other_suites_are_left_out(compared, constructed, tmp_path, suite_files):
    other = runs_for("table1", "smoke", (0,))
    metrics, timings = constructed.write_suite(tmp_path / "smoke", other, "elsewhere")
    report = compared((suite_files[0] + metrics, suite_files[1] + timings))
    assert row_of(report, "uniform", 1.0).seeds == ()


def test_what_no_row_shows_is_listed(compared, constructed, tmp_path, suite_files):
    extra = Run("demo", "detection2d", "lzu_fixed", 0.5, 1.0, 0, (("fwhm", "4"),))
    metrics, _ = constructed.write_suite(tmp_path / "extra", [extra])
    report = compared((suite_files[0] + metrics, suite_files[1]))
    assert report.unlisted == ('1x LZU, fixed from 0.5x {"fwhm": "4"}',)


def test_notes_tell_data_weights_machine_and_code(compared, suite_files):
    notes = "\n".join(compared(suite_files).notes)
    assert "NOT comparable" in notes
    assert "a synthetic world, constructed" in notes
    assert "Initial weights: scratch" in notes
    assert "machine constructed" in notes
    assert "RTX 2080 Ti" in notes
    assert "commit 000000000000." in notes


def test_real_data_needs_no_such_warning(compared, suite_files):
    for path in suite_files[0]:
        edit_json(path, lambda content: content["dataset"].update(source="real"))
    notes = "\n".join(compared(suite_files).notes)
    assert "NOT comparable" not in notes
    assert "the real dataset" in notes


def test_uncommitted_changes_and_mixed_weights_are_told(compared, suite_files):
    edit_json(suite_files[0][0], lambda content: content["provenance"].update(git_dirty=True))
    edit_json(
        suite_files[0][1], lambda content: content["training"].update(initial_weights="coco.pth")
    )
    notes = "\n".join(compared(suite_files).notes)
    assert "uncommitted changes" in notes
    assert "Initial weights: coco.pth and scratch" in notes
