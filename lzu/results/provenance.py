"""Where, when and with what a result was made."""

import os
import platform
import re
import resource
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

# Distributions under both their names: the maintained fork's and the originals'.
PACKAGES = (
    "lzu",
    "numpy",
    "torch",
    "triton",
    "onedl-mmengine",
    "mmengine",
    "onedl-mmcv",
    "mmcv",
    "onedl-mmdetection",
    "mmdet",
    "onedl-mmsegmentation",
    "mmsegmentation",
    "mmdet3d",
    "nuscenes-devkit",
    "pycocotools",
    "opencv-python-headless",
)


def _output_of(command: list[str]) -> str | None:
    """Standard output of `command`, None if it cannot be run or fails."""
    if shutil.which(command[0]) is None:
        return None
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def machine_name(gpu: str | None = None, given: str | None = None) -> str:
    """The class of this machine, as a slug (lower case, digits, dashes): LZU_MACHINE if set, else
    the name `given`, else the model of its GPUs, or that of its CPU and the cores that it may use.

    Not the host's name: machines of one kind may share their results, as the nodes of a cluster,
    and two hosts of one name may be different machines. Nor the number of GPUs: a node has others
    than a job's own. Tables never mix latencies of two classes.
    """
    gpus = None if gpu is None else re.sub(r"(^|, )\d+ x ", r"\1", gpu)
    model = (gpus or f"{cpu_model()} {usable_cores()} cores").lower()
    # marks that say nothing of the model
    model = re.sub(r"\((r|tm)\)|\b(processor|cpu)\b|@.*?(?=\d+ cores|$)", " ", model)
    name = os.environ.get("LZU_MACHINE") or given or model
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "unnamed"


def cpu_model() -> str:
    """The processor's name, as /proc/cpuinfo or the platform gives it."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        found = re.search(
            r"^model name\s*:\s*(.+)$", info.read_text(errors="replace"), re.MULTILINE
        )
        if found:
            return found.group(1).strip()
    return platform.processor() or platform.machine() or "unknown"


def usable_cores() -> int:
    """The number of cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def gpu_and_driver() -> tuple[str | None, str | None]:
    """Names of the GPUs ("2 x NAME" where alike) and the driver; None without nvidia-smi."""
    text = _output_of(["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"])
    lines = [line.rsplit(",", 1) for line in (text or "").splitlines() if "," in line]
    if not lines:
        return None, None
    names = [name.strip() for name, _ in lines]
    parts = [
        f"{names.count(name)} x {name}" if names.count(name) > 1 else name
        for name in dict.fromkeys(names)
    ]
    return ", ".join(parts), lines[0][1].strip()


def git_state(
    repo_root: str | os.PathLike[str] | None = None,
) -> tuple[str | None, bool | None]:
    """Commit and whether the working tree differs from it; (None, None) if not a repository's root.

    By default it is asked of the repository that this package lies in. New files in `config/` are
    no difference: a suite of one's own is no code, and what it says stands in the results' stamps.

    The root itself is asked for, so that a copy of the code inside another repository is not given
    that repository's commit.
    """
    root = Path(__file__).resolve().parents[2] if repo_root is None else Path(repo_root).resolve()
    top = _output_of(["git", "-C", str(root), "rev-parse", "--show-toplevel"])
    if top is None or Path(top).resolve() != root:
        return None, None
    commit = _output_of(["git", "-C", str(root), "rev-parse", "--verify", "HEAD"])
    changes = _output_of(["git", "-C", str(root), "status", "--porcelain"])
    if changes is None:
        return commit, None
    return commit, any(not line.startswith("?? config/") for line in changes.splitlines())


def package_versions() -> dict[str, str]:
    """Name -> version of the packages that bear on results and are installed. Imports none."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def peak_memory_mib() -> float:
    """The largest resident memory of this process so far, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1024 * 1024 if sys.platform == "darwin" else 1024), 1)


def collect_provenance(
    started: datetime,
    machine: str | None,
    repo_root: str | os.PathLike[str] | None = None,
) -> dict[str, Any]:
    """The provenance block of a result file.

    Args:
        started: when the work began, with a time zone; the duration runs from it to this call.
        machine: what the suite calls the class of machines (see `machine_name`).
        repo_root: the repository whose commit is named; by default the one this package lies in.

    Raises:
        ValueError: if `started` has no time zone.
    """
    if started.tzinfo is None:
        raise ValueError("started needs a time zone: use datetime.now(UTC)")
    commit, dirty = git_state(repo_root)
    gpu, driver = gpu_and_driver()
    versions = package_versions()
    return {
        "git_commit": commit,
        "git_dirty": dirty,
        "machine": machine_name(gpu, machine),
        "platform": platform.platform(),
        "cpu": cpu_model(),
        "cores": usable_cores(),
        "gpu": gpu,
        "driver": driver,
        "python": platform.python_version(),
        "torch": versions.get("torch"),
        "packages": versions,
        "started_utc": started.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "duration_s": round((datetime.now(UTC) - started).total_seconds(), 3),
        "peak_memory_mib": peak_memory_mib(),
    }
