"""From Argoverse-HD to the JSON that pycocotools and mmdetection's CocoDataset read."""

import hashlib
import json
import os
from typing import Any

from lzu.datasets.argoverse_hd.classes import CLASSES
from lzu.datasets.argoverse_hd.reader import KEYS, ArgoverseHD, load
from lzu.datasets.argoverse_hd.structure import OPTIONAL, UNREAD
from lzu.datasets.argoverse_hd.validation import (
    BOX_KINDS,
    BOX_TOLERANCE,
    box_problem,
    check,
    clipped,
)
from lzu.datasets.findings import Report
from lzu.datasets.objects import counts
from lzu.datasets.raw import digest_of_sizes
from lzu.files import write_json, write_text


def fingerprint(dataset: ArgoverseHD) -> dict[str, str]:
    """SHA-256 of the annotation file's bytes, of the images' sorted names and sizes in bytes, and
    of both together; tells datasets apart, not every pixel."""
    annotations = hashlib.sha256(dataset.path.read_bytes()).hexdigest()
    names = sorted(dataset.file_name(image) for image in dataset.data["images"])
    images = digest_of_sizes(dataset.root, names)
    both = hashlib.sha256(f"{annotations} {images}".encode()).hexdigest()
    return {"fingerprint": both, "annotations_sha256": annotations, "images_sha256": images}


def to_coco(dataset: ArgoverseHD, box_tolerance: float = BOX_TOLERANCE) -> dict[str, Any]:
    """The split as COCO detection JSON; expects a validated one.

    `file_name` is relative to the root. Of the records' keys those that are read are kept (see
    `structure`), and each box has its own area. Boxes are clipped to their image; those without
    area or far outside are left out (validation has told of them). The others are all there, also
    those that are no objects to learn (see `lzu.datasets.objects`). Annotation ids start above 0,
    because pycocotools takes a match with id 0 for no match.
    """
    images = [
        {**_read(image, "images"), "file_name": dataset.file_name(image)}
        for image in dataset.data["images"]
    ]
    sizes = {image["id"]: image for image in images}
    lowest = min((record["id"] for record in dataset.data["annotations"]), default=1)
    shift = max(0, 1 - lowest)
    annotations, changed, dropped = [], 0, 0
    for record in dataset.data["annotations"]:
        image = sizes[record["image_id"]]
        kind, _ = box_problem(record["bbox"], image, box_tolerance)
        if kind in BOX_KINDS:
            dropped += 1
            continue
        changed += kind == "box_clipped"
        box = clipped(record["bbox"], image)
        own = {
            "id": record["id"] + shift,
            "bbox": box,
            "area": box[2] * box[3],
            "iscrowd": int(record.get("iscrowd", 0)),
        }
        annotations.append({**_read(record, "annotations"), **own})
    return {
        "info": {
            "dataset": "argoverse_hd",
            "split": dataset.split,
            "source": dataset.source,
            "images": len(images),
            "annotations": len(annotations),
            "clipped_boxes": changed,
            "dropped_boxes": dropped,
            **counts(annotations),
        },
        "categories": [{"id": k, "name": name} for k, name in enumerate(CLASSES)],
        "images": images,
        "annotations": annotations,
        "sequences": dataset.data.get("sequences", []),
        "seq_dirs": dataset.data["seq_dirs"],
    }


def _read(record: dict[str, Any], part: str) -> dict[str, Any]:
    known = (*KEYS[part], *OPTIONAL[part], *UNREAD[part])
    return {key: value for key, value in record.items() if key in known}


def prepare(
    root: str | os.PathLike[str],
    split: str,
    out_json: str | os.PathLike[str],
    about_json: str | os.PathLike[str],
    *,
    box_tolerance: float = BOX_TOLERANCE,
    tolerate: tuple[str, ...] = (),
) -> None:
    """Write a split of Argoverse-HD, real or synthetic, as COCO JSON, and its `info` block alone.

    `info` has the fields of `fingerprint`, the source ("real" or "synthetic") and the counts; equal
    data gives equal files, wherever it lies. The images are not opened: see `check_split`.

    Raises:
        UserError: the dataset is missing or its annotations have errors; the message is the report.
    """
    dataset = load(root, split)
    report = check(dataset, "none", 1, "warning", box_tolerance, tuple(tolerate), None)
    report.raise_if_errors(str(dataset.path))
    converted = to_coco(dataset, box_tolerance)
    converted["info"] |= fingerprint(dataset)
    write_prepared(converted, out_json, about_json)


def write_prepared(
    content: dict[str, Any], out_json: str | os.PathLike[str], about_json: str | os.PathLike[str]
) -> None:
    """Write the content of a prepared file, and its `info` block in a small one beside it."""
    # Not indented: json's fast encoder knows no indentation, and the real file has a million boxes.
    write_text(out_json, json.dumps(content, separators=(",", ":"), allow_nan=False))
    write_json(about_json, content["info"])


def check_split(
    root: str | os.PathLike[str],
    split: str,
    report_json: str | os.PathLike[str],
    *,
    images: str = "decode",
    jobs: int = 1,
    order: str = "warning",
    box_tolerance: float = BOX_TOLERANCE,
    tolerate: tuple[str, ...] = (),
    image_size: tuple[int, int] | None = None,
) -> Report:
    """Validate a split and write the report, errors or not; see `validation.validate`.

    Raises:
        UserError: the dataset is missing or has errors; the message is the report.
    """
    dataset = load(root, split)
    report = check(dataset, images, jobs, order, box_tolerance, tuple(tolerate), image_size)
    return report.publish(report_json)
