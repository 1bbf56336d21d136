"""From nuScenes' tables to mmdet3d's infos: see `infos` for what a prepared file has."""

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from lzu.datasets.findings import Report
from lzu.datasets.nuscenes.classes import CAMERAS, CLASSES
from lzu.datasets.nuscenes.convert import sample_infos
from lzu.datasets.nuscenes.infos import head_line
from lzu.datasets.nuscenes.reader import load
from lzu.datasets.nuscenes.records import NuScenes
from lzu.datasets.nuscenes.seen import velocities
from lzu.datasets.nuscenes.tables import Say
from lzu.datasets.nuscenes.validation import Size, check
from lzu.datasets.nuscenes.writing import write_lines
from lzu.datasets.raw import digest_of_sizes
from lzu.files import write_json

AT_ONCE = 40
"""Samples, a scene's worth, whose boxes are projected together."""


def prepare(
    root: str | os.PathLike[str],
    version: str,
    split: str,
    list_json: str | os.PathLike[str],
    about_json: str | os.PathLike[str],
    *,
    cameras: Sequence[str] = CAMERAS,
    classes: Sequence[str] = CLASSES,
    progress: Say | None = None,
) -> None:
    """Write the infos of a split of nuScenes, real or synthetic, and their `info` block alone.

    Samples come by the names of their scenes and in the order of time. The file has all cameras
    that the tables have and all ten classes, whatever is chosen; `info` counts the images of the
    chosen cameras and the boxes of the chosen classes, and a sample must have those cameras. The
    images are not opened: see `check_split`. Equal data gives equal files, wherever it lies. What
    was cut off goes on where it had come to, once the tables are read.

    Args:
        root: of the data set that has the split: see `layout.root_of`.
        version: folder of the tables.
        split: "train" or "val".
        list_json, about_json: the files to write.
        cameras, classes: the chosen ones.
        progress: is told how far it is, a line at a time.

    Raises:
        UserError: the dataset is missing or has errors; the message is the report.
    """
    say = progress or (lambda line: None)
    dataset = load(root, version, split, say)
    check(dataset, "none", 1, None, cameras).raise_if_errors()
    info = _info(dataset, cameras, classes)
    metainfo = {
        "dataset": "nuscenes",
        "version": version,
        "info_version": "1.1",
        "categories": {name: label for label, name in enumerate(CLASSES)},
    }
    count = len(dataset.samples.tokens)

    def lines(first: int) -> Iterator[str]:
        if first:
            say(f"{list_json}: goes on at sample {first:,}")
        for sample in _samples(dataset, first, str(list_json), say):
            said = json.dumps(sample, allow_nan=False)
            yield said + ("," if sample["sample_idx"] + 1 < count else "")

    write_lines(list_json, head_line(info, metainfo), count, lines, "]}")
    write_json(about_json, info)


def _samples(dataset: NuScenes, first: int, name: str, say: Say) -> Iterator[dict[str, Any]]:
    """The samples from the first one on."""
    velocity, count = velocities(dataset), len(dataset.samples.tokens)
    for start in range(first, count, AT_ONCE):
        stop = min(start + AT_ONCE, count)
        yield from sample_infos(dataset, start, stop, velocity)
        if stop * 10 // count > start * 10 // count:
            say(f"{name}: {stop:,} of {count:,} samples")


def _info(dataset: NuScenes, cameras: Sequence[str], classes: Sequence[str]) -> dict[str, Any]:
    views = [CAMERAS.index(camera) for camera in CAMERAS if camera in cameras]
    tables = _digest(dataset)
    images = digest_of_sizes(dataset.root, dataset.views.files[:, views].ravel())
    counts = np.bincount(dataset.boxes.labels[dataset.boxes.labels >= 0], minlength=len(CLASSES))
    by_class = {name: int(counts[CLASSES.index(name)]) for name in CLASSES if name in classes}
    return {
        "dataset": "nuscenes",
        "split": dataset.split,
        "source": dataset.source,
        "version": dataset.version,
        "fingerprint": hashlib.sha256(f"{tables} {images}".encode()).hexdigest(),
        "images": len(dataset.samples.tokens) * len(views),
        "samples": len(dataset.samples.tokens),
        "scenes": len(dataset.scenes),
        "boxes": sum(by_class.values()),
        "boxes_by_class": by_class,
        "tables_sha256": tables,
        "images_sha256": images,
    }


def _digest(dataset: NuScenes) -> str:
    """A hash of all that is used of the tables' rows, in the order of the samples."""
    digest = hashlib.sha256()
    samples, views, boxes = dataset.samples, dataset.views, dataset.boxes
    there = views.calibrations >= 0
    used = views.calibrations[there]
    calibrations = dataset.calibrations
    names = (
        dataset.scenes,
        samples.tokens,
        views.tokens[there],
        views.files[there],
        boxes.tokens,
        [dataset.instances[index] for index in boxes.instances],
    )
    for column in names:
        digest.update(json.dumps([str(name) for name in column]).encode())
    arrays = (
        samples.timestamps, samples.scenes, there, views.timestamps, views.sizes,
        views.translations[there], views.rotations[there], calibrations.translations[used],
        calibrations.rotations[used], calibrations.intrinsics[used], boxes.samples, boxes.labels,
        boxes.racks, boxes.translations, boxes.sizes, boxes.rotations, boxes.previous,
        boxes.following, boxes.lidar, boxes.radar, boxes.visibility, boxes.attributes,
    )  # fmt: skip
    for array in arrays:
        digest.update(f"{array.shape}".encode())
        digest.update(np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"))))
    return digest.hexdigest()


def check_split(
    root: str | os.PathLike[str],
    version: str,
    split: str,
    report_json: str | os.PathLike[str],
    *,
    images: str = "decode",
    jobs: int = 1,
    image_size: Size | None = None,
    cameras: Sequence[str] = CAMERAS,
    progress: Say | None = None,
) -> Report:
    """Validate a split and write the report, errors or not; see `validation.validate`.

    Raises:
        UserError: the dataset is missing or has errors; the message is the report.
    """
    dataset = load(root, version, split, progress)
    report = check(dataset, images, jobs, image_size, cameras, progress)
    return report.publish(report_json)
