"""Compiles mmcv with its operators for the installed PyTorch, fast, and keeps the wheel.

PyTorch's headers cost ~9 s in each of mmcv's 78 C++ files, nearly all of it template instantiation
that a precompiled header cannot save (measured: no gain). Compiling many files as one translation
unit pays it once: a third of the work, with optimisation.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Mapping
from pathlib import Path

from console import SetupError, run_logged
from cuda_choice import PROBE, cuda_environment, operators, told
from wheel_cache import RECORD, cache_root, cached_wheel

PACKAGE = "onedl-mmcv"
FLAGS = "-O2 -g0"
FILES_PER_UNIT = 30

# Files that define the same helper names as another one, or macros that break what follows them.
ALONE = {
    "cpu/bezier_align.cpp",
    "cpu/psamask.cpp",
    "cpu/roi_align.cpp",
    "cpu/roi_align_rotated.cpp",
    "cpu/rotated_feature_align.cpp",
    "pytorch/pybind.cpp",
}


def key_start(version: str, torch: str) -> list[str]:
    """The parts of a wheel's key that the machine and the pinned versions decide."""
    libc = "".join(platform.libc_ver())
    return [f"{PACKAGE}-{version}", str(sysconfig.get_config_var("SOABI")), libc, f"torch{torch}"]


def may_be_cached(version: str, torch: str) -> bool:
    """Whether a wheel for some build of the pinned torch is kept for this Python."""
    start = re.sub(r"[^\w.+-]+", "_", "-".join(key_start(version, torch)))
    return any((cache_root() / "wheels").glob(f"{start}[+-]*/{RECORD}"))


def wheel_key(version: str, probe: Mapping[str, object], cuda: Mapping[str, str]) -> str:
    """A directory name for everything that the compiled wheel depends on."""
    device = "cpu"
    if cuda["FORCE_CUDA"] == "1":
        device = f"cu{probe['cuda']}-{cuda['TORCH_CUDA_ARCH_LIST']}"
    parts = [
        *key_start(version, str(probe["torch"])),
        device,
        hashlib.sha256(f"{FLAGS} {FILES_PER_UNIT}".encode()).hexdigest()[:8],
    ]
    return re.sub(r"[^\w.+-]+", "_", "-".join(parts))


def merge_sources(folder: Path) -> int:
    """Turns a folder's .cpp files, but for those in ALONE, into units that include several each.

    Returns the number of translation units that are left.
    """
    sources = sorted(folder.glob("*.cpp"))
    members = [path for path in sources if f"{folder.name}/{path.name}" not in ALONE]
    units = range(0, len(members), FILES_PER_UNIT)
    for start in units:
        included = []
        for path in members[start : start + FILES_PER_UNIT]:
            # mmcv's setup.py compiles every .cpp that it finds.
            renamed = path.rename(path.with_suffix(".inc"))
            included.append(f'#include "{renamed.name}"\n')
        (folder / f"unit{start // FILES_PER_UNIT}.cpp").write_text("".join(included))
    return len(units) + len(sources) - len(members)


def parallel_jobs() -> int:
    """One compiler a core, as far as memory goes: a unit takes up to 2 GB."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(1, min(cores or 1, memory // 2**31))


def unpack(archive: Path, folder: Path) -> Path:
    """The one folder that a source archive holds, unpacked into `folder`."""
    # Python before 3.11.4 has no filters; the archive is one whose digest the lock holds.
    safely = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
    with tarfile.open(archive) as file:
        file.extractall(folder, **safely)
    (source,) = folder.iterdir()
    return source


def build_wheel(scratch: Path, locked: str, env: Mapping[str, str], log: Path) -> Path:
    """Downloads mmcv's source into `scratch`, merges its files and compiles a wheel.

    `locked` is its line of the lock; pip refuses a source whose SHA-256 is another.
    """
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    requirement = scratch / "mmcv.txt"
    requirement.write_text(locked + "\n")
    common = ["--no-deps", "--no-build-isolation", "--no-cache-dir"]
    hashed = ["--require-hashes", "--no-binary=:all:", "-r", str(requirement)]
    run_logged(
        [*pip, "download", *common, "-d", str(scratch), *hashed],
        label="mmcv: source",
        log=log,
        status=r"(Downloading|Preparing)",
        env=env,
    )
    (archive,) = scratch.glob("*.tar.gz")
    source = unpack(archive, scratch / "source")
    csrc = source / "mmcv" / "ops" / "csrc" / "pytorch"
    merge_sources(csrc)
    merge_sources(csrc / "cpu")
    run_logged(
        [*pip, "wheel", "-v", *common, "-w", str(scratch / "wheel"), str(source)],
        label=f"mmcv: compiling with {env['MAX_JOBS']} jobs",
        log=log,
        status=r"^\s*(\[\d+/\d+\])",
        env=env,
    )
    (wheel,) = (scratch / "wheel").glob("*.whl")
    return wheel


def ensure_mmcv(locked: str, log: Path) -> str:
    """Installs mmcv for the running interpreter's torch, from the cache or by compiling it.

    `locked` is its line of the lock. Returns what its operators run on, as `operators` says it.
    """
    version = locked.split()[0].split("==")[1]
    output = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True)
    if output.returncode != 0:
        raise SetupError(f"torch does not import: {output.stderr.strip().splitlines()[-1]}")
    probe = json.loads(output.stdout)
    cuda = cuda_environment(probe, os.environ)
    env = {
        **os.environ,
        **cuda,
        "MMCV_WITH_OPS": "1",
        "CFLAGS": FLAGS,
        "MAX_JOBS": os.environ.get("MAX_JOBS", str(parallel_jobs())),
        # ninja lies beside the interpreter, and without it files are compiled one by one.
        "PATH": str(Path(sys.executable).parent) + os.pathsep + os.environ["PATH"],
    }
    folder = cache_root() / "wheels" / wheel_key(version, probe, cuda)
    wheel, reused = cached_wheel(folder, lambda scratch: build_wheel(scratch, locked, env, log))
    print(f"mmcv: {'found in' if reused else 'kept in'} {folder}", flush=True)
    run_logged(
        [sys.executable, "-m", "pip", "install", "--no-deps", "--force-reinstall", str(wheel)],
        label="mmcv: install",
        log=log,
        status=r"(Installing)",
    )
    built = operators(cuda)
    print(told(probe, built, os.environ), flush=True)
    return built
