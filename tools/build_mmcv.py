"""Compiles mmcv with its operators for the installed PyTorch, fast, and keeps the wheel.

PyTorch's headers cost ~9 s in each of mmcv's 78 C++ files, nearly all of it template instantiation
that a precompiled header cannot save (measured: no gain). Compiling many files as one translation
unit pays it once: a third of the work, with optimisation.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from console import SetupError, run_logged

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

PROBE = """
import json, torch
from torch.utils.cpp_extension import CUDA_HOME
visible = torch.cuda.is_available()
print(json.dumps({
    "torch": torch.__version__,
    "cuda": torch.version.cuda,
    "visible": visible,
    "cuda_home": CUDA_HOME,
    "capability": ".".join(map(str, torch.cuda.get_device_capability())) if visible else None,
}))
"""


def cache_root(environ: Mapping[str, str] = os.environ) -> Path:
    """Where wheels are kept between clones: $LZU_CACHE, or lzu in the user's cache directory."""
    if own := environ.get("LZU_CACHE"):
        return Path(own)
    return Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lzu"


def cuda_environment(probe: Mapping[str, object], environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that make mmcv compile its CUDA operators, or none for a CPU build.

    CUDA operators are built when torch is a CUDA build and nvcc exists. Raises SetupError when a
    GPU is there but cannot be served.
    """
    if environ.get("FORCE_CUDA") == "0" or not probe["cuda"]:
        return {"FORCE_CUDA": "0"}
    if not probe["cuda_home"]:
        if probe["visible"]:
            raise SetupError(
                f"a GPU is visible but nvcc is missing: install the CUDA {probe['cuda']} toolkit "
                "(or set CUDA_HOME), or set CUDA_VISIBLE_DEVICES= to use the CPU only"
            )
        return {"FORCE_CUDA": "0"}
    architectures = environ.get("TORCH_CUDA_ARCH_LIST") or probe["capability"]
    if not architectures:
        raise SetupError(
            "nvcc is here but no GPU is visible: set TORCH_CUDA_ARCH_LIST to the GPUs that will "
            "be used (for example 9.0), or FORCE_CUDA=0 for operators on the CPU only"
        )
    return {"FORCE_CUDA": "1", "TORCH_CUDA_ARCH_LIST": str(architectures)}


def wheel_key(version: str, probe: Mapping[str, object], cuda: Mapping[str, str]) -> str:
    """A directory name for everything that the compiled wheel depends on."""
    device = "cpu"
    if cuda["FORCE_CUDA"] == "1":
        device = f"cu{probe['cuda']}-{cuda['TORCH_CUDA_ARCH_LIST']}"
    parts = [
        f"{PACKAGE}-{version}",
        str(sysconfig.get_config_var("SOABI")),
        "".join(platform.libc_ver()),
        f"torch{probe['torch']}",
        device,
        hashlib.sha256(f"{FLAGS} {FILES_PER_UNIT}".encode()).hexdigest()[:8],
    ]
    return re.sub(r"[^\w.+-]+", "_", "-".join(parts))


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds an exclusive lock on a file; says so when it has to wait."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"waiting for another set-up ({path})", flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def cached_wheel(folder: Path, build: Callable[[Path], Path]) -> tuple[Path, bool]:
    """The wheel in `folder` and whether it was there already; `build(scratch)` makes it if not.

    Several processes may ask at once: one builds, the others wait and find it. The wheel appears
    under its name only when complete.
    """
    with locked(folder.with_name(folder.name + ".lock")):
        if wheels := sorted(folder.glob("*.whl")):
            return wheels[0], True
        with tempfile.TemporaryDirectory(prefix="lzu-mmcv-") as scratch:
            built = build(Path(scratch))
            folder.mkdir(parents=True, exist_ok=True)
            partial = folder / (built.name + ".partial")
            shutil.copyfile(built, partial)
            os.replace(partial, folder / built.name)
        return folder / built.name, False


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


def build_wheel(scratch: Path, version: str, env: Mapping[str, str], log: Path) -> Path:
    """Downloads mmcv's source into `scratch`, merges its files and compiles a wheel."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    requirement = f"{PACKAGE}=={version}"
    common = ["--no-deps", "--no-build-isolation", "--no-cache-dir"]
    run_logged(
        [*pip, "download", *common, "-d", str(scratch), "--no-binary=:all:", requirement],
        label="mmcv: source",
        log=log,
        status=r"(Downloading|Preparing)",
        env=env,
    )
    (archive,) = scratch.glob("*.tar.gz")
    with tarfile.open(archive) as file:
        file.extractall(scratch / "source", filter="data")
    (source,) = (scratch / "source").iterdir()
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


def ensure_mmcv(version: str, log: Path) -> None:
    """Installs mmcv for the running interpreter's torch, from the cache or by compiling it."""
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
    wheel, reused = cached_wheel(folder, lambda scratch: build_wheel(scratch, version, env, log))
    print(f"mmcv: {'found in' if reused else 'kept in'} {folder}", flush=True)
    run_logged(
        [sys.executable, "-m", "pip", "install", "--no-deps", "--force-reinstall", str(wheel)],
        label="mmcv: install",
        log=log,
        status=r"(Installing)",
    )
