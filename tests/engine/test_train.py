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

from lzu.engine.train import _runner_config, training_folder
from lzu.errors import UserError
from lzu.experiments.run import Run
from lzu.tasks.detection2d.adaptive import Cascade
from tests.prepared import copy_of, lzu

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
    while not mark.exists():
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


def test_the_cascaded_method_alone_trains_with_the_cascade_s_hook(suite, paths):
    task = suite.detection2d
    # 12 images in batches of 5 are 3 iterations an epoch; 1.1 epochs are 3.3
    settings = {
        "schedule": task.schedule.model_copy(update={"batch": 5, "epochs": 4}),
        "adaptive": task.adaptive.model_copy(update={"cascade_from_epoch": 1.1}),
    }
    changed = suite.model_copy(update={"detection2d": task.model_copy(update=settings)})

    def cascades(method):
        given = replace(run(), method=method)
        found = _runner_config(changed, given, paths, training_folder(given, paths), 0, "none")
        hooks = [HOOKS.build(hook) for hook in found["custom_hooks"]]
        return [hook.first_iteration for hook in hooks if isinstance(hook, Cascade)]

    assert len(json.loads(paths.annotations("train").read_text())["images"]) == 12
    assert cascades("lzu_adaptive") == [4]
    assert cascades("lzu_adaptive_no_cascade") == []
    assert cascades("uniform") == []
    # of 12 iterations the last begins at 3.67 epochs
    settings["adaptive"] = task.adaptive.model_copy(update={"cascade_from_epoch": 3.9})
    changed = suite.model_copy(update={"detection2d": task.model_copy(update=settings)})
    with pytest.raises(UserError, match="leaves none of the training's 12 iterations"):
        cascades("lzu_adaptive")


def test_training_on_images_of_another_scale_is_refused(config, results):
    """Table 2 evaluates; a slip in a command must not train a model for it."""
    arguments = ["--method", "lzu_fixed", "--from", "0.25", "--to", "0.5"]
    done = lzu("train", "--config", config, "--results", results, *arguments, check=False)
    assert done.returncode == 2
    assert "lzu_fixed/1-0.5/seed0: train that, and predict this" in done.stderr


def test_a_checkpoint_of_another_number_of_classes_is_refused(undisturbed, long_config, tmp_path):
    from lzu.experiments.config import load_suite
    from lzu.experiments.paths import Paths
    from lzu.tasks.detection2d.predict import load_trained

    content = torch.load(undisturbed / "smoke" / run().path / "checkpoint.pth", weights_only=True)
    content["state_dict"]["bbox_head.retina_cls.bias"] = torch.zeros(9 * 80)
    path = tmp_path / "smoke" / run().path / "checkpoint.pth"
    path.parent.mkdir(parents=True)
    torch.save(content, path)
    copy_of(undisturbed, tmp_path)
    suite = load_suite(long_config)
    with pytest.raises(UserError, match=r"checkpoint\.pth: does not fit.*\[720\].*train again"):
        load_trained(suite, run(), Paths(suite, tmp_path))


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


def test_changed_data_or_prior_makes_a_checkpoint_stale(undisturbed, long_config, tmp_path):
    results = copy_of(undisturbed, tmp_path / "data")
    shutil.copytree(undisturbed / "smoke" / "runs", results / "smoke" / "runs")
    path = results / "smoke" / "data" / "argoverse_hd" / "train.json"
    content = json.loads(path.read_text())
    content["info"]["fingerprint"] = "other"
    path.write_text(json.dumps(content))
    done = lzu("predict", "--config", long_config, "--results", results, *ARGUMENTS, check=False)
    assert done.returncode == 2
    assert "other settings or data" in done.stderr


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


@pytest.mark.parametrize("left", ["", "/nowhere/iter_8.pth"])
def test_a_kill_while_saving_falls_back_on_the_checkpoint_before(tmp_path, left):
    from lzu.engine.session import training_session

    folder = tmp_path / "training"
    folder.mkdir()
    (folder / "stamp").write_text("same")
    for iteration in (8, 10):
        (folder / f"iter_{iteration}.pth").write_bytes(b"x")
    (folder / "last_checkpoint").write_text(left)
    with training_session(folder, "same"):
        assert (folder / "last_checkpoint").read_text() == str(folder / "iter_8.pth")
    assert not folder.exists()


def test_a_lost_loss_stops_the_training(config, results, tmp_path):
    path = config.with_name("lost.yaml")
    path.write_text(config.read_text().replace("learning_rate: 0.01", "learning_rate: 1.0e+30"))
    folder = copy_of(results, tmp_path / "lost")
    done = lzu("train", "--config", path, "--results", folder, *ARGUMENTS, check=False)
    assert done.returncode == 2
    assert "lower the learning rate" in done.stderr
    assert not list(folder.glob("**/checkpoint.pth"))


def test_missing_annotations_are_named(config, tmp_path):
    done = lzu("train", "--config", config, "--results", tmp_path, *ARGUMENTS, check=False)
    assert done.returncode == 2
    assert "train.json: no such file" in done.stderr


def test_weights_are_checked(tmp_path):
    from lzu.engine.weights import fetch
    from lzu.experiments.config import Weights

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
