"""Makes the Python environments of this project, once, and leaves them alone afterwards.

    tools/setup-env                 the harness, in .venv
    tools/setup-env --kind report   tables and figures only, without torch, in .venv-report
    tools/setup-env --here          the harness, in the active virtual or conda environment

An environment gets a stamp that says what it was made from. The stamp comes last: one without it
was interrupted, and is made again. Only the standard library is used.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import tomllib
from collections.abc import Iterable
from pathlib import Path

from build_mmcv import PACKAGE, ensure_mmcv, may_be_cached
from console import SetupError, run_logged
from cuda_choice import CPU, FOR_LATER, asked, check_before, gpus_here, is_as_asked, nvcc_here
from lock import OF_CUDA_TORCH, canonical, read_locked, read_pins
from wheel_cache import locked

ROOT = Path(__file__).resolve().parent.parent
LOG = ROOT / "logs" / "setup-env.log"
STAMP = "lzu-setup.json"
MARK = "lzu-setup.lock"

# Measured: .venv 2.0 GB with the CPU build of torch; pip's cache and the log need room as well.
NEEDED_GB = {"harness": 4.0, "report": 0.8}
NEEDED_TMP_GB = 1.0
CUDA_EXTRA_GB = 8.0

# Needed before the rest: mmcv, mmdet and mmseg are built against these.
FIRST = ("setuptools", "wheel", "packaging", "ninja", "psutil", "numpy", "torch")
PIP = ["-m", "pip", "--disable-pip-version-check"]

# Command -> the Debian package that has it: what the workflow and its scripts run.
COMMANDS = {"git": "git", "make": "make", "which": "debianutils", "flock": "util-linux"}


def requirements_file(kind: str) -> Path:
    return ROOT / "requirements" / f"{kind if kind == 'report' else 'harness'}.txt"


def besides(cuda: bool) -> Path:
    """The lock of what a build of torch for CUDA brings along, or of what stands in for it."""
    return ROOT / "requirements" / ("cuda.txt" if cuda else "cpu.txt")


def pinned(kind: str) -> bytes:
    """All pins that an environment is made from."""
    others = [besides(True), besides(False)] if kind == "harness" else []
    return b"".join(file.read_bytes() for file in [requirements_file(kind), *others])


def expected_stamp(kind: str, python_version: str, operators: str | None) -> dict[str, object]:
    """What an environment is made from; any difference means that it is made again.

    `operators` is what mmcv's run on (tools/cuda_choice.py), None without mmcv.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return {
        "kind": kind,
        "python": python_version,
        "packages": sorted(read_pins(requirements_file(kind))),
        "requirements": hashlib.sha256(pinned(kind)).hexdigest(),
        "commands": " ".join(f"{name}={entry}" for name, entry in project["scripts"].items()),
        "operators": operators,
        # Scripts in a virtual environment hold absolute paths.
        "root": str(ROOT),
    }


def read_stamp(prefix: Path) -> dict[str, object]:
    """The stamp of the environment at `prefix`; empty if it has none that can be read."""
    try:
        stamp = json.loads((prefix / STAMP).read_text())
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def is_current(prefix: Path, kind: str) -> bool:
    """Whether the environment at `prefix` was completed from the present requirements, with the
    operators that are asked for."""
    stamp = read_stamp(prefix)
    wanted = os.environ.get("LZU_PYTHON") and platform.python_version()
    operators = stamp.get("operators")
    if operators is not None and not is_as_asked(str(operators), os.environ):
        return False
    same = expected_stamp(kind, str(wanted or stamp.get("python")), operators)
    return stamp == same and os.access(prefix / "bin/python", os.X_OK)


def check_own(prefix: Path) -> None:
    """Raises SetupError if `prefix` is a link: what it leads to is not this checkout's."""
    if prefix.is_symlink():
        raise SetupError(
            f"{prefix} is a link to {os.readlink(prefix)}, which this checkout did not make and "
            f"does not touch: remove the link (rm '{prefix}') to have an environment made here"
        )


def check_commands() -> None:
    missing = [command for command in COMMANDS if shutil.which(command) is None]
    if missing:
        packages = " ".join(COMMANDS[command] for command in missing)
        raise SetupError(
            f"no {' and no '.join(missing)} on the PATH: install it "
            f"(Debian, Ubuntu: apt install {packages})"
        )


def check_venv() -> None:
    missing = [name for name in ("venv", "ensurepip") if importlib.util.find_spec(name) is None]
    if missing:
        minor = ".".join(platform.python_version_tuple()[:2])
        raise SetupError(
            f"{sys.executable} has no {' and no '.join(missing)}: install it "
            f"(Debian, Ubuntu: apt install python{minor}-venv)"
        )


def check_disk(place: Path, needed_gb: float, purpose: str) -> None:
    while not place.exists():
        place = place.parent
    free_gb = shutil.disk_usage(place).free / 1e9
    if free_gb < needed_gb:
        raise SetupError(
            f"{place} has {free_gb:.1f} GB free; {needed_gb:.0f} GB are needed for {purpose}"
        )


def check_compiler() -> None:
    """A C++ compiler and Python's headers, by compiling one line against them."""
    compiler = os.environ.get("CXX", "c++").split()
    if shutil.which(compiler[0]) is None:
        raise SetupError(
            f"no C++ compiler ({compiler[0]}): install one (Debian, Ubuntu: apt install g++), or "
            "name one in CXX; mmcv's operators are compiled here"
        )
    include = sysconfig.get_path("include")
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "probe.cpp"
        source.write_text("#include <Python.h>\n#include <optional>\nstd::optional<int> value;\n")
        command = [*compiler, "-std=c++17", f"-I{include}", "-c", str(source)]
        result = subprocess.run(
            [*command, "-o", str(source.with_suffix(".o"))], capture_output=True, text=True
        )
    if result.returncode != 0:
        errors = [line.strip() for line in result.stderr.splitlines() if "error" in line]
        reason = errors[0] if errors else f"exit status {result.returncode}"
        minor = ".".join(platform.python_version_tuple()[:2])
        raise SetupError(
            f"{compiler[0]} cannot compile against Python {minor} ({reason}); C++17 and Python's "
            f"headers are needed (Debian, Ubuntu: apt install g++ python{minor}-dev)"
        )


def check_machine(prefix: Path, kind: str) -> None:
    """Raises SetupError before anything is made or downloaded if it could not be finished."""
    needed = NEEDED_GB[kind]
    check_commands()
    if kind == "harness":
        needed += CUDA_EXTRA_GB if shutil.which("nvidia-smi") else 0
        check_before(os.environ, gpus=gpus_here(), nvcc=nvcc_here(os.environ))
        pins = read_pins(requirements_file(kind))
        # A wheel that is cached for another build of this torch is found out later.
        if asked(os.environ) == "1" or not may_be_cached(pins[PACKAGE], pins["torch"]):
            check_compiler()
        check_disk(Path(tempfile.gettempdir()), NEEDED_TMP_GB, "temporary files (TMPDIR)")
    check_disk(prefix, needed, "the Python environment")


def empty(prefix: Path) -> None:
    """Removes all of an environment but the lock that is held on it."""
    for entry in prefix.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        elif entry.name != MARK:
            entry.unlink()


def make_venv(prefix: Path, kind: str) -> None:
    """Makes a virtual environment and fills it, unless it is there and current."""
    if is_current(prefix, kind):
        tell_of_gpus(prefix)
        return
    check_own(prefix)
    if prefix.exists() and not (prefix / MARK).exists():
        raise SetupError(
            f"{prefix} was not made by this set-up: move it away, or complete it with "
            f"{prefix}/bin/python tools/setup_env.py --here"
        )
    if prefix.exists() and prefix.samefile(sys.prefix):
        # An activated .venv is about to be emptied: go on with the Python that it was made from.
        base = sys._base_executable
        os.execv(base, [base, *sys.argv])
    check_venv()
    check_machine(prefix, kind)
    with locked(prefix / MARK):
        if is_current(prefix, kind):
            return
        if (prefix / "pyvenv.cfg").exists():
            print(f"Removing what is in {prefix} (unfinished or out of date)", flush=True)
        empty(prefix)
        print(f"Setting up {prefix} (Python {platform.python_version()}); log: {LOG}", flush=True)
        python = prefix / "bin" / "python"
        run_logged(
            [sys.executable, "-m", "venv", str(prefix)], label="venv", log=LOG, status="(^$)"
        )
        command = [str(python), __file__, "--here", "--kind", kind]
        if (status := subprocess.run(command).returncode) != 0:
            sys.exit(status)


def tell_of_gpus(prefix: Path) -> None:
    """Says so if GPUs are here and the environment's operators were made where there was none."""
    if read_stamp(prefix).get("operators") == CPU and not asked(os.environ) and gpus_here():
        print(f"mmcv's operators here run on the CPU ONLY: {FOR_LATER}", flush=True)


def install(label: str, arguments: list[str]) -> None:
    run_logged(
        [sys.executable, *PIP, "install", "--no-deps", *arguments],
        label=label,
        log=LOG,
        status=r"^(?:Collecting (\S+)|(Installing) collected)",
    )


def install_locked(label: str, entries: Iterable[str]) -> None:
    """Installs lines of the lock: files whose SHA-256 it names, and nothing else."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "requirements.txt"
        file.write_text("".join(f"{entry}\n" for entry in entries))
        install(label, ["--require-hashes", "--no-build-isolation", "-r", str(file)])


def as_preferred(entry: str) -> str:
    """A line of the lock with the build that pip prefers here: 2.13.0+cpu, say, for 2.13.0.

    Left to itself with hashes, pip takes a file whose hash its index tells over one on the disk.
    """
    pin, *hashes = entry.split()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        install(
            f"{pin}: which build", ["--dry-run", "--ignore-installed", "--report", str(report), pin]
        )
        (chosen,) = json.loads(report.read_text())["install"]
    version = chosen["metadata"]["version"]
    digest = chosen["download_info"].get("archive_info", {}).get("hashes", {}).get("sha256")
    if digest is not None and f"--hash=sha256:{digest}" not in hashes:
        raise SetupError(
            f"{chosen['download_info']['url']} is not locked: if you trust this build of "
            f"{pin}, name it in requirements/other-builds.in and run tools/lock.py; or set "
            "pip's indexes (pip config list) so that it finds PyPI's"
        )
    return " ".join([f"{pin.split('==')[0]}=={version}", *hashes])


def torch_is_for_cuda() -> bool:
    """Whether the installed torch asks for CUDA's libraries."""
    from packaging.requirements import Requirement

    needs = map(Requirement, importlib.metadata.requires("torch") or [])
    here = [need.name for need in needs if need.marker is None or need.marker.evaluate()]
    return any(name.startswith(OF_CUDA_TORCH) and name != "triton" for name in here)


def remove_former(prefix: Path, kept: Iterable[str]) -> None:
    """Removes what an earlier set-up of this environment installed and the lock has no more."""
    stamp = read_stamp(prefix)
    if not stamp:
        return
    # Stamps did not list packages while lyft-dataset-sdk was one of them.
    former = {str(name) for name in stamp.get("packages", ["lyft-dataset-sdk"])} - set(kept)
    installed = {canonical(entry.name) for entry in importlib.metadata.distributions()}
    if gone := sorted(former & installed):
        run_logged(
            [sys.executable, *PIP, "uninstall", "--yes", *gone],
            label=f"no longer used: {', '.join(gone)}",
            log=LOG,
            status=r"^(Uninstalling) ",
        )


def fill(kind: str) -> None:
    """Installs the locked packages and lzu itself into the running interpreter's environment."""
    lock = read_locked(requirements_file(kind))
    remove_former(Path(sys.prefix), lock)
    # From here on until the end it is not complete.
    (Path(sys.prefix) / STAMP).unlink(missing_ok=True)
    operators = None
    if kind == "report":
        install_locked("packages", lock.values())
    else:
        lock["torch"] = as_preferred(lock["torch"])
        install_locked("torch and build tools", [lock[name] for name in FIRST])
        others = [entry for name, entry in lock.items() if name not in {*FIRST, PACKAGE}]
        importlib.invalidate_caches()
        others += read_locked(besides(torch_is_for_cuda())).values()
        install_locked("packages", others)
        operators = ensure_mmcv(lock[PACKAGE], LOG)
    install("lzu", ["--no-build-isolation", "-e", str(ROOT)])
    run_logged(
        [
            sys.executable,
            str(ROOT / "tools" / "verify_env.py"),
            kind,
            *([operators] * bool(operators)),
        ],
        label="checking",
        log=LOG,
        status=r"^checked: (.*)",
    )
    write_stamp(Path(sys.prefix), kind, operators)


def write_stamp(prefix: Path, kind: str, operators: str | None) -> None:
    partial = prefix / (STAMP + ".partial")
    stamp = expected_stamp(kind, platform.python_version(), operators)
    partial.write_text(json.dumps(stamp, indent=2) + "\n")
    os.replace(partial, prefix / STAMP)


def check_is_environment() -> None:
    if sys.prefix == sys.base_prefix and not (Path(sys.prefix) / "conda-meta").exists():
        raise SetupError(f"{sys.executable} is not in a virtual or conda environment")
    if importlib.util.find_spec("pip") is None:
        raise SetupError(f"{sys.executable} has no pip: install it in this environment first")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--here", action="store_true", help="fill the running environment")
    parser.add_argument("--kind", choices=sorted(NEEDED_GB), default="harness")
    arguments = parser.parse_args()
    try:
        LOG.parent.mkdir(exist_ok=True)
        if arguments.here:
            check_is_environment()
            check_machine(Path(sys.prefix), arguments.kind)
            fill(arguments.kind)
        else:
            suffix = "" if arguments.kind == "harness" else f"-{arguments.kind}"
            make_venv(ROOT / f".venv{suffix}", arguments.kind)
    except SetupError as error:
        sys.exit(f"set-up: {error}")
    except KeyboardInterrupt:
        sys.exit("set-up: interrupted; the next call starts it again")
    except OSError as error:
        sys.exit(f"set-up: {error}")


if __name__ == "__main__":
    main()
