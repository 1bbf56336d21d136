"""From Cityscapes' folders to a listing: which files there are, and what their labels hold.

A prepared file is JSON with `info`, what is known of the split, and `images`, one record a frame:
`id` ("{city}_{sequence}_{frame}"), `city`, `sequence`, `frame`, `image` and `label` (paths below
the root), `width`, `height`, and `pixels`, how many of the labelled pixels belong to each of the 19
classes and, in the 20th place, to none that counts. Labels are read as trainIds, whichever file
they are in.
"""

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np

from lzu.datasets.cityscapes.classes import CLASSES, IGNORE
from lzu.datasets.cityscapes.crop import cropped
from lzu.datasets.cityscapes.reader import Cityscapes, Frame, load, read_train_ids
from lzu.datasets.cityscapes.validation import Size, check
from lzu.datasets.findings import Report
from lzu.datasets.raw import digest_of_sizes
from lzu.files import write_json


def prepare(
    root: str | os.PathLike[str],
    split: str,
    list_json: str | os.PathLike[str],
    about_json: str | os.PathLike[str],
    *,
    crop: Size | None = None,
    jobs: int = 1,
) -> None:
    """Write the listing of a split of Cityscapes, real or synthetic, and its `info` block alone.

    Every label image is read, by `jobs` threads; the images are not opened: see `check_split`.
    `pixels` are those of the central `crop`, None: of the whole label image. Equal data gives equal
    files, wherever it lies.

    Raises:
        UserError: the dataset is missing, or files of it are; the message is the report. Or a label
            image cannot be read, or does not hold the crop.
    """
    dataset = load(root, split)
    check(dataset, "none", 1, None, crop).raise_if_errors()
    with ThreadPoolExecutor(max(1, jobs)) as pool:
        looked = list(pool.map(partial(_record, dataset, crop), dataset.frames))
    records = [record for record, _ in looked]
    labels = hashlib.sha256("\n".join(digest for _, digest in looked).encode()).hexdigest()
    images = digest_of_sizes(dataset.root, (record["image"] for record in records))
    both = hashlib.sha256(f"{labels} {images} {crop}".encode()).hexdigest()
    info = {
        "dataset": "cityscapes",
        "split": split,
        "source": dataset.source,
        "crop": None if crop is None else list(crop),
        "fingerprint": both,
        "labels_sha256": labels,
        "images_sha256": images,
    }
    write_prepared({"info": info | counts(records), "images": records}, list_json, about_json)


def _record(dataset: Cityscapes, crop: Size | None, frame: Frame) -> tuple[dict[str, Any], str]:
    """The record of a frame, and the digest of its name and trainIds."""
    assert frame.image is not None
    assert frame.label is not None
    path = dataset.root / frame.label
    train_ids = read_train_ids(path)
    height, width = train_ids.shape
    digest = hashlib.sha256(f"{frame.name} {height} {width}\n".encode())
    digest.update(train_ids)
    inside = cropped(train_ids, crop, path)
    found = np.bincount(inside.ravel(), minlength=IGNORE + 1)
    record = {
        "id": str(frame.name),
        "city": frame.name.city,
        "sequence": frame.name.sequence,
        "frame": frame.name.frame,
        "image": frame.image,
        "label": frame.label,
        "width": width,
        "height": height,
        "pixels": [*found[: len(CLASSES)].tolist(), int(found[IGNORE])],
    }
    return record, digest.hexdigest()


def counts(records: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What `info` says of a listing's records: how many images and cities there are, and the pixels
    of each class; of a class that never occurs, 0."""
    pixels = np.array([record["pixels"] for record in records], np.int64)
    totals = pixels.reshape(len(records), len(CLASSES) + 1).sum(0).tolist()
    return {
        "images": len(records),
        "cities": len({record["city"] for record in records}),
        "class_pixels": dict(zip(CLASSES, totals, strict=False)),
        "ignored_pixels": totals[-1],
    }


def write_prepared(
    content: dict[str, Any], list_json: str | os.PathLike[str], about_json: str | os.PathLike[str]
) -> None:
    """Write the content of a prepared file, and its `info` block in a small one beside it."""
    write_json(list_json, content, indent=None)
    write_json(about_json, content["info"])


def check_split(
    root: str | os.PathLike[str],
    split: str,
    report_json: str | os.PathLike[str],
    *,
    images: str = "decode",
    jobs: int = 1,
    image_size: Size | None = None,
    crop: Size | None = None,
) -> Report:
    """Validate a split and write the report, errors or not; see `validation.validate`.

    Raises:
        UserError: the dataset is missing or has errors; the message is the report.
    """
    return check(load(root, split), images, jobs, image_size, crop).publish(report_json)
