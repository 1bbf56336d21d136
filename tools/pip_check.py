"""`pip check`, with the exceptions that we know, and none other.

Exits with 1 and says what differs when pip reports anything else, or when an exception is no longer
needed.
"""

from __future__ import annotations

import subprocess
import sys

EXPECTED = {
    # opencv-python-headless is installed in its place: the same cv2, without the GUI's libGL.
    "imagecorruptions-imaug requires opencv-python, which is not installed.",
    "imaug requires opencv-python, which is not installed.",
    "onedl-mmcv requires opencv-python, which is not installed.",
    "onedl-mmsegmentation requires opencv-python, which is not installed.",
    # Never imported by what we use of mmdet3d (models, datasets, evaluation).
    "mmdet3d requires open3d, which is not installed.",
    "mmdet3d requires plyfile, which is not installed.",
    "mmdet3d requires tensorboard, which is not installed.",
    "mmdet3d requires trimesh, which is not installed.",
    # Its data set is not used here, and its terms are not this project's: see lzu/models/compat.py.
    "mmdet3d requires lyft-dataset-sdk, which is not installed.",
    # Its viewer's, its downloader's, and a copy of a module of Python's own.
    "cityscapesscripts requires appdirs, which is not installed.",
    "cityscapesscripts requires coloredlogs, which is not installed.",
    "cityscapesscripts requires typing, which is not installed.",
    # Needed by their notebooks, map viewers and own tests only.
    "nuscenes-devkit requires descartes, which is not installed.",
    "nuscenes-devkit requires fire, which is not installed.",
    "nuscenes-devkit requires parameterized, which is not installed.",
    # Pinned from before numpy 2. Imports and evaluates under both.
    "nuscenes-devkit has requirement numpy<2.0.0,>=1.22.0",
    "nuscenes-devkit has requirement Shapely~=2.0.3",
}


def normalise(line: str) -> str:
    """A line of `pip check` without the installed versions, which the lock already fixes."""
    name, _, rest = line.strip().split(" ", 2)
    return f"{name} {rest.split(', but you have')[0]}"


def findings() -> set[str]:
    """What `pip check` reports for the running interpreter, one normalised line each."""
    command = [sys.executable, "-m", "pip", "check", "--disable-pip-version-check"]
    report = subprocess.run(command, capture_output=True, text=True)
    lines = [line for line in report.stdout.splitlines() if line.strip()]
    if report.returncode == 0:
        return set()
    if not lines:
        raise RuntimeError(f"pip check said nothing: {report.stderr.strip()}")
    return {normalise(line) for line in lines}


def main() -> int:
    found = findings()
    for line in sorted(found - EXPECTED):
        print(f"pip check: {line}")
    for line in sorted(EXPECTED - found):
        print(f"pip check no longer reports this exception; remove it: {line}")
    return int(found != EXPECTED)


if __name__ == "__main__":
    sys.exit(main())
