"""Which checkpoint an interrupted training goes on from: an intact one, read strictly."""

import shutil

import pytest
import torch

pytest.importorskip("mmdet")

from lzu.cli import main
from lzu.engine.progress import Progress
from lzu.engine.resume import AtomicBackend, newest_intact
from lzu.engine.session import training_session
from lzu.engine.train import train, training_folder
from lzu.engine.trained import load_trained
from lzu.engine.weights import read_state
from lzu.errors import UserError
from lzu.experiments.run import Run
from lzu.results.stamps import stamp
from tests.engine.planted import PLANTS, plant
from tests.prepared import context_of, copied

RUN = Run("smoke", "detection2d", "uniform", 1.0, 0.5, 0)


def content(iteration, **meta):
    parts = ("state_dict", "message_hub", "optimizer", "param_schedulers")
    return {**{name: {} for name in parts}, "meta": {"iter": iteration, **meta}}


@pytest.fixture
def saved(tmp_path):
    """A folder with the checkpoints of three iterations."""
    for iteration in (8, 10, 12):
        torch.save(content(iteration), tmp_path / f"iter_{iteration}.pth")
    (tmp_path / "last_checkpoint").write_text(str(tmp_path / "iter_12.pth"))
    return tmp_path


def other_content(path, value):
    path.unlink()
    torch.save(value, path)


def dangling(path):
    path.unlink()
    path.symlink_to(path.with_name("nowhere"))


def folder(path):
    path.unlink()
    path.mkdir()


DAMAGES = {
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-200]),
    "half": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "empty": lambda path: path.write_bytes(b""),
    "garbage": lambda path: path.write_bytes(b"\x80garbage\n" * 99),
    "text": lambda path: path.write_text("weights"),
    "a dangling link": dangling,
    "a folder": folder,
    "a list": lambda path: other_content(path, [1]),
    "weights alone": lambda path: other_content(path, {"state_dict": {}}),
    "another iteration's": lambda path: other_content(path, content(8)),
    "without meta": lambda path: other_content(path, {**content(12), "meta": None}),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_of_damaged_checkpoints_the_one_before_is_used_and_it_is_said(saved, damage):
    DAMAGES[damage](saved / "iter_12.pth")
    found, notes = newest_intact(saved)
    assert found == saved / "iter_10.pth"
    [note] = notes
    assert str(saved / "iter_12.pth") in note
    assert note.endswith("it is not used")
    assert "\n" not in note


def test_without_an_intact_one_it_is_said_that_training_starts_anew(saved):
    for path in saved.glob("*.pth"):
        path.write_bytes(b"")
    found, notes = newest_intact(saved)
    assert found is None
    assert len(notes) == 3 + 1
    assert notes[-1] == f"{saved}: no checkpoint is intact, so the training starts anew"


def test_a_missing_checkpoint_is_no_damage(tmp_path, saved):
    (saved / "iter_12.pth").unlink()
    assert newest_intact(saved) == (saved / "iter_10.pth", [])
    assert newest_intact(tmp_path / "nowhere") == (None, [])


@pytest.mark.parametrize("said", [b"", b"/nowhere/iter_9.pth", b"\xff\x00", b"../../x.pth", None])
def test_what_mmengine_s_pointer_says_is_of_no_matter(saved, said):
    """A kill may leave it empty, or naming what is no more; another may point it anywhere."""
    pointer = saved / "last_checkpoint"
    pointer.unlink() if said is None else pointer.write_bytes(said)
    assert newest_intact(saved) == (saved / "iter_12.pth", [])


def test_newest_is_by_number_and_other_files_are_no_checkpoints(saved):
    torch.save(content(100), saved / "iter_100.pth")
    for name in ("iter_x.pth", "iter_200.pth.tmp", ".iter_300.1.partial.pth", "iter_-1.pth"):
        (saved / name).write_bytes(b"")
    assert newest_intact(saved) == (saved / "iter_100.pth", [])


@pytest.mark.parametrize("kind", ["archive", "getattr"])
def test_a_checkpoint_that_would_run_code_is_refused(saved, kind):
    """Not merely passed over: who put it there may have touched the others, too."""
    _, proof = plant(saved, kind, "iter_14.pth", content(14))
    with pytest.raises(UserError, match=r"iter_14\.pth: refused, because it asks for .*delete it"):
        newest_intact(saved)
    assert not proof.exists()


def test_a_plain_pickle_is_not_read(saved):
    path, proof = plant(saved, "plain pickle", "iter_14.pth", content(14))
    found, [note] = newest_intact(saved)
    assert found == saved / "iter_12.pth"
    assert str(path) in note
    assert not proof.exists()


def test_a_config_that_mmengine_would_run_is_refused(saved):
    proof = saved / "proof"
    code = f"import pathlib\npathlib.Path({str(proof)!r}).touch()"
    torch.save(content(14, config=code), saved / "iter_14.pth")
    with pytest.raises(UserError, match=r"iter_14\.pth: refused, because it brings a config"):
        newest_intact(saved)


def test_what_may_not_be_read_is_an_error(saved, monkeypatch):
    """It may be intact, so training must not go on from an older one in silence."""

    def forbidden(*_, **__):
        raise PermissionError("not yours")

    monkeypatch.setattr("torch.load", forbidden)
    with pytest.raises(UserError, match=r"iter_12\.pth: cannot be read"):
        newest_intact(saved)


def test_a_checkpoint_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "iter_1.pth"
    AtomicBackend().put(b"first", path)

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("os.replace", killed)
    with pytest.raises(KeyboardInterrupt):
        AtomicBackend().put(b"second", str(path))
    assert path.read_bytes() == b"first"


@pytest.mark.parametrize("mark", [b"other", b"\xff\xfe"])
def test_a_folder_of_another_training_is_cleared(saved, mark):
    (saved / "stamp").write_bytes(mark)
    with training_session(saved, "same"):
        assert [path.name for path in saved.iterdir()] == ["stamp"]


def test_a_session_removes_what_a_kill_left_half_written(saved):
    (saved / "stamp").write_text("same")
    (saved / ".iter_14.77.partial.pth").write_bytes(b"x")
    with training_session(saved, "same"):
        assert newest_intact(saved) == (saved / "iter_12.pth", [])
        assert not list(saved.glob(".*"))


@pytest.fixture(scope="module")
def longer(config):
    """A suite file with trainings of 6 iterations that save themselves every second one."""
    path = config.with_name("longer.yaml")
    path.write_text(config.read_text().replace("epochs: 1", "epochs: 2"))
    return path


@pytest.fixture(scope="module")
def interrupted(longer, results, tmp_path_factory):
    """A training that was not interrupted, and one that was after it had saved itself twice."""
    found = []
    for name, stop in (("undisturbed", None), ("interrupted", 4)):
        own = copied(context_of(longer, results), tmp_path_factory.mktemp(name))
        folder = training_folder(own, RUN)
        check = Progress.after_train_iter

        def stopped(self, runner, batch_idx, data_batch=None, outputs=None, stop=stop, check=check):
            check(self, runner, batch_idx, data_batch, outputs)
            if runner.iter == stop:
                raise KeyboardInterrupt

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Progress, "after_train_iter", stopped)
            try:
                with training_session(folder, stamp(own, RUN)):
                    train(own, RUN)
            except KeyboardInterrupt:
                assert len(list(folder.glob("iter_*.pth"))) > 1
        found.append(own)
    return found


def resumed(context, config, tmp_path, capfd, spoil):
    """Resume the interrupted training in a copy that was spoiled; exit status and what is said."""
    results = shutil.copytree(context.results, tmp_path / "results")
    folder = results / training_folder(context, RUN).relative_to(context.results)
    spoil(folder)
    words = ["--method", RUN.method, "--to", "0.5", "--threads", "1"]
    status = main(["train", "--config", str(config), "--results", str(results), *words])
    return status, capfd.readouterr().err, results / "smoke" / RUN.path / "checkpoint.pth"


def weights(path):
    return torch.load(path, weights_only=True)["state_dict"]


def spoil_newest(folder):
    newest, _ = newest_intact(folder)
    newest.write_bytes(newest.read_bytes()[:1000])


def spoil_all(folder):
    for path in folder.glob("iter_*.pth"):
        path.write_bytes(b"")


@pytest.mark.parametrize("spoil", [spoil_newest, spoil_all])
def test_a_training_with_damaged_checkpoints_ends_with_the_weights_of_an_undisturbed_one(
    interrupted, longer, tmp_path, capfd, spoil
):
    undisturbed, context = interrupted
    status, said, path = resumed(context, longer, tmp_path, capfd, spoil)
    assert status == 0, said
    assert "damaged" in said
    assert ("starts anew" in said) == (spoil is spoil_all)
    assert ("resumed at iteration" in said) == (spoil is spoil_newest)
    expected = weights(undisturbed.paths.run(RUN, "checkpoint.pth"))
    for name, found in weights(path).items():
        assert torch.equal(found, expected[name]), name


@pytest.mark.parametrize("kind", ["archive", "getattr"])
def test_a_training_stops_at_a_planted_checkpoint(interrupted, longer, tmp_path, capfd, kind):
    proofs = []

    def spoil(folder):
        newest, _ = newest_intact(folder)
        given = torch.load(newest, weights_only=True)
        proofs.append(plant(folder, kind, newest.name, given)[1])

    status, said, path = resumed(interrupted[1], longer, tmp_path, capfd, spoil)
    assert status == 2
    assert "refused, because it asks for" in said
    assert "Traceback" not in said
    assert not proofs[0].exists()
    assert not path.exists()


@pytest.mark.parametrize("kind", PLANTS)
def test_planted_trained_weights_are_not_read(interrupted, tmp_path, kind):
    context = interrupted[0]
    own = copied(context, tmp_path)
    path = own.paths.run(RUN, "checkpoint.pth")
    path.parent.mkdir(parents=True)
    given = torch.load(context.paths.run(RUN, "checkpoint.pth"), weights_only=True)
    _, proof = plant(path.parent, kind, path.name, given)
    with pytest.raises(UserError, match=r"checkpoint\.pth: not a checkpoint that can be read"):
        load_trained(own, RUN)
    assert not proof.exists()


@pytest.mark.parametrize("kind", PLANTS)
def test_weights_to_start_from_run_no_code(tmp_path, kind):
    path, proof = plant(tmp_path, kind)
    with pytest.raises(UserError, match=r"planted\.pth: not a checkpoint that can be read safely"):
        read_state(path)
    assert not proof.exists()
