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
from pathlib import Path

from build_mmcv import cache_root, ensure_mmcv, locked
from console import SetupError, run_logged
from lock import read_pins

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


def requirements_file(kind: str) -> Path:
    return ROOT / "requirements" / f"{kind if kind == 'report' else 'harness'}.txt"


def without_gpu() -> Path:
    """The pins of what a CUDA build of torch brings along, and a CPU build does not."""
    return ROOT / "requirements" / "cpu.txt"


def pinned(kind: str) -> bytes:
    """All pins that an environment is made from."""
    files = [requirements_file(kind), *([without_gpu()] if kind == "harness" else [])]
    return b"".join(file.read_bytes() for file in files)


def expected_stamp(kind: str, python_version: str) -> dict[str, str]:
    """What an environment is made from; any difference means that it is made again."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return {
        "kind": kind,
        "python": python_version,
        "requirements": hashlib.sha256(pinned(kind)).hexdigest(),
        "commands": " ".join(f"{name}={entry}" for name, entry in project["scripts"].items()),
        # Scripts in a virtual environment hold absolute paths.
        "root": str(ROOT),
    }


def is_current(prefix: Path, kind: str) -> bool:
    """Whether the environment at `prefix` was completed from the present requirements."""
    try:
        stamp = json.loads((prefix / STAMP).read_text())
    except (OSError, ValueError):
        return False
    wanted = os.environ.get("LZU_PYTHON") and platform.python_version()
    python = wanted or stamp.get("python", "")
    return stamp == expected_stamp(kind, python) and os.access(prefix / "bin/python", os.X_OK)


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
    """Raises SetupError before anything is made if it could not be finished."""
    needed = NEEDED_GB[kind]
    if kind == "harness":
        needed += CUDA_EXTRA_GB if shutil.which("nvidia-smi") else 0
        # A wheel that is cached for another torch is found out later, by the build itself.
        soabi = str(sysconfig.get_config_var("SOABI"))
        if not any((cache_root() / "wheels").glob(f"*{soabi}*/*.whl")):
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
        return
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
        LOG.write_text("")
        print(f"Setting up {prefix} (Python {platform.python_version()}); log: {LOG}", flush=True)
        python = prefix / "bin" / "python"
        run_logged(
            [sys.executable, "-m", "venv", str(prefix)], label="venv", log=LOG, status="(^$)"
        )
        command = [str(python), __file__, "--here", "--kind", kind]
        if (status := subprocess.run(command).returncode) != 0:
            sys.exit(status)


def install(label: str, arguments: list[str]) -> None:
    run_logged(
        [sys.executable, *PIP, "install", *arguments],
        label=label,
        log=LOG,
        status=r"^(?:Collecting (\S+)|(Installing) collected)",
    )


def fill(kind: str) -> None:
    """Installs the pinned packages and lzu itself into the running interpreter's environment."""
    requirements = requirements_file(kind)
    pins = read_pins(requirements)
    if kind == "report":
        install("packages", ["--no-deps", "-r", str(requirements)])
    else:
        first = [f"{name}=={pins[name]}" for name in FIRST]
        # With dependencies: a CUDA build of torch names the CUDA libraries that it needs.
        install("torch and build tools", ["-c", str(requirements), *first])
        others = [f"{n}=={v}" for n, v in pins.items() if n not in FIRST and n != "onedl-mmcv"]
        install("packages", ["--no-deps", "--no-build-isolation", *others])
        importlib.invalidate_caches()
        if importlib.util.find_spec("triton") is None:
            install("triton", ["--no-deps", "-r", str(without_gpu())])
        ensure_mmcv(pins["onedl-mmcv"], LOG)
    install("lzu", ["--no-deps", "--no-build-isolation", "-e", str(ROOT)])
    run_logged(
        [sys.executable, str(ROOT / "tools" / "verify_env.py"), kind],
        label="checking",
        log=LOG,
        status=r"^checked: (.*)",
    )
    write_stamp(Path(sys.prefix), kind)


def write_stamp(prefix: Path, kind: str) -> None:
    partial = prefix / (STAMP + ".partial")
    stamp = expected_stamp(kind, platform.python_version())
    partial.write_text(json.dumps(stamp, indent=2) + "\n")
    os.replace(partial, prefix / STAMP)


def check_is_environment() -> None:
    if sys.prefix == sys.base_prefix and not (Path(sys.prefix) / "conda-meta").exists():
        raise SetupError(f"{sys.executable} is not in a virtual or conda environment")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--here", action="store_true", help="fill the running environment")
    parser.add_argument("--kind", choices=sorted(NEEDED_GB), default="harness")
    arguments = parser.parse_args()
    LOG.parent.mkdir(exist_ok=True)
    try:
        if arguments.here:
            check_is_environment()
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
