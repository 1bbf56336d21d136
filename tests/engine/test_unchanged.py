"""What makes no other weights trains nothing: the stamp is compared before anything is done."""

import shutil
import zipfile

import pytest
import yaml

from lzu.cli import main
from lzu.experiments.run import Run
from lzu.results.stamps import is_trained, stamp
from tests.prepared import context_of, copied

RUN = Run("smoke", "detection2d", "lzu_fixed", 1.0, 0.5, 0)


@pytest.fixture
def trained(context, tmp_path):
    """A context whose run is trained, as far as its files tell."""
    from tests.tasks.detection2d.untrained import save_record

    own = copied(context, tmp_path / "results")
    save_record(own, RUN)
    with zipfile.ZipFile(own.paths.run(RUN, "checkpoint.pth"), "w") as archive:
        archive.writestr("weights", "w")
    return own


@pytest.fixture
def train(monkeypatch, capfd):
    """Train by the command line, which must end before it takes a GPU or a folder."""

    def refuse(*_, **__):
        raise AssertionError("began to train")

    monkeypatch.setattr("lzu.engine.devices.gpus_for", refuse)
    monkeypatch.setattr("lzu.engine.session.training_session", refuse)

    def say(config, context):
        words = ["--config", config, "--results", context.results, "--method", RUN.method]
        status = main([*map(str, ["train", *words, "--to", 0.5, "--threads", 1])])
        assert status == 0
        return capfd.readouterr().err

    return say


def with_dataset(config, tmp_path, **changes):
    settings = yaml.safe_load(config.read_text())
    settings["detection2d"]["dataset"].update(changes)
    path = tmp_path / "changed.yaml"
    path.write_text(yaml.safe_dump(settings))
    return path


def lzu_verbs(config, context, *verbs):
    for verb in verbs:
        words = [*verb, "--config", config, "--results", context.results]
        assert main([*map(str, words)]) == 0


def root_of(context):
    return context.settings.dataset.root


def header(config, context, tmp_path):
    path = with_dataset(config, tmp_path, image_check="header", tolerate=["box_size"])
    lzu_verbs(path, context, ("check", "--split", "train"), ("prepare", "--split", "train"))
    return path


def other_root(config, context, tmp_path):
    """A link to the same data: as an absolute root is to a relative one."""
    (tmp_path / "link").symlink_to(root_of(context))
    path = with_dataset(config, tmp_path, root=str(tmp_path / "link"))
    lzu_verbs(path, context, ("prepare", "--split", "train"), ("prepare", "--split", "val"))
    return path


def copied_tree(config, context, tmp_path):
    """All files are later, and elsewhere; the prior is made again of them."""
    shutil.copytree(root_of(context), tmp_path / "copy", copy_function=shutil.copyfile)
    path = with_dataset(config, tmp_path, root=str(tmp_path / "copy"))
    prepare = [("prepare", "--split", split) for split in ("train", "val")]
    lzu_verbs(path, context, *prepare, ("prior",))
    return path


def picture(config, context, tmp_path):
    lzu_verbs(config, context, ("draw-prior",))
    return config


def prior_made_again(config, context, tmp_path):
    path = context.paths.prior(context.prior_of(RUN))
    path.unlink()
    lzu_verbs(config, context, ("prior",))
    return config


@pytest.mark.parametrize("change", [header, other_root, copied_tree, picture, prior_made_again])
def test_no_equal_remake_trains_again(trained, config, tmp_path, train, change):
    mark = stamp(trained, RUN)
    path = change(config, trained, tmp_path)
    assert stamp(context_of(path, trained.results), RUN) == mark
    assert "trained already" in train(path, trained)
    assert is_trained(trained, RUN)


def test_other_data_does(trained, config, train):
    about = trained.paths.about("train")
    about.write_text(about.read_text().replace('"fingerprint": "', '"fingerprint": "0'))
    with pytest.raises(AssertionError, match="began to train"):
        train(config, trained)
