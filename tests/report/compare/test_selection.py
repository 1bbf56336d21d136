"""What may stand in one table: machines, data, devices and settings that must not be mixed."""

import pytest

from lzu.errors import UserError
from tests.report.compare.conftest import edit_json, pair_of, row_of


def on_machines(constructed, folder, runs, *machines):
    """Result files of all runs on each machine: (metrics, timings)."""
    files = [constructed.write_suite(folder / name, runs, name) for name in machines]
    return tuple([path for each in files for path in each[kind]] for kind in (0, 1))


def test_scores_of_machines_are_pooled_and_latencies_chosen(
    compared, constructed, planned, tmp_path
):
    files = on_machines(constructed, tmp_path, planned, "a", "b")
    with pytest.raises(UserError, match=r"latencies come from several machines \(a, b\)") as error:
        compared(files)
    assert "set `machine` in the suite file" in str(error.value)
    with pytest.raises(UserError, match="no latencies of 'c', but of a, b"):
        compared(files, machine="c")
    report = compared(files, machine="b")
    result = row_of(report, "uniform", 0.25)
    assert result.seeds == (0, 1, 2)
    assert set(result.runs) == {(machine, seed) for machine in "ab" for seed in range(3)}
    assert result.cells["AP"].measured.n == 6
    pair = pair_of(report, "lzu_fixed", 0.5)
    assert (pair.measured.n, pair.measured.machines) == (6, 2)
    assert pair.contrast.verdict == "win"
    notes = " ".join(report.notes)
    assert "Scores from machines a (Constructed CPU) and b (Constructed CPU)" in notes
    assert "spread of seeds and machines" in notes
    assert "Latency from machine b" in notes


def test_timings_of_another_machine_than_the_scores(compared, constructed, planned, tmp_path):
    files = on_machines(constructed, tmp_path, planned, "a", "b")
    ours = [path for path in files[0] if "/a/" in path.as_posix()]
    theirs = [path for path in files[1] if "/b/" in path.as_posix()]
    report = compared((ours, theirs))
    assert any("Latency from machine b" in note for note in report.notes)
    assert any("Scores from machine a" in note for note in report.notes)


def of_commit(commit):
    def change(content):
        for step in content["provenance"].values():
            step["git_commit"] = commit

    return change


other_commit = of_commit("1" * 40)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda content: content.update(stamp="f" * 16), "stamp"),
        (other_commit, "git_commit"),
        (lambda content: content["dataset"].update(images=11), "images"),
    ],
)
def test_machines_that_measured_other_things_are_not_averaged(
    compared, constructed, planned, tmp_path, change, reason
):
    files = on_machines(constructed, tmp_path, planned, "a", "b")
    changed = [path for path in files[0] if "/b/" in path.as_posix()]
    for path in changed if reason == "images" else changed[:1]:
        edit_json(path, change)
    only = [path for path in files[1] if "/a/" in path.as_posix()]
    with pytest.raises(UserError, match=f"not averaged: several values of {reason}") as error:
        compared((files[0], only))
    assert str(changed[0]) in str(error.value)
    report = compared((files[0], only), machine="a")
    assert row_of(report, "uniform", 0.5).cells["AP"].measured.n == 3
    assert any("Scores from b are left out" in note for note in report.notes)


def test_what_is_left_out_is_not_said_to_be_missing(compared, constructed, planned, tmp_path):
    """Seed 2 of machine b alone, whose scores cannot stand beside those of a."""
    files = on_machines(constructed, tmp_path, planned, "a", "b")
    for path in list(files[0]):
        machine, seed = path.parts[len(tmp_path.parts)], path.parent.name
        if (machine == "b") != (seed == "seed2"):
            files[0].remove(path)
        elif machine == "b":
            edit_json(path, lambda content: content["dataset"].update(images=11))
    timed = [p for p in files[1] if "/a/" not in p.as_posix() or "lzu_fixed" not in p.as_posix()]
    report = compared((files[0], timed), machine="a")
    reasons = dict(report.missing)
    said = "scores of other machines are left out, and with them seed 2"
    assert {"0.5x Uniform", "0.25x LZU, fixed"} < set(reasons[said])
    assert not any("no metrics.json of seed 2" in reason for reason in reasons)
    assert "no timing on the machine whose latencies are shown (latency_ms)" in reasons
    assert any("Scores from b are left out" in note for note in report.notes)


@pytest.mark.parametrize("column", ["data", "saliency"])
def test_seeds_of_other_training_data_are_not_averaged(
    compared, constructed, planned, tmp_path, column
):
    files = on_machines(constructed, tmp_path, planned, "a", "b")
    told = {"data": "d" * 16, "saliency": "e" * 16}
    for path in files[0]:
        other = told | {column: "0" * 16} if "/b/" in path.as_posix() else told
        edit_json(path, lambda content, other=other: content.update(trained_on=other))
    ours = [path for path in files[0] if "/a/" in path.as_posix()]
    only = [path for path in files[1] if "/a/" in path.as_posix()]
    # whatever their seeds are: the stamps of one seed would be told apart anyway
    others = [p for p in files[0] if "/b/" in p.as_posix() and p.parent.name == "seed0"]
    for path in others:
        seed = path.parent.with_name("seed7") / path.name
        edit_json(path, lambda content: content["run"].update(seed=7))
        seed.parent.mkdir()
        path.rename(seed)
        ours.append(seed)
    with pytest.raises(UserError, match=f"not averaged: several values of trained_{column}"):
        compared((ours, only))
    notes = " ".join(compared((ours, only), machine="a").notes)
    assert "Scores from b are left out" in notes
    for path in ours:
        edit_json(path, lambda c: [step.update(machine="a") for step in c["provenance"].values()])
    with pytest.raises(UserError, match=f"seeds have several values of trained_{column}"):
        compared((ours, only))


def test_what_does_not_tell_its_settings_is_told(compared, suite_files):
    """Files of older versions: none of them was compared with the suite."""
    said = "Of older versions, and so not compared with the suite's settings: "
    assert said + "18 of 18 scored runs and 6 of 6 timings." in compared(suite_files).notes
    told = {"data": "d" * 16, "saliency": None}
    for path in suite_files[0]:
        edit_json(path, lambda content: content.update(trained_on=told))
    for path in suite_files[1][1:]:
        edit_json(path, lambda c: c.update(schema="lzu-timing/2", stamp="0" * 16))
    assert said + "1 of 6 timings." in compared(suite_files).notes
    edit_json(suite_files[1][0], lambda c: c.update(schema="lzu-timing/2", stamp="0" * 16))
    assert not [note for note in compared(suite_files).notes if note.startswith(said)]


def test_seeds_of_one_machine_may_be_of_several_commits(compared, suite_files):
    edit_json(suite_files[0][0], other_commit)
    notes = " ".join(compared(suite_files).notes)
    assert "commit 000000000000, 111111111111; not the code that made this table" in notes


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
