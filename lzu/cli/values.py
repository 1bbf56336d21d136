"""What the command line takes for a value, and what it says of packages and places that fail it.

Nothing here imports more than Python's own library: threads are bounded before that.
"""

import argparse
import errno
import math

# What a package that is not there comes with (see pyproject.toml).
EXTRAS = {
    "datasets": ("cv2", "pycocotools"),
    "openmmlab": ("mmengine", "mmcv", "mmdet", "mmseg"),
    "detection3d": ("mmdet3d",),
    "nuscenes": ("nuscenes",),
    "workflow": ("snakemake",),
    "report": ("jsonschema", "matplotlib", "numpy", "pandas", "pydantic", "yaml"),
}
# What a place or a disk refuses, and no fault of ours.
REFUSED = (
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EISDIR,
    errno.ENOTDIR,
    errno.EEXIST,
    errno.ENAMETOOLONG,
)


def missing_package(error: ModuleNotFoundError) -> str | None:
    """What to install for a package that is not there; None if it is one of our own."""
    missing = (error.name or "lzu").partition(".")[0]
    if missing == "lzu":
        return None
    extra = next((name for name, packages in EXTRAS.items() if missing in packages), None)
    wanted = missing if extra is None else f"lzu[{extra}]"
    return f"this needs {missing}, which is not installed: pip install '{wanted}'"


def count(text: str) -> int:
    """A whole number from 1 on."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 on")
    return int(text)


def whole(text: str) -> int:
    """A whole number from 0 on."""
    return 0 if text == "0" else count(text)


def positive(text: str) -> float:
    """A number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return value


def share(text: str) -> float:
    """A number from 0 to 1."""
    if text in ("0", "0.0"):
        return 0.0
    if (value := positive(text)) > 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 to 1")
    return value
