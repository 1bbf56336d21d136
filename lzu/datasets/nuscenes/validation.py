"""Finds what is wrong with a nuScenes root before anything is trained on it."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lzu.datasets.findings import Finding, Report
from lzu.datasets.images import IMAGE_CHECKS, MOST_PIXELS, image_problem
from lzu.datasets.nuscenes.classes import CAMERAS
from lzu.datasets.nuscenes.collected import Collected
from lzu.datasets.nuscenes.layout import WHERE, official_split, table_path
from lzu.datasets.nuscenes.reader import load
from lzu.datasets.nuscenes.records import CHANNELS, NuScenes
from lzu.datasets.nuscenes.splits import scene_names
from lzu.datasets.nuscenes.tables import Say

Size = tuple[int, int]
"""(height, width) in pixels."""
UNIT = 1e-3
"""By which a quaternion's length may differ from 1."""
FLATTEST = 1e12
"""Condition number of intrinsics from which on they count as singular."""
FARTHEST = 1e7
"""Metres, or pixels of intrinsics: numbers beyond are no places on earth."""
AT_ONCE = 4096
"""Images that are handed to the threads together."""

_LIDAR = len(CHANNELS) - 1


def validate(
    root: str | os.PathLike[str],
    version: str,
    split: str,
    images: str = "decode",
    jobs: int = 1,
    *,
    image_size: Size | None = None,
    cameras: Sequence[str] = CAMERAS,
    progress: Say | None = None,
) -> Report:
    """Look at everything that training would stumble over.

    Left alone is what the devkit takes as it comes: boxes behind a camera (it does not see them),
    an object whose velocity is unknown, a category without a class, a box without an attribute or
    without a point.

    Args:
        root, version, split: the dataset; see `prepare.prepare`.
        images: "decode" reads every image of the chosen cameras to its end, "header" its size only,
            "none" does not open them (missing files are found all the same).
        jobs: threads that read images.
        image_size: (height, width) that every such image must have; None: any.
        cameras: those that every sample must have.
        progress: is told how far it is, a line at a time.

    Raises:
        UserError: a table is missing or cannot be read at all, or the split is unknown.
        ValueError: an argument has no such value.
    """
    dataset = load(root, version, split, progress)
    return check(dataset, images, jobs, image_size, cameras, progress)


def check(
    dataset: NuScenes,
    images: str,
    jobs: int,
    image_size: Size | None,
    cameras: Sequence[str],
    progress: Say | None = None,
) -> Report:
    """`validate` on a split that is already read."""
    if images not in IMAGE_CHECKS:
        raise ValueError(f"images must be one of {IMAGE_CHECKS}, not {images!r}")
    if unknown := set(cameras) - set(CAMERAS):
        raise ValueError(f"cameras must be among {CAMERAS}, not {sorted(unknown)}")
    chosen = [CAMERAS.index(camera) for camera in CAMERAS if camera in cameras]
    problems = Collected()
    _scenes(dataset, problems)
    _views(dataset, chosen, image_size, problems)
    _calibrations(dataset, problems)
    _boxes(dataset, problems)
    findings = [*dataset.findings, *problems.all()]
    findings += _files(dataset, chosen, images, jobs, progress or (lambda line: None))
    return Report(
        dataset="nuScenes",
        root=str(dataset.root),
        split=dataset.split,
        images=sum(file is not None for file in dataset.views.files[:, chosen].ravel()),
        annotations=int((dataset.boxes.labels >= 0).sum()),
        findings=tuple(findings),
    )


def _scenes(dataset: NuScenes, problems: Collected) -> None:
    path = table_path(dataset.root, dataset.version, "scene")
    name = official_split(dataset.version, dataset.split)
    if not dataset.samples.tokens:
        problems.add("empty_split", path, None, f"no scene of the split {name!r} has samples")
        return
    missing = sorted(scene_names(dataset.version, dataset.split) - set(dataset.scenes))
    # A synthetic world takes its names from the split, and not all of them.
    if missing and dataset.source == "real":
        some = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
        text = f"{len(missing)} scenes of the split {name!r} are missing: {some}; {WHERE}"
        problems.add("missing_scene", path, None, text)


def _views(
    dataset: NuScenes, chosen: list[int], image_size: Size | None, problems: Collected
) -> None:
    views, samples = dataset.views, dataset.samples
    path = {
        name: table_path(dataset.root, dataset.version, name)
        for name in ("sample", "sample_data", "ego_pose")
    }
    there = views.calibrations >= 0
    for column in (*chosen, _LIDAR):
        for sample in np.flatnonzero(~there[:, column]):
            text = f"the sample has no key frame of {CHANNELS[column]} in sample_data.json"
            problems.add("missing_view", path["sample"], samples.tokens[sample], text)
    for at in zip(*np.nonzero(there[:, :_LIDAR]), strict=True):
        height, width = views.sizes[at].tolist()
        shown = f"the image is {width} x {height}"
        if not 0 < height * width <= MOST_PIXELS:
            text = f"{shown}, not from 1 to {MOST_PIXELS:,} pixels"
            problems.add("bad_value", path["sample_data"], views.tokens[at], text)
        elif image_size is not None and at[1] in chosen and (height, width) != image_size:
            text = f"{shown}, and the suite's native_size says {image_size[1]} x {image_size[0]}"
            problems.add("other_image_size", path["sample_data"], views.tokens[at], text)
    for at in zip(*np.nonzero(there), strict=True):
        name = PurePosixPath(views.files[at])
        if name.is_absolute() or ".." in name.parts or not name.name:
            text = f"filename {views.files[at]!r} is no path below the root"
            problems.add("file_name", path["sample_data"], views.tokens[at], text)
    placed = views.poses != None  # noqa: E711, each of an array
    tokens = views.poses[placed]
    _numbers(path["ego_pose"], tokens, "translation", views.translations[placed], problems)
    _rotations(path["ego_pose"], tokens, views.rotations[placed], problems)


def _calibrations(dataset: NuScenes, problems: Collected) -> None:
    """The sensors that the split's key frames were recorded with."""
    views, calibrations = dataset.views, dataset.calibrations
    path = table_path(dataset.root, dataset.version, "calibrated_sensor")
    used = np.unique(views.calibrations[views.calibrations >= 0])
    tokens = [calibrations.tokens[index] for index in used]
    _numbers(path, tokens, "translation", calibrations.translations[used], problems)
    _rotations(path, tokens, calibrations.rotations[used], problems)
    cameras = np.unique(views.calibrations[:, :_LIDAR])
    for index in cameras[cameras >= 0]:
        if problem := intrinsics_problem(calibrations.intrinsics[index]):
            text = f"camera_intrinsic {problem}"
            problems.add("intrinsics", path, calibrations.tokens[index], text)


def intrinsics_problem(matrix: NDArray[np.float64]) -> str:
    """What is wrong with a camera's matrix (3, 3), "" if nothing is."""
    if not np.isfinite(matrix).all() or np.abs(matrix).max() > FARTHEST:
        return "is no matrix of 3 x 3 numbers"
    if np.linalg.cond(matrix) >= FLATTEST:
        return f"is singular: {matrix.tolist()}"
    if matrix[2].tolist() != [0, 0, 1]:
        return f"ends with {matrix[2].tolist()}, not with [0, 0, 1]"
    return ""


def _boxes(dataset: NuScenes, problems: Collected) -> None:
    path = table_path(dataset.root, dataset.version, "sample_annotation")
    boxes = dataset.boxes
    _numbers(path, boxes.tokens, "translation", boxes.translations, problems)
    _numbers(path, boxes.tokens, "size", boxes.sizes, problems)
    _rotations(path, boxes.tokens, boxes.rotations, problems)
    for index in np.flatnonzero((boxes.sizes <= 0).any(1)):
        text = f"size is {boxes.sizes[index].tolist()}, not positive"
        problems.add("bad_value", path, boxes.tokens[index], text)


def _numbers(path: Path, tokens: Any, key: str, values: Any, problems: Collected) -> None:
    """Rows whose values are no numbers to compute with."""
    with np.errstate(invalid="ignore"):
        bad = ~(np.abs(values) <= FARTHEST).all(1)
    for index in np.flatnonzero(bad):
        text = f"{key} is {values[index].tolist()}, not finite or beyond {FARTHEST:g}"
        problems.add("bad_value", path, tokens[index], text)


def _rotations(path: Path, tokens: Any, values: Any, problems: Collected) -> None:
    """Rows whose rotation is no quaternion of length 1."""
    with np.errstate(invalid="ignore", over="ignore"):
        length = np.sqrt((values * values).sum(1))
        bad = ~(np.abs(length - 1) <= UNIT)
    for index in np.flatnonzero(bad):
        text = f"rotation is {values[index].tolist()}, no quaternion of length 1"
        problems.add("rotation", path, tokens[index], text)


def _files(
    dataset: NuScenes, chosen: list[int], how: str, jobs: int, say: Say
) -> Iterator[Finding]:
    """What is wrong with the image files of the chosen cameras."""
    views = dataset.views
    rows = [at for at in zip(*np.nonzero(views.calibrations >= 0), strict=True) if at[1] in chosen]
    folders = {str(PurePosixPath(views.files[at]).parent) for at in rows}
    missing = {folder for folder in folders if not (dataset.root / folder).is_dir()}
    for folder in sorted(missing):
        text = f"the folder of images is missing: {WHERE}"
        yield Finding("image_missing", "error", str(dataset.root / folder), None, text)

    def one(at: tuple[int, int]) -> Finding | None:
        path = dataset.root / views.files[at]
        height, width = views.sizes[at].tolist()
        problem = image_problem(path, (width, height), how)
        if problem is None or str(PurePosixPath(views.files[at]).parent) in missing:
            return None
        return Finding(problem[0], "error", str(path), views.tokens[at], problem[1])

    with ThreadPoolExecutor(max(1, jobs)) as pool:
        for start in range(0, len(rows), AT_ONCE):
            part = rows[start : start + AT_ONCE]
            yield from (finding for finding in pool.map(one, part) if finding is not None)
            say(f"looked at {start + len(part):,} of {len(rows):,} images")
