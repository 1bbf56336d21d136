"""A user's mistake is one message, whatever the verb, the terminal and what is installed."""

import errno
import os
import subprocess
import sys

import pytest

from lzu import cli

CONFIG = "config/smoke.yaml"
OF_RUN = ("train", "predict", "cases", "stream", "score")
VERBS = {
    "world": ["--split", "train"],
    "check": ["--split", "val"],
    "prepare": ["--split", "train"],
    "split": [],
    "weights": [],
    "prior": [],
    "stage": ["--name", "x"],
    "draw-prior": [],
    "picture": [],
    "analysis": [],
    "accuracy-map": [],
    **{verb: ["--method", "uniform", "--to", "0.5"] for verb in OF_RUN},
    "time": [],
    "collect": [],
    "tables": [],
    "figures": [],
    "show": [],
    "keep": [],
    "list": [],
}


def stopped(capsys, *arguments):
    """The message and the status of a call that is refused."""
    try:
        status = cli.main(list(map(str, arguments)))
    except SystemExit as error:
        status = error.code
    message = capsys.readouterr().err
    assert status == 2
    assert "Traceback" not in message
    return message


def test_every_verb_is_looked_at():
    parser = cli.make_parser()
    verbs = next(action for action in parser._actions if action.choices)
    assert set(verbs.choices) == set(VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_a_suite_file_that_is_none_is_named(capsys, tmp_path, verb):
    (tmp_path / "bad.yaml").write_text("suite: a\nsuite: b\n")
    for path, said in [
        (tmp_path / "none.yaml", "no such suite file"),
        (tmp_path, "is a folder"),
        (tmp_path / "bad.yaml", "stands twice"),
    ]:
        message = stopped(capsys, verb, "--config", path, *VERBS[verb])
        assert f"lzu: {path}: " in message
        assert said in message


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("threads", ["0", "-1", "two", "1.5", ""])
def test_threads_are_counted_from_one(capsys, verb, threads):
    message = stopped(capsys, verb, "--config", CONFIG, *VERBS[verb], "--threads", threads)
    assert f"argument --threads: {threads!r} is no whole number from 1 on" in message


@pytest.mark.parametrize("verb", VERBS)
def test_a_task_that_the_suite_has_not_is_named(capsys, request, verb):
    config = request.config.rootpath / CONFIG
    message = stopped(capsys, verb, "--config", config, *VERBS[verb], "--task", "juggling")
    assert "has no task 'juggling'; it has: " in message


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train", "--method", "uniform", "--to", "0.5", "--processes", "0"], "--processes: '0'"),
        (["train", "--method", "uniform", "--to", "0"], "--to: '0' is no number above 0"),
        (["train", "--method", "uniform", "--to", "nan"], "--to: 'nan' is no number"),
        (["train", "--method", "uniform", "--to", "inf"], "--to: 'inf' is no number"),
        (["train", "--method", "uniform", "--to", "0.5", "--from", "-1"], "--from: '-1'"),
        (["train", "--method", "uniform", "--to", "0.5", "--seed", "-1"], "--seed: '-1'"),
        (["train", "--task", "detection2d", "--method", "juggler", "--to", "0.5"], "does not plan"),
        (
            [
                "train",
                "--task",
                "detection2d",
                "--method",
                "uniform",
                "--to",
                "0.5",
                "--option",
                "x",
            ],
            "x",
        ),
        (["train", "--method", "uniform", "--to", "0.5"], "--task: the suite has several"),
        (["picture", "--to", "0"], "--to: '0' is no number above 0"),
        (["stream", "--method", "lzu_adaptive", "--to", "0.5", "--frames", "0"], "--frames: '0'"),
        (["stream", "--method", "lzu_adaptive", "--to", "0.5", "--fps", "0"], "--fps: '0'"),
        (["cases", "--method", "lzu_fixed", "--to", "0.5", "--score", "1.5"], "--score: '1.5'"),
        (["cases", "--method", "lzu_fixed", "--to", "0.5", "--count", "-1"], "--count: '-1'"),
        (
            ["prior", "--task", "detection2d", "--name", "juggler"],
            "no planned run zooms by the prior",
        ),
        (["stage", "--task", "segmentation", "--name", "x"], "there are: "),
        (["stage", "--task", "detection2d", "--name", "x"], "there are: none"),
    ],
)
def test_values_out_of_range_are_named(capsys, request, arguments, said):
    config = request.config.rootpath / CONFIG
    assert said in stopped(capsys, arguments[0], "--config", config, *arguments[1:])


@pytest.mark.parametrize(
    ("module", "wanted"),
    [
        ("yaml", "lzu[report]"),
        ("matplotlib.pyplot", "lzu[report]"),
        ("mmdet", "lzu[openmmlab]"),
        ("cv2", "lzu[datasets]"),
        ("somewhere_else", "somewhere_else"),
    ],
)
def test_a_package_that_is_not_there_is_named_with_its_extra(
    capsys, monkeypatch, request, module, wanted
):
    def missing(options):
        raise ModuleNotFoundError(f"No module named {module!r}", name=module)

    monkeypatch.setattr(cli.verbs, "list_runs", missing)
    config = request.config.rootpath / CONFIG
    message = stopped(capsys, "list", "--config", config)
    assert message == (
        f"lzu: this needs {module.partition('.')[0]}, which is not installed: "
        f"pip install '{wanted}'\n"
    )


def test_a_module_of_our_own_that_is_missing_is_a_fault(monkeypatch):
    def missing(options):
        raise ModuleNotFoundError("No module named 'lzu.nothing'", name="lzu.nothing")

    monkeypatch.setattr(cli.verbs, "list_runs", missing)
    with pytest.raises(ModuleNotFoundError):
        cli.main(["list", "--config", CONFIG])


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS, errno.ENOTDIR])
def test_a_place_that_refuses_is_named(capsys, monkeypatch, number):
    def refused(options):
        raise OSError(number, os.strerror(number), "results/x")

    monkeypatch.setattr(cli.verbs, "list_runs", refused)
    assert cli.main(["list", "--config", CONFIG]) == 1
    assert capsys.readouterr().err == f"lzu: results/x: {os.strerror(number)}\n"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_a_terminal_that_lacks_a_character_is_no_reason_to_stop(request, encoding):
    root = request.config.rootpath
    arguments = ("show", "--config", "config/study.yaml", "--mode", "cached")
    env = {**os.environ, "PYTHONPATH": str(root), "PYTHONIOENCODING": encoding, "LC_ALL": "C"}
    code = (
        "import lzu.cli, sys; lzu.cli.verbs.show = lambda options: print('27.8±2.7 – 0.5×');"
        "sys.exit(lzu.cli.main(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=root, env=env, capture_output=True
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode(encoding).startswith("27.8")


def test_a_reader_that_has_enough_is_no_fault(request):
    root = request.config.rootpath
    code = (
        "import lzu.cli, sys;"
        "lzu.cli.verbs.list_runs = lambda o: [print('x' * 99) for _ in range(9999)];"
        "sys.exit(lzu.cli.main(sys.argv[1:]))"
    )
    env = {**os.environ, "PYTHONPATH": str(root)}
    command = [sys.executable, "-c", code, "list", "--config", CONFIG]
    with subprocess.Popen(
        command, cwd=root, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141
