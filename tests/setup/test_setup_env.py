"""What stops a set-up says so in one line, before anything is made."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import setup_env
from console import SetupError, run_logged


@pytest.fixture
def clone(root: Path, tmp_path: Path) -> Path:
    """What a set-up needs of a checkout, elsewhere, with no environment."""
    target = tmp_path / "clone"
    for name in ("tools", "requirements"):
        shutil.copytree(root / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "Makefile"):
        shutil.copy(root / name, target / name)
    return target


def set_up(clone: Path, path: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs tools/setup-env with only the given PATH and an empty wheel cache."""
    env = {"PATH": path, "HOME": str(clone), "LZU_CACHE": str(clone / "cache"), **variables}
    command = [shutil.which("bash"), str(clone / "tools/setup-env")]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)


def commands(folder: Path, *names: str) -> str:
    """A PATH that holds only the named commands."""
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).symlink_to(shutil.which(name))
    return str(folder)


def one_line(result: subprocess.CompletedProcess[str]) -> str:
    assert result.returncode != 0
    lines = (result.stdout + result.stderr).strip().splitlines()
    assert len(lines) == 1, lines
    return lines[0]


def test_missing_compiler(clone: Path, tmp_path: Path) -> None:
    path = commands(tmp_path / "bin", "dirname", *setup_env.COMMANDS)
    message = one_line(set_up(clone, path, LZU_PYTHON=sys.executable))
    assert "no C++ compiler (c++)" in message
    assert not (clone / ".venv").exists()


def test_compiler_that_does_not_compile(clone: Path, tmp_path: Path) -> None:
    path = commands(tmp_path / "bin", "dirname", "false", *setup_env.COMMANDS)
    message = one_line(set_up(clone, path, LZU_PYTHON=sys.executable, CXX="false"))
    assert "false cannot compile" in message
    assert not (clone / ".venv").exists()


@pytest.mark.parametrize(("missing", "package"), sorted(setup_env.COMMANDS.items()))
def test_missing_command(clone: Path, tmp_path: Path, missing: str, package: str) -> None:
    present = [name for name in setup_env.COMMANDS if name != missing]
    path = commands(tmp_path / "bin", "dirname", *present)
    message = one_line(set_up(clone, path, LZU_PYTHON=sys.executable))
    assert f"no {missing} on the PATH" in message
    assert f"apt install {package})" in message
    assert not (clone / ".venv").exists()


@pytest.mark.parametrize("filled", [True, False])
def test_environment_that_is_a_link_is_left_alone(clone, tmp_path: Path, filled: bool) -> None:
    """It may be another checkout's, made by its set-up, and out of date only here."""
    theirs = tmp_path / "other" / ".venv"
    (theirs / "lib").mkdir(parents=True)
    (theirs / setup_env.MARK).touch()
    if filled:
        (theirs / "pyvenv.cfg").write_text("home = /usr\n")
        (theirs / "lib" / "package.py").write_text("theirs")
    before = sorted(path.relative_to(theirs) for path in theirs.rglob("*"))
    (clone / ".venv").symlink_to(theirs)
    path = commands(tmp_path / "bin", "dirname", *setup_env.COMMANDS)
    message = one_line(set_up(clone, path, LZU_PYTHON=sys.executable))
    assert f"{clone / '.venv'} is a link to {theirs}" in message
    assert sorted(path.relative_to(theirs) for path in theirs.rglob("*")) == before
    assert (clone / ".venv").is_symlink()


@pytest.mark.parametrize("linked", ["data", "results"])
def test_nothing_is_removed_behind_a_link(clone: Path, tmp_path: Path, linked: str) -> None:
    """`make smoke` begins from nothing, in this checkout alone."""
    theirs = tmp_path / "other" / "smoke"
    theirs.mkdir(parents=True)
    (theirs / "precious").touch()
    own = clone / ("results" if linked == "data" else "data") / "smoke"
    own.mkdir(parents=True)
    (clone / linked).symlink_to(theirs.parent)
    command = [clone / "tools/remove", "results/smoke", "data/smoke"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert f"{linked}/smoke lies in {theirs.parent}, outside of this checkout" in done.stderr
    assert (theirs / "precious").exists()
    (clone / linked).unlink()
    subprocess.run(command, check=True)
    assert not own.exists()
    (clone / ".venv").symlink_to(theirs)
    subprocess.run([clone / "tools/remove", ".venv"], check=True)
    assert (theirs / "precious").exists()
    assert not (clone / ".venv").is_symlink()


def test_no_target_removes_but_by_that_script(root: Path) -> None:
    assert "rm -" not in (root / "Makefile").read_text()


def test_nothing_is_downloaded_with_a_choice_that_must_fail(clone: Path, tmp_path: Path) -> None:
    path = commands(tmp_path / "bin", "dirname", *setup_env.COMMANDS)
    empty = {"LZU_PYTHON": sys.executable, "CUDA_HOME": str(tmp_path)}
    message = one_line(set_up(clone, path, FORCE_CUDA="1", **empty))
    assert "FORCE_CUDA=1, but nvcc is missing" in message
    message = one_line(set_up(clone, path, FORCE_CUDA="yes", **empty))
    assert "FORCE_CUDA=yes: say 1" in message
    assert not (clone / ".venv").exists()


def test_old_python(clone: Path, tmp_path: Path) -> None:
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\necho 3 9\n")
    old.chmod(0o755)
    message = one_line(set_up(clone, commands(tmp_path / "bin", "dirname"), LZU_PYTHON=str(old)))
    assert f"Python 3.11 or newer is needed (found only {old} is 3.9);" in message


def test_no_python(clone: Path, tmp_path: Path) -> None:
    message = one_line(set_up(clone, commands(tmp_path / "bin", "dirname")))
    assert "Python 3.11 or newer is needed (none found)" in message


def test_foreign_environment_is_left_alone(clone: Path, tmp_path: Path) -> None:
    (clone / ".venv").mkdir()
    (clone / ".venv" / "mine").touch()
    path = commands(tmp_path / "bin", "dirname")
    message = one_line(set_up(clone, path, LZU_PYTHON=sys.executable))
    assert "was not made by this set-up" in message
    assert (clone / ".venv" / "mine").exists()


def test_missing_ensurepip(monkeypatch) -> None:
    find_spec = setup_env.importlib.util.find_spec
    monkeypatch.setattr(
        setup_env.importlib.util, "find_spec", lambda n: None if n == "ensurepip" else find_spec(n)
    )
    with pytest.raises(SetupError, match=r"has no ensurepip: .* apt install python3\.\d+-venv"):
        setup_env.check_venv()


def test_full_disk(tmp_path: Path, monkeypatch) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=int(1.5e9))
    monkeypatch.setattr(setup_env.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(SetupError, match=r"has 1\.5 GB free; 4 GB are needed for the Python env"):
        setup_env.check_disk(tmp_path / "not" / "yet", 4.0, "the Python environment")
    setup_env.check_disk(tmp_path, 1.0, "the Python environment")


def test_compiler_of_this_machine_passes() -> None:
    setup_env.check_compiler()


@pytest.fixture
def stamped(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.delenv("LZU_PYTHON", raising=False)
    prefix = tmp_path / ".venv"
    (prefix / "bin").mkdir(parents=True)
    (prefix / "bin" / "python").symlink_to(sys.executable)
    monkeypatch.delenv("FORCE_CUDA", raising=False)
    monkeypatch.delenv("TORCH_CUDA_ARCH_LIST", raising=False)
    setup_env.write_stamp(prefix, "harness", "cpu")
    return prefix


def test_stamped_environment_is_current(stamped: Path) -> None:
    assert setup_env.is_current(stamped, "harness")
    assert not setup_env.is_current(stamped, "report")


def test_environment_without_stamp_is_not_current(stamped: Path) -> None:
    (stamped / setup_env.STAMP).unlink()
    assert not setup_env.is_current(stamped, "harness")


def test_half_written_stamp_is_not_current(stamped: Path) -> None:
    stamp = stamped / setup_env.STAMP
    stamp.write_text(stamp.read_text()[:20])
    assert not setup_env.is_current(stamped, "harness")


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("requirements/harness.txt", "numpy==", "numpy==1"),
        ("requirements/cpu.txt", "triton==", "triton==1"),
        ("pyproject.toml", 'lzu = "lzu.cli:main"', 'lzu = "lzu.other:main"'),
    ],
)
def test_changed_sources_are_not_current(stamped, clone, file, old, new, monkeypatch) -> None:
    monkeypatch.setattr(setup_env, "ROOT", clone)
    setup_env.write_stamp(stamped, "harness", "cpu")
    assert setup_env.is_current(stamped, "harness")
    text = (clone / file).read_text()
    (clone / file).write_text(text.replace(old, new, 1))
    assert not setup_env.is_current(stamped, "harness")


@pytest.mark.parametrize(
    ("built", "asked", "current"),
    [
        ("cpu", {}, True),
        ("cpu", {"FORCE_CUDA": "0"}, True),
        ("cpu", {"FORCE_CUDA": "1"}, False),
        ("cuda 9.0", {}, True),
        ("cuda 9.0", {"FORCE_CUDA": "0"}, False),
        ("cuda 9.0", {"FORCE_CUDA": "1", "TORCH_CUDA_ARCH_LIST": "9.0"}, True),
        ("cuda 9.0", {"FORCE_CUDA": "1", "TORCH_CUDA_ARCH_LIST": "8.0"}, False),
    ],
)
def test_other_operators_than_asked_for_are_not_current(
    stamped, built, asked, current, monkeypatch
):
    setup_env.write_stamp(stamped, "harness", built)
    for name, value in asked.items():
        monkeypatch.setenv(name, value)
    assert setup_env.is_current(stamped, "harness") is current


def test_what_the_lock_has_no_more_is_removed(stamped: Path, monkeypatch) -> None:
    """Of what this set-up installed: what a person added stays."""
    ran = []
    monkeypatch.setattr(setup_env, "run_logged", lambda command, **_: ran.append(command))
    distributions = [SimpleNamespace(name=name) for name in ("numpy", "Old_Toolkit", "ours")]
    monkeypatch.setattr(setup_env.importlib.metadata, "distributions", lambda: distributions)
    stamp = json.loads((stamped / setup_env.STAMP).read_text())
    stamp["packages"] = ["numpy", "old-toolkit", "gone-already"]
    (stamped / setup_env.STAMP).write_text(json.dumps(stamp))
    setup_env.remove_former(stamped, ["numpy"])
    assert [command[-2:] for command in ran] == [["--yes", "old-toolkit"]]


@pytest.mark.parametrize("known", [True, False])
def test_the_build_that_pip_prefers_is_installed_if_it_is_locked(monkeypatch, known: bool) -> None:
    def install(label: str, arguments: list[str]) -> None:
        chosen = {
            "metadata": {"version": "2.13.0+cpu"},
            "download_info": {
                "url": "file:///wheels/torch.whl",
                "archive_info": {"hashes": {"sha256": "aa"}},
            },
        }
        Path(arguments[arguments.index("--report") + 1]).write_text(
            json.dumps({"install": [chosen]})
        )

    monkeypatch.setattr(setup_env, "install", install)
    entry = f"torch==2.13.0 --hash=sha256:{'aa' if known else 'bb'} --hash=sha256:cc"
    if known:
        assert setup_env.as_preferred(entry) == entry.replace("2.13.0", "2.13.0+cpu")
    else:
        with pytest.raises(SetupError, match=r"torch\.whl is not locked: .*other-builds\.in"):
            setup_env.as_preferred(entry)


def test_moved_clone_is_not_current(stamped: Path, clone: Path, monkeypatch) -> None:
    monkeypatch.setattr(setup_env, "ROOT", clone)
    assert not setup_env.is_current(stamped, "harness")


def test_interrupted_environment_is_emptied_but_for_its_lock(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "half").touch()
    (tmp_path / "lib64").symlink_to("lib")
    (tmp_path / setup_env.MARK).touch()
    setup_env.empty(tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == [setup_env.MARK]


def test_failed_command_names_its_error_and_the_log(tmp_path: Path) -> None:
    script = "print('lots'); print('ERROR: no network'); raise SystemExit(3)"
    log = tmp_path / "log"
    with pytest.raises(SetupError, match=r"packages failed: ERROR: no network \(full log: .*log\)"):
        run_logged([sys.executable, "-c", script], label="packages", log=log, status="(x)")
    assert "lots" in log.read_text()


def test_progress_shows_what_the_command_reports(tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.setattr("console.PLAIN_INTERVAL_S", 0.0)
    script = "[print(f'[{i}/3] cc file{i}') for i in (1, 2, 3)]"
    command = [sys.executable, "-c", script]
    run_logged(command, label="mmcv", log=tmp_path / "log", status=r"^(\[\d+/\d+\])")
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines] == [
        "mmcv",
        "mmcv [1/3]",
        "mmcv [2/3]",
        "mmcv [3/3]",
        "mmcv done",
    ]


def test_make_lists_its_targets(root: Path) -> None:
    shown = subprocess.run(["make", "help"], cwd=root, capture_output=True, text=True, check=True)
    targets = {line.split()[1] for line in shown.stdout.splitlines() if line.strip()}
    expected = {"env", "env-here", "report-env", "demo", "smoke", "test", "lint", "bench", "clean"}
    assert expected | {"help"} <= targets


def test_ci_runs_the_test_target(root: Path) -> None:
    script = root / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert "make test" in script.read_text()
