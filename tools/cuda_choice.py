"""Which devices mmcv's operators are compiled for: asked for by FORCE_CUDA, or what is found here.

FORCE_CUDA=1 asks for CUDA operators, FORCE_CUDA=0 for those of the CPU alone (mmcv's own variable).
TORCH_CUDA_ARCH_LIST names the GPUs where none is visible, as on a cluster's login node.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from console import SetupError

CPU = "cpu"

# Run by the environment's Python, once torch is there.
PROBE = """
import json, os, subprocess, torch
from torch.utils.cpp_extension import CUDA_HOME
count = torch.cuda.device_count() if torch.cuda.is_available() else 0
kinds = {torch.cuda.get_device_capability(device) for device in range(count)}
nvcc = None
if CUDA_HOME and os.access(compiler := os.path.join(CUDA_HOME, "bin", "nvcc"), os.X_OK):
    found = subprocess.run([compiler, "--version"], capture_output=True, text=True)
    nvcc = found.stdout.partition("release ")[2].partition(",")[0] or None
print(json.dumps({
    "torch": torch.__version__,
    "cuda": torch.version.cuda,
    "visible": count > 0,
    "nvcc": nvcc,
    "capability": ";".join(f"{major}.{minor}" for major, minor in sorted(kinds)) or None,
}))
"""

FOR_LATER = (
    "for jobs on GPUs set up where nvcc is, with `make env FORCE_CUDA=1 TORCH_CUDA_ARCH_LIST=9.0` "
    "(the compute capability of the GPUs)"
)


def asked(environ: Mapping[str, str]) -> str:
    """FORCE_CUDA: "1", "0", or "" where nothing is asked for.

    Raises SetupError for another value.
    """
    value = environ.get("FORCE_CUDA", "")
    if value not in ("", "0", "1"):
        raise SetupError(f"FORCE_CUDA={value}: say 1 for CUDA operators, or 0 for the CPU's alone")
    return value


def cuda_environment(probe: Mapping[str, object], environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that make mmcv's build compile CUDA operators, or none of them.

    Unasked, they are compiled where torch is a build for CUDA and nvcc and a GPU are here. Raises
    SetupError for what cannot be built: asked for, or a GPU that is here and cannot be served.
    """
    wanted = asked(environ)
    # mmcv's setup.py goes by the visible GPUs as well.
    on_cpu = {"FORCE_CUDA": "0", "CUDA_VISIBLE_DEVICES": ""}
    if wanted == "1" and not probe["cuda"]:
        raise SetupError(
            f"FORCE_CUDA=1, but torch {probe['torch']} is a build for the CPU: set pip's indexes "
            "(pip config list) so that it finds PyPI's build, or leave FORCE_CUDA out"
        )
    if wanted == "0" or not probe["cuda"]:
        return on_cpu
    if not probe["nvcc"]:
        if wanted == "1" or probe["visible"]:
            why = "FORCE_CUDA=1" if wanted == "1" else "a GPU is visible"
            raise SetupError(
                f"{why}, but nvcc is missing: install the CUDA {probe['cuda']} toolkit (or set "
                "CUDA_HOME), or set FORCE_CUDA=0 for operators on the CPU only"
            )
        return on_cpu
    architectures = environ.get("TORCH_CUDA_ARCH_LIST") or probe["capability"]
    if not architectures:
        raise SetupError(
            "nvcc is here but no GPU is visible: set TORCH_CUDA_ARCH_LIST to the GPUs that will "
            "be used (for example 9.0), or FORCE_CUDA=0 for operators on the CPU only"
        )
    if str(probe["nvcc"]).split(".")[0] != str(probe["cuda"]).split(".")[0]:
        raise SetupError(
            f"nvcc is of CUDA {probe['nvcc']} and torch of CUDA {probe['cuda']}: point CUDA_HOME "
            "to a toolkit of torch's major version, or set FORCE_CUDA=0 for operators on the CPU "
            "only"
        )
    return {"FORCE_CUDA": "1", "TORCH_CUDA_ARCH_LIST": str(architectures)}


def operators(cuda: Mapping[str, str]) -> str:
    """What is built, in a word: "cpu", or "cuda" and the architectures."""
    return f"cuda {cuda['TORCH_CUDA_ARCH_LIST']}" if cuda["FORCE_CUDA"] == "1" else CPU


def told(probe: Mapping[str, object], built: str, environ: Mapping[str, str]) -> str:
    """What is said of the operators that were chosen, and of the choice where nobody made it."""
    if built != CPU:
        kinds = built.removeprefix("cuda ")
        return f"mmcv: operators for the CPU and for CUDA {probe['cuda']} (GPUs of {kinds})"
    if asked(environ) == "0":
        return "mmcv: operators for the CPU only, as FORCE_CUDA=0 asks"
    if not probe["cuda"]:
        return f"mmcv: operators for the CPU only, as torch {probe['torch']} is a build for it"
    return f"mmcv: operators for the CPU ONLY, as no nvcc and no GPU is here; {FOR_LATER}"


def is_as_asked(built: str, environ: Mapping[str, str]) -> bool:
    """Whether an environment whose operators are `built` has what is asked for now."""
    wanted, kinds = asked(environ), environ.get("TORCH_CUDA_ARCH_LIST")
    if built == CPU:
        return wanted != "1"
    return wanted != "0" and (not kinds or built == f"cuda {kinds}")


def gpus_here() -> bool:
    """Whether the driver lists a GPU, asked without torch."""
    if shutil.which("nvidia-smi") is None:
        return False
    listed = subprocess.run(["nvidia-smi", "--list-gpus"], capture_output=True, text=True)
    return bool(re.search(r"^GPU \d", listed.stdout, re.MULTILINE))


def nvcc_here(environ: Mapping[str, str]) -> bool:
    """Whether torch will find nvcc: in CUDA_HOME or CUDA_PATH, on the PATH, in its usual place."""
    home = environ.get("CUDA_HOME") or environ.get("CUDA_PATH")
    if home:
        return os.access(Path(home) / "bin" / "nvcc", os.X_OK)
    return shutil.which("nvcc") is not None or os.access("/usr/local/cuda/bin/nvcc", os.X_OK)


def check_before(environ: Mapping[str, str], *, gpus: bool, nvcc: bool) -> None:
    """Raises SetupError for a choice that is known to fail before torch is downloaded."""
    if asked(environ) != "1":
        return
    if not nvcc:
        raise SetupError(
            "FORCE_CUDA=1, but nvcc is missing: install the CUDA toolkit of the pinned torch's "
            "version (or set CUDA_HOME), or leave FORCE_CUDA out"
        )
    if not gpus and not environ.get("TORCH_CUDA_ARCH_LIST"):
        raise SetupError(
            "FORCE_CUDA=1, but no GPU is visible: set TORCH_CUDA_ARCH_LIST to the GPUs that will "
            "be used (for example 9.0)"
        )
