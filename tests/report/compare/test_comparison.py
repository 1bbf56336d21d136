"""Published and measured side by side: values, pairs, gaps."""

from dataclasses import replace

import pytest

from lzu.errors import UserError
from lzu.experiments.run import Run
from lzu.report.compare.uncertainty import mean_over_runs
from lzu.results.provenance import git_state
from lzu.results.statistics import mean_interval
from lzu.tasks.detection2d.tables import TABLE_1
from tests.report.compare.conftest import edit_json, pair_of, row_of


def make_real(files):
    for path in files[0]:
        edit_json(path, lambda content: content["dataset"].update(source="real"))
    return files


def test_cells_hold_published_measured_and_difference(compared, suite_files, planned, constructed):
    report = compared(make_real(suite_files))
    assert len(report.rows) == 14
    result = row_of(report, "lzu_fixed", 0.5)
    own = [run for run in planned if result.row.matches(run)]
    expected = mean_interval([constructed.invented_metrics(run)["AP"] for run in own])
    cell = result.cells["AP"]
    assert cell.published == 25.2
    assert cell.measured.value == pytest.approx(expected.value)
    assert cell.measured.half_width == pytest.approx(expected.half_width)
    assert cell.difference == pytest.approx(expected.value - 25.2)
    assert result.seeds == (0, 1, 2)
    assert result.cells["latency_ms"].measured.value == pytest.approx(100 * 0.5**1.5 + 0.5 + 1)
    assert result.cells["end_to_end_ms"].published is None
    assert result.cost.added_ms == 1.0
    assert 1 < result.cost.low < result.cost.ratio < result.cost.high


def test_of_other_data_there_is_no_difference_from_the_paper(compared, suite_files):
    report = compared(suite_files)
    assert all(cell.difference is None for r in report.rows for cell in r.cells.values())
    assert not any("measured - published" in note for note in report.notes)
    assert pair_of(report, "lzu_fixed", 0.5).published == pytest.approx(25.2 - 22.6)


def test_verdicts_are_on_the_headline_metric_alone(compared, suite_files):
    report = compared(suite_files)
    verdicts = {p.row.to_scale: p.contrast.verdict for p in report.paired if p.contrast}
    # three seeds decide nothing
    assert verdicts == {0.25: "suggests a loss", 0.5: "suggests a gain", 0.75: "undecided"}
    assert {p.column.metric for p in report.paired if p.contrast} == {"AP"}
    assert not [p for p in report.paired if p.column.metric == "AP_L"]
    pair = pair_of(report, "lzu_fixed", 0.5)
    assert pair.measured.value == pytest.approx(2 + 0.1 / 3)
    assert pair.measured.n == 3


def test_the_declared_comparison_is_tested_alone(compared, suite_files):
    report = compared(suite_files)
    declared, other = (pair_of(report, "lzu_fixed", scale).contrast for scale in (0.5, 0.25))
    assert (declared.primary, declared.level) == (True, 0.05)
    assert (other.primary, other.level) == (False, 0.025)
    assert declared.p_value == declared.difference.p_value
    assert other.p_value == pytest.approx(2 * other.difference.p_value)
    assert any("tested alone: LZU, fixed at 0.5x" in note for note in report.notes)
    undeclared = compared(suite_files, table=replace(TABLE_1, primary=None))
    assert not any(p.contrast.primary for p in undeclared.paired if p.contrast)
    assert any("No comparison was declared" in note for note in undeclared.notes)


def test_five_seeds_decide(compared, constructed, tmp_path):
    runs = constructed.runs_of({"uniform": (0.5,), "lzu_fixed": (0.5,)}, range(5))
    report = compared(constructed.write_suite(tmp_path / "five", runs), planned=runs)
    assert pair_of(report, "lzu_fixed", 0.5).contrast.verdict == "win"


def with_left_out(files, spread):
    """Leave-one-out values of every metric: two groups, `spread` to either side of the value."""

    def add(content):
        metrics = {k: v for k, v in content["metrics"].items() if v is not None}
        left_out = {name: [v - spread, v + spread] for name, v in metrics.items()}
        content["jackknife"] = {"unit": "sequence", "groups": [[0], [1]], "metrics": left_out}

    for path in files[0]:
        edit_json(path, add)
    return files


def test_sequences_widen_the_intervals(compared, suite_files):
    narrow = row_of(compared(suite_files), "uniform", 0.5).cells["AP"].measured
    report = compared(with_left_out(suite_files, 2.0))
    result = row_of(report, "uniform", 0.5)
    wide = result.cells["AP"].measured
    assert wide.value == narrow.value
    assert wide.half_width > 2 * narrow.half_width
    scores = result.scores["AP"]
    assert scores.left_out["constructed", 0] == pytest.approx((22.5, 26.5))
    assert wide == mean_over_runs(scores).estimate()
    # what all runs have in common cancels in pairs
    assert pair_of(report, "lzu_fixed", 0.5).measured.sequences.variance == pytest.approx(0)
    notes = " ".join(report.notes)
    assert "spread of seeds (t) and of the validation sequences (jackknife) together" in notes


def test_unknown_sequences_are_said(compared, suite_files):
    assert "spread of seeds alone" in " ".join(compared(suite_files).notes)
    with_left_out((suite_files[0][:3], []), 1.0)
    assert "(of those runs that tell it)" in " ".join(compared(suite_files).notes)


def test_other_groups_of_sequences_are_refused(compared, suite_files):
    with_left_out(suite_files, 1.0)
    three = {"unit": "sequence", "groups": [[0], [1], [2]], "metrics": {"AP": [1, 2, 3]}}
    edit_json(suite_files[0][0], lambda content: content.update(jackknife=three))
    with pytest.raises(UserError, match="different groups") as error:
        compared(suite_files)
    assert str(suite_files[0][0]) in str(error.value)


def test_pairs_use_common_seeds_only(compared, suite_files):
    metrics = [path for path in suite_files[0] if "uniform/1-0.5/seed2" not in path.as_posix()]
    report = compared((metrics, suite_files[1]))
    assert pair_of(report, "lzu_fixed", 0.5).measured.n == 2
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
            assert report.name(result.row) in told


def test_rows_beyond_the_paper_are_those_planned(compared, constructed, planned, tmp_path):
    learned = constructed.runs_of({"lzu_learned": (0.5,)}, (0, 1))
    files = constructed.write_suite(tmp_path / "learned", [*planned, *learned])
    unplanned = compared(files)
    assert not [r for r in unplanned.rows if r.row.method == "lzu_learned"]
    assert unplanned.unlisted == ("0.5x LZU, learned from 1x",)
    report = compared(files, planned=[*planned, *learned])
    labels = [r.row.label for r in report.rows if r.row.to_scale == 0.5]
    assert labels[-1] == "LZU, learned"
    assert len(report.rows) == 15
    row = next(r for r in report.rows if r.row.method == "lzu_learned")
    assert row.seeds == (0, 1)
    assert all(cell.published is None for cell in row.cells.values())
    pair = pair_of(report, "lzu_learned", 0.5)
    assert pair.published is None
    assert pair.measured.n == 2
    assert not report.unlisted


def test_nothing_measured_is_a_table_of_published_values(compared):
    report = compared(([], []))
    assert report.dataset is None
    assert report.paired == ()
    assert all(cell.measured is None for r in report.rows for cell in r.cells.values())
    assert len(dict(report.missing)["no metrics.json of seed 0, 1, 2"]) == 6


SIZES = ("AP_S", "AP_M", "AP_L")


def test_what_is_relative_to_the_height_has_cells_of_its_own(compared, suite_files):
    relative = {f"{name}_rel": 40.0 for name in SIZES}
    for path in suite_files[0]:
        edit_json(path, lambda content: content.update(relative=relative))
    report = compared(suite_files)
    assert [c.metric for c in report.relative] == ["AP_S_rel", "AP_M_rel", "AP_L_rel"]
    cells = row_of(report, "uniform", 0.5).cells
    assert cells["AP_S_rel"].measured.value == 40
    assert cells["AP_S_rel"].published == cells["AP_S"].published == 3.7
    pair = pair_of(report, "lzu_fixed", 0.5, "AP_S_rel")
    assert (pair.measured.value, pair.contrast) == (0, None)
    assert pair.published == pair_of(report, "lzu_fixed", 0.5, "AP_S").published
    assert any("AP_S, AP_M and AP_L are other quantities" in note for note in report.notes)


def equal_relative(content):
    content["relative"] = {f"{name}_rel": content["metrics"][name] for name in SIZES}


def test_where_the_height_is_the_papers_both_are_one(compared, suite_files):
    for path in suite_files[0]:
        edit_json(path, equal_relative)
    report = compared(suite_files)
    assert report.relative == ()
    assert not any("other quantities" in note for note in report.notes)


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
    assert "commit 000000000000; not the code that made this table." in notes


def test_results_of_todays_code_are_not_called_old(compared, suite_files):
    commit, _ = git_state()
    if commit is None:
        pytest.skip("not in a git repository")
    for path in suite_files[0]:
        edit_json(
            path,
            lambda content: [s.update(git_commit=commit) for s in content["provenance"].values()],
        )
    assert f"Code: commit {commit[:12]}." in compared((suite_files[0], [])).notes


def test_real_data_needs_no_such_warning(compared, suite_files):
    notes = "\n".join(compared(make_real(suite_files)).notes)
    assert "NOT comparable" not in notes
    assert "the real dataset" in notes


def test_uncommitted_changes_and_mixed_weights_are_told(compared, suite_files):
    edit_json(
        suite_files[0][0], lambda content: content["provenance"]["score"].update(git_dirty=True)
    )
    edit_json(
        suite_files[0][1], lambda content: content["training"].update(initial_weights="coco.pth")
    )
    notes = "\n".join(compared(suite_files).notes)
    assert "uncommitted changes" in notes
    assert "Initial weights: coco.pth and scratch" in notes
