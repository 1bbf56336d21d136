"""Results of other settings, data or priors are never shown as those of the suite."""

import pytest

from lzu.errors import UserError
from lzu.files import read_json, write_json
from lzu.results.agreement import agreeing
from lzu.results.collect import collect, kept_files
from lzu.results.keep import keep
from lzu.results.stamps import timing_stamp, trained_on
from tests.experiments.suites import changed
from tests.experiments.toy import BLOCK, prepare, toy_context

RATE = "methods.lzu_fixed.learning_rate"


@pytest.fixture
def kept(tmp_path, play):
    """Read what is kept, in a suite of these settings, without its data."""
    context = toy_context(tmp_path)
    play(context, context.runs)
    keep(context)
    for split in ("train", "val"):
        context.paths.about(split).unlink()

    def read(block=BLOCK, mode="cached"):
        given = toy_context(tmp_path, block, mode=mode)
        files = kept_files(given.paths.suite.measured, "toy")
        return given, agreeing(given, collect(given.task, *files))

    return read


def file_of(context, run, name="metrics.json"):
    return context.paths.suite.measured / "one" / run.path / name


def rewritten(path, change):
    value = read_json(path)
    change(value)
    write_json(path, value)


def test_kept_results_of_the_suite_s_settings_are_taken(kept):
    _, frame = kept()
    assert frame["file"].nunique() == 4 + 2
    assert not frame["stamp"].isna().any()
    assert kept(mode="compute")[1].equals(frame)


def test_kept_results_are_refused_by_a_suite_of_other_settings(kept):
    with pytest.raises(UserError, match=r"of other settings.*\(2 files are\).*set the suite back"):
        kept(changed(BLOCK, RATE, 0.7))
    # of all runs, and of both timings
    with pytest.raises(UserError, match=r"\(6 files are\)"):
        kept(changed(BLOCK, "margin", 0.5))


def test_one_seed_of_other_settings_is_not_averaged_in(kept, play, tmp_path):
    """It was kept by another hand: its name says nothing of its learning rate."""
    context, _ = kept()
    other = toy_context(tmp_path, changed(BLOCK, RATE, 0.7))
    for split in ("train", "val"):
        prepare(other, split)
    run = other.runs[3]
    [path] = play(other, [run])
    target = file_of(context, run)
    target.write_bytes(path.read_bytes())
    with pytest.raises(UserError) as error:
        kept()
    assert str(error.value).startswith(f"{target}: of other settings, data or prior")
    assert "files are" not in str(error.value)


def test_a_seed_on_other_data_says_so_by_its_stamp(kept):
    """What it says that it was trained on is proven by its stamp."""
    context, _ = kept()
    path = file_of(context, context.runs[0])
    rewritten(path, lambda value: value["trained_on"].update(data="other"))
    with pytest.raises(UserError, match="of other settings, data or prior"):
        kept()


def test_older_results_that_do_not_tell_are_taken_and_told_apart(kept):
    context, _ = kept()
    path = file_of(context, context.runs[0])
    rewritten(path, lambda value: value.pop("trained_on"))
    timing = context.paths.suite.measured / "one" / context.runs[0].timing_path
    rewritten(timing, lambda v: (v.pop("stamp"), v.update(schema="lzu-timing/1")))
    _, frame = kept()
    untold = frame[frame["trained_data"].isna() & (frame["kind"] == "score")]
    assert set(untold["file"]) == {path.as_posix()}
    unstamped = frame[frame["stamp"].isna()]
    assert set(unstamped["file"]) == {timing.as_posix()}


def test_a_timing_of_other_settings_is_refused(kept):
    context, _ = kept()
    timing = context.paths.suite.measured / "one" / context.runs[0].timing_path
    rewritten(timing, lambda value: value.update(stamp="f" * 16))
    for mode, mend in (("cached", "lzu keep"), ("compute", "run `lzu time` again")):
        with pytest.raises(UserError, match=mend) as error:
            kept(mode=mode)
        assert str(error.value).startswith(str(timing))


def test_own_results_are_compared_with_the_data_that_there_is(tmp_path, play):
    context = toy_context(tmp_path)
    files = play(context, context.runs)
    frame = collect(context.task, files, [])
    told = agreeing(context, frame)
    assert set(told["trained_data"]) == {trained_on(context, context.runs[0])["data"]}
    about = context.paths.about("train")
    write_json(about, {**read_json(about), "fingerprint": "other"})
    with pytest.raises(UserError, match="train and score the run again") as error:
        agreeing(context, frame)
    assert str(error.value).startswith(str(files[0]))


def test_what_an_equal_stamp_proves_is_told(tmp_path, play):
    """Also of older files, and in a frame that was written and read."""
    context = toy_context(tmp_path)
    files = play(context, context.runs)
    for path in files:
        rewritten(path, lambda value: value.pop("trained_on"))
    frame = collect(context.task, files, [])
    assert frame["trained_data"].isna().all()
    told = agreeing(context, frame)
    assert set(told["trained_data"]) == {trained_on(context, context.runs[0])["data"]}
    assert told["trained_saliency"].isna().all()
    assert dict(told.dtypes) == dict(frame.dtypes)


def test_results_that_are_not_planned_are_no_matter(kept):
    fewer = changed(changed(BLOCK, "seeds", [0]), "methods.lzu_fixed", ...)
    _, frame = kept(fewer)
    assert frame["file"].nunique() == 6


def test_nothing_collected_agrees(tmp_path):
    context = toy_context(tmp_path)
    assert agreeing(context, collect(context.task, [], [])).empty


def test_a_timing_stamp_is_of_method_scale_and_sizes_alone(tmp_path):
    context = toy_context(tmp_path)
    run, same, other = (context.runs[k] for k in (0, 1, 2))
    mark = timing_stamp(context, run)
    assert timing_stamp(context, same) == mark != timing_stamp(context, other)
    for key, value, equal in (
        ("methods.uniform.learning_rate", 0.7, True),
        ("schedule", {"epochs": 9}, True),
        ("timing", {"rounds": 7}, True),
        (
            "model",
            {"base": "toy::x", "initial_weights": {"source": "x", "sha256": "0" * 64}},
            False,
        ),
        ("dataset.native_size", [64, 64], False),
        ("margin", 0.5, False),
    ):
        after = toy_context(tmp_path, changed(BLOCK, key, value))
        assert (timing_stamp(after, run) == mark) == equal, key
