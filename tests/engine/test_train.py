"""Training repeats exactly, also over a kill; what it leaves behind is checked before use."""

import hashlib
import json
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
import torch
import yaml
from mmengine.registry import HOOKS

from lzu.cli import main
from lzu.engine.train import _runner_config, train, training_folder
from lzu.engine.trained import load_trained
from lzu.errors import UserError
from lzu.experiments.run import Run
from lzu.results.predictions import is_predicted
from lzu.results.prior import load_prior, save_prior
from lzu.results.stamps import RECORD, fingerprint, is_trained, stamp
from lzu.tasks.detection2d.adaptive import Cascade
from tests.prepared import changed, context_of, copied, copy_of, lzu

ARGUMENTS = ("--method", "lzu_fixed", "--to", "0.5", "--seed", "0", "--threads", "1")


@pytest.fixture(scope="module")
def long_config(config):
    """A run of 12 iterations that saves itself every second one."""
    text = config.read_text()
    path = config.with_name("long.yaml")
    path.write_text(text.replace("epochs: 1", "epochs: 4"))
    return path


@pytest.fixture(scope="module")
def undisturbed(long_config, results):
    lzu("train", "--config", long_config, "--results", results, *ARGUMENTS)
    return results


def run():
    return Run("smoke", "detection2d", "lzu_fixed", 1.0, 0.5, 0)


def state(folder):
    path = folder / "smoke" / run().path / "checkpoint.pth"
    return torch.load(path, weights_only=True)["state_dict"]


def kill_and_resume(arguments, folder):
    """Kill a training as soon as it has saved itself, and start it again; return what it says."""
    command = [sys.executable, "-m", "lzu.cli", "train", *map(str, arguments)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    mark = folder / "training" / "last_checkpoint"
    deadline = time.monotonic() + 120
    # it is there, and empty, a moment before it names a checkpoint
    while not (mark.is_file() and mark.read_text()):
        assert process.poll() is None, "training ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (folder / "checkpoint.pth").exists()
    said = lzu(*command[3:]).stderr
    assert not mark.parent.exists()
    return said


def test_a_killed_training_ends_with_the_weights_of_an_undisturbed_one(
    undisturbed, long_config, tmp_path
):
    results = copy_of(undisturbed, tmp_path / "killed")
    folder = results / "smoke" / run().path
    said = kill_and_resume(["--config", long_config, "--results", results, *ARGUMENTS], folder)
    assert "resumed at iteration" in said
    for (name, expected), (_, found) in zip(
        state(undisturbed).items(), state(results).items(), strict=True
    ):
        assert torch.equal(expected, found), name
    record = json.loads((folder / "train.json").read_text())
    assert record["resumed_at"] >= 2
    assert record["training"]["iterations"] == 12


def test_a_killed_adaptive_training_jitters_and_cascades_as_an_undisturbed_one(
    long_config, results, tmp_path
):
    """It is killed before the cascade begins, so that both stages come after the kill."""
    text = long_config.read_text()
    config = tmp_path / "cascade.yaml"
    config.write_text(text.replace("cascade_from_epoch: 0.5", "cascade_from_epoch: 3"))
    assert "cascade_from_epoch: 3" in config.read_text()
    arguments = ["--config", config, "--method", "lzu_adaptive", "--to", "0.5", "--threads", "1"]
    adaptive = replace(run(), method="lzu_adaptive")
    states = {}
    for name in ("undisturbed", "killed"):
        given = copy_of(results, tmp_path / name)
        folder = given / "smoke" / adaptive.path
        if name == "killed":
            said = kill_and_resume([*arguments, "--results", given], folder)
            assert "resumed at iteration" in said
            assert json.loads((folder / "train.json").read_text())["resumed_at"] < 9
        else:
            lzu("train", *arguments, "--results", given)
        states[name] = torch.load(folder / "checkpoint.pth", weights_only=True)["state_dict"]
    for name, expected in states["undisturbed"].items():
        assert torch.equal(expected, states["killed"][name]), name


def test_the_cascaded_method_alone_trains_with_the_cascade_s_hook(context):
    task = context.settings
    # 12 images in batches of 5 are 3 iterations an epoch; 1.1 epochs are 3.3
    settings = {
        "schedule": task.schedule.model_copy(update={"batch": 5, "epochs": 4}),
        "adaptive": task.adaptive.model_copy(update={"cascade_from_epoch": 1.1}),
    }
    given = changed(context, **settings)

    def cascades(method):
        own = replace(run(), method=method)
        found = _runner_config(given, own, training_folder(given, own), 0, "none")
        hooks = [HOOKS.build(hook) for hook in found["custom_hooks"]]
        return [hook.first_iteration for hook in hooks if isinstance(hook, Cascade)]

    assert len(json.loads(context.paths.annotations("train").read_text())["images"]) == 12
    assert cascades("lzu_adaptive") == [4]
    assert cascades("lzu_adaptive_no_cascade") == []
    assert cascades("uniform") == []
    # of 12 iterations the last begins at 3.67 epochs
    settings["adaptive"] = task.adaptive.model_copy(update={"cascade_from_epoch": 3.9})
    given = changed(context, **settings)
    with pytest.raises(UserError, match="leaves none of the training's 12 iterations"):
        cascades("lzu_adaptive")


def test_training_on_images_of_another_scale_is_refused(config, results):
    """Table 2 evaluates; a slip in a command must not train a model for it."""
    arguments = ["--method", "lzu_fixed", "--from", "0.25", "--to", "0.5"]
    done = lzu("train", "--config", config, "--results", results, *arguments, check=False)
    assert done.returncode == 2
    assert "lzu_fixed/1-0.5/seed0: train that, and predict this" in done.stderr


def test_a_checkpoint_of_another_number_of_classes_is_refused(undisturbed, long_config, tmp_path):
    content = torch.load(undisturbed / "smoke" / run().path / "checkpoint.pth", weights_only=True)
    content["state_dict"]["bbox_head.retina_cls.bias"] = torch.zeros(9 * 80)
    path = tmp_path / "smoke" / run().path / "checkpoint.pth"
    path.parent.mkdir(parents=True)
    torch.save(content, path)
    copy_of(undisturbed, tmp_path)
    with pytest.raises(UserError, match=r"checkpoint\.pth: does not fit.*\[720\].*train again"):
        load_trained(context_of(long_config, tmp_path), run())


def test_a_checkpoint_of_another_method_is_refused(undisturbed, long_config, tmp_path):
    results = copy_of(undisturbed, tmp_path / "other")
    learned = replace(run(), method="lzu_learned")
    folder = results / "smoke" / learned.path
    folder.mkdir(parents=True)
    shutil.copy(undisturbed / "smoke" / run().path / "checkpoint.pth", folder)
    arguments = ("--config", long_config, "--results", results, "--to", "0.5")
    done = lzu("predict", *arguments, "--method", "lzu_learned", check=False)
    assert done.returncode == 2
    assert "'method': 'lzu_fixed'" in done.stderr


def test_an_interrupted_training_of_other_settings_is_not_resumed(
    undisturbed, long_config, tmp_path
):
    results = copy_of(undisturbed, tmp_path / "stale")
    folder = results / "smoke" / run().path / "training"
    folder.mkdir(parents=True)
    (folder / "stamp").write_text("another")
    (folder / "last_checkpoint").write_text("/nowhere/iter_2.pth")
    done = lzu("train", "--config", long_config, "--results", results, *ARGUMENTS)
    assert "resumed" not in done.stderr
    assert torch.equal(
        state(undisturbed)["bbox_head.retina_cls.bias"], state(results)["bbox_head.retina_cls.bias"]
    )


def test_a_checkpoint_of_other_settings_is_refused(undisturbed, config):
    done = lzu("predict", "--config", config, "--results", undisturbed, *ARGUMENTS, check=False)
    assert done.returncode == 2
    assert "other settings or data" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_run_that_is_not_planned_is_refused(config, results):
    arguments = ("--method", "uniform", "--to", "0.75")
    done = lzu("train", "--config", config, "--results", results, *arguments, check=False)
    assert done.returncode == 2
    assert "does not plan" in done.stderr


@pytest.mark.slow
def test_two_processes_train_together(long_config, undisturbed, tmp_path):
    """Under torchrun, on the CPU: each process takes half of every batch."""
    results = copy_of(undisturbed, tmp_path / "two")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command += ["-m", "lzu.cli", "train", "--config", str(long_config), "--results", str(results)]
    done = subprocess.run(
        [*command, *ARGUMENTS, "--launcher", "pytorch"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    alone, together = state(undisturbed), state(results)
    assert alone.keys() == together.keys()
    for value in together.values():
        assert torch.isfinite(value.float()).all()
    # BN statistics are a process's own, so weights agree in kind and not bit by bit.
    name = "bbox_head.retina_cls.bias"
    torch.testing.assert_close(alone[name], together[name], rtol=0.05, atol=0.05)


def test_several_processes_without_gpus_are_refused(config, results):
    done = lzu(
        *("train", "--config", config, "--results", results, *ARGUMENTS, "--processes", "2"),
        check=False,
    )
    assert done.returncode == 2
    assert "no GPU can be used here" in done.stderr


def test_a_run_is_trained_by_one_process_at_a_time(config, results, tmp_path):
    from lzu.engine.session import training_session

    folder = copy_of(results, tmp_path / "busy")
    with training_session(folder / "smoke" / run().path / "training", "x"):
        done = lzu("train", "--config", config, "--results", folder, *ARGUMENTS, check=False)
    assert done.returncode == 2
    assert "another process trains this run" in done.stderr


@pytest.fixture
def trained(undisturbed, long_config, tmp_path):
    """A copy of all that the undisturbed training needed and left."""
    context = copied(context_of(long_config, undisturbed), tmp_path / "trained")
    shutil.copytree(undisturbed / "smoke" / run().path, context.paths.run(run(), ""))
    return context


def refingerprint(context, split):
    """Let the prepared split be of other data, as far as one can tell."""
    path = context.paths.about(split)
    about = json.loads(path.read_text())
    path.write_text(json.dumps({**about, "fingerprint": f"not {about['fingerprint']}"}))


def say(verb, config, context, capfd):
    """What a verb of the run says to standard error; it must succeed."""
    arguments = [verb, "--config", config, "--results", context.results, *ARGUMENTS[:-2]]
    assert main([*map(str, arguments)]) == 0
    return capfd.readouterr().err


def kept(context, *names):
    """Name -> bytes and time of the run's files."""
    files = {name: context.paths.run(run(), name) for name in names}
    return {name: (path.read_bytes(), path.stat().st_mtime_ns) for name, path in files.items()}


def rewrite(context, config, split):
    """Prepare a split again: newer files of equal content."""
    files = [context.paths.annotations(split), context.paths.about(split)]
    before = [(path.read_bytes(), path.stat().st_mtime_ns) for path in files]
    arguments = ["--split", split, "--config", config, "--results", context.results]
    assert main(["prepare", *map(str, arguments)]) == 0
    for path, (content, written) in zip(files, before, strict=True):
        assert path.read_bytes() == content
        assert path.stat().st_mtime_ns > written


@pytest.mark.parametrize("part", ["data", "prior"])
def test_changed_data_or_prior_makes_a_checkpoint_stale(trained, long_config, part):
    if part == "data":
        refingerprint(trained, "train")
    else:
        path = trained.paths.prior(trained.prior_of(run()))
        prior = load_prior(path)
        save_prior(path, replace(prior, saliency=prior.saliency[:, :, ::-1].copy()))
    arguments = ("--config", long_config, "--results", trained.results, *ARGUMENTS)
    done = lzu("predict", *arguments, check=False)
    assert done.returncode == 2
    assert "other settings or data" in done.stderr
    assert not is_trained(trained, run())


def test_an_unchanged_run_is_not_trained_again(trained, long_config, capfd):
    before = kept(trained, "checkpoint.pth", "train.json")
    rewrite(trained, long_config, "train")
    assert "trained already" in say("train", long_config, trained, capfd)
    assert kept(trained, "checkpoint.pth", "train.json") == before
    assert not training_folder(trained, run()).exists()


def test_a_run_of_other_training_data_is_trained_again(trained, long_config, capfd):
    before = kept(trained, "checkpoint.pth", "train.json")
    refingerprint(trained, "val")
    assert "trained already" in say("train", long_config, trained, capfd)
    refingerprint(trained, "train")
    assert "trained already" not in say("train", long_config, trained, capfd)
    after = kept(trained, "checkpoint.pth", "train.json")
    marks = [json.loads(found["train.json"][0])["stamp"] for found in (before, after)]
    assert marks[0] != marks[1] == stamp(trained, run())
    path = trained.paths.run(run(), "checkpoint.pth")
    assert torch.load(path, weights_only=True)["about"]["stamp"] == marks[1]
    assert "trained already" in say("train", long_config, trained, capfd)
    assert kept(trained, "checkpoint.pth", "train.json") == after


def test_a_run_without_its_checkpoint_or_record_is_not_trained(trained):
    assert is_trained(trained, run())
    for name in ("checkpoint.pth", "train.json"):
        path = trained.paths.run(run(), name)
        content = path.read_bytes()
        path.unlink()
        assert not is_trained(trained, run())
        # else a damaged one would be refused by what reads it, and never made again
        middle = len(content) // 2
        flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
        for damaged in (b"", content[:-100], b"garbage", *([flipped] if name != RECORD else [])):
            path.write_bytes(damaged)
            assert not is_trained(trained, run())
        path.write_bytes(content)
        assert is_trained(trained, run())
    trained.paths.run(run(), "train.json").write_text("[]")
    assert not is_trained(trained, run())


def test_weights_without_their_record_are_not_taken_for_those_of_an_older_one(
    trained, long_config, monkeypatch
):
    """Killed after its weights are written and before its record is; then settings go back."""
    longer = changed(trained, schedule=trained.settings.schedule.model_copy(update={"epochs": 5}))

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("lzu.engine.train.collect_provenance", killed)
    training_folder(longer, run()).mkdir()
    with pytest.raises(KeyboardInterrupt):
        train(longer, run())
    about = torch.load(trained.paths.run(run(), "checkpoint.pth"), weights_only=True)["about"]
    assert about["stamp"] == stamp(longer, run())
    assert not is_trained(trained, run())


def test_an_unchanged_run_is_not_predicted_with_again(trained, long_config, capfd):
    assert "predicted already" not in say("predict", long_config, trained, capfd)
    before = kept(trained, "predictions.json")
    rewrite(trained, long_config, "val")
    assert "predicted already" in say("predict", long_config, trained, capfd)
    assert kept(trained, "predictions.json") == before
    refingerprint(trained, "val")
    assert "predicted already" not in say("predict", long_config, trained, capfd)
    after = json.loads(kept(trained, "predictions.json")["predictions.json"][0])
    earlier = json.loads(before["predictions.json"][0])
    assert after["fingerprint"] == fingerprint(trained, "val") != earlier["fingerprint"]
    assert after["detections"] == earlier["detections"]
    assert is_predicted(trained, run())
    refingerprint(trained, "train")
    assert not is_predicted(trained, run())


def test_initial_weights_are_what_training_starts_from(long_config, undisturbed, tmp_path):
    """With a learning rate of nothing, what went in comes out (but for BN statistics)."""
    source = undisturbed / "smoke" / run().path / "checkpoint.pth"
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    settings = yaml.safe_load(long_config.read_text())
    settings["detection2d"]["model"]["initial_weights"] = {"source": str(source), "sha256": digest}
    settings["detection2d"]["methods"]["lzu_fixed"]["learning_rate"] = 1e-30
    path = tmp_path / "pretrained.yaml"
    path.write_text(yaml.safe_dump(settings))
    results = copy_of(undisturbed, tmp_path / "pretrained")
    lzu("weights", "--config", path, "--results", results)
    lzu("train", "--config", path, "--results", results, *ARGUMENTS)
    given, found = state(undisturbed), state(results)
    for name, value in given.items():
        if "running" not in name and "num_batches" not in name:
            torch.testing.assert_close(found[name], value, msg=name)
    record = json.loads((results / "smoke" / run().path / "train.json").read_text())
    assert record["training"]["initial_weights"] == f"checkpoint.pth (sha256 {digest[:8]})"


def test_a_warm_up_longer_than_the_training_is_refused(config, results, tmp_path):
    path = tmp_path / "warm.yaml"
    path.write_text(config.read_text().replace("warmup_iterations: 0", "warmup_iterations: 99"))
    done = lzu("train", "--config", path, "--results", results, *ARGUMENTS, check=False)
    assert done.returncode == 2
    assert "schedule.warmup_iterations" in done.stderr


def test_a_lost_loss_stops_the_training(config, results, tmp_path):
    path = config.with_name("lost.yaml")
    path.write_text(config.read_text().replace("learning_rate: 0.01", "learning_rate: 1.0e+30"))
    folder = copy_of(results, tmp_path / "lost")
    done = lzu("train", "--config", path, "--results", folder, *ARGUMENTS, check=False)
    assert done.returncode == 2
    assert "lower the learning rate" in done.stderr
    assert not list(folder.glob("**/checkpoint.pth"))


@pytest.mark.parametrize(
    ("method", "said"),
    [("uniform", "train.about.json: no such file"), ("lzu_fixed", ".npz: no such prior")],
)
def test_missing_data_is_named(config, tmp_path, method, said):
    arguments = ("--config", config, "--results", tmp_path, "--method", method, "--to", "0.5")
    done = lzu("train", *arguments, check=False)
    assert done.returncode == 2
    assert said in done.stderr


def test_weights_are_checked(tmp_path):
    from lzu.engine.weights import fetch
    from lzu.experiments.settings import Weights

    source, target = tmp_path / "a.pth", tmp_path / "b.pth"
    source.write_bytes(b"weights")
    with pytest.raises(UserError, match="sha256"):
        fetch(Weights(source=str(source), sha256="0" * 64), target)
    assert not target.exists()
    with pytest.raises(UserError, match="cannot read"):
        fetch(Weights(source=str(tmp_path / "c.pth"), sha256="0" * 64), target)


def test_a_coco_classifier_is_cut_down_to_our_classes(tmp_path):
    from lzu.datasets.argoverse_hd.classes import COCO_INDICES
    from lzu.engine.weights import select_classes

    weight = torch.arange(9 * 80 * 2 * 3 * 3.0).reshape(720, 2, 3, 3)
    bias = torch.arange(720.0)
    cut = select_classes({"x.weight": weight, "x.bias": bias}, "x", 80, COCO_INDICES)
    assert cut["x.weight"].shape == (72, 2, 3, 3)
    for anchor in range(9):
        for ours, theirs in enumerate(COCO_INDICES):
            assert cut["x.bias"][anchor * 8 + ours] == bias[anchor * 80 + theirs]
            assert torch.equal(cut["x.weight"][anchor * 8 + ours], weight[anchor * 80 + theirs])
