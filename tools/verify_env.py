"""The last step of a set-up: imports what was installed and runs it on known answers.

python tools/verify_env.py harness "cpu"          operators for the CPU alone
python tools/verify_env.py harness "cuda 9.0"     and for GPUs of these compute capabilities
python tools/verify_env.py report
"""

from __future__ import annotations

import importlib
import sys
from importlib.metadata import version
from pathlib import Path

import pip_check
from cuda_choice import CPU
from lock import read_pins

LIGHT = ("pandas", "matplotlib", "pydantic", "jsonschema", "yaml", "lzu")
NETWORKS = ("torch", "triton", "mmengine", "mmcv", "mmdet", "mmseg", "cv2", "pycocotools.mask")
TOOLS = ("snakemake", "pytest", "hypothesis")
IMPORTS = {"harness": (*NETWORKS, *TOOLS, *LIGHT), "report": LIGHT}
REQUIREMENTS = Path(__file__).resolve().parent.parent / "requirements"


def check_versions(pins: dict[str, str]) -> None:
    installed = {name: version(name).split("+")[0] for name in pins}
    wrong = [f"{n} {installed[n]} instead of {v}" for n, v in pins.items() if installed[n] != v]
    if wrong:
        sys.exit("ERROR: not the pinned versions: " + ", ".join(wrong))


def check_operators(device: str = "cpu") -> None:
    """mmcv's compiled operators give what arithmetic says."""
    import torch
    from mmcv.ops import nms, roi_align

    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 9], [20, 20, 30, 30]], device=device)
    _, kept = nms(boxes, torch.tensor([0.5, 0.9, 0.7], device=device), iou_threshold=0.5)
    if kept.tolist() != [1, 2]:
        sys.exit(f"ERROR: mmcv.ops.nms kept boxes {kept.tolist()} instead of [1, 2] ({device})")
    # On a linear ramp the mean over a box is the ramp at its centre.
    ramp = torch.arange(16.0, device=device).expand(1, 1, 16, 16).contiguous()
    box = torch.tensor([[0.0, 2, 2, 10, 10]], device=device)
    pooled = roi_align(ramp, box, 1, 1.0, 4, "avg", True)
    if abs(pooled.item() - 5.5) > 1e-5:
        sys.exit(f"ERROR: mmcv.ops.roi_align gave {pooled.item()} instead of 5.5 ({device})")


def check_built_for(operators: str) -> None:
    """mmcv's operators were compiled for what was asked for: "cpu", or "cuda" and the GPUs.

    Where a GPU is visible, those for CUDA are run, too.
    """
    import torch
    from mmcv.ops import get_compiling_cuda_version

    compiled = get_compiling_cuda_version() != "not available"
    if compiled != (operators != CPU):
        have = "has" if compiled else "has no"
        sys.exit(f"ERROR: mmcv {have} operators for CUDA, and was to be built for {operators}")
    check_operators()
    if compiled and torch.cuda.is_available():
        check_operators("cuda")


def main() -> None:
    kind = sys.argv[1]
    operators = sys.argv[2] if len(sys.argv) > 2 else CPU
    check_versions(read_pins(REQUIREMENTS / f"{kind}.txt"))
    print("checked: versions", flush=True)
    for name in IMPORTS[kind]:
        importlib.import_module(name)
    print("checked: imports", flush=True)
    if kind == "harness":
        check_built_for(operators)
        print("checked: operators", flush=True)
        if pip_check.main() != 0:
            sys.exit("ERROR: pip check differs from what tools/pip_check.py expects")
        print("checked: pip check", flush=True)


if __name__ == "__main__":
    main()
