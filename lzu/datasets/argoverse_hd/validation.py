"""Finds what is wrong with an Argoverse-HD root before anything is trained on it."""

import math
import os
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, islice, pairwise
from typing import Any

from lzu.datasets.argoverse_hd.classes import CLASSES
from lzu.datasets.argoverse_hd.layout import IMAGE_FOLDER, WHERE
from lzu.datasets.argoverse_hd.reader import ArgoverseHD, load
from lzu.datasets.argoverse_hd.structure import structure
from lzu.datasets.findings import Finding, Report
from lzu.datasets.images import IMAGE_CHECKS, MOST_PIXELS, image_problem
from lzu.datasets.objects import counts
from lzu.datasets.sequences import out_of_order

BOX_TOLERANCE = 2.0
"""Pixels by which a box may leave its image; such boxes are clipped, with a warning."""
BOX_KINDS = ("box_size", "box_outside")
"""Kinds of errors that may be tolerated: the boxes are left out."""


def validate(
    root: str | os.PathLike[str],
    split: str,
    images: str = "decode",
    jobs: int = 1,
    *,
    order: str = "warning",
    box_tolerance: float = BOX_TOLERANCE,
    tolerate: tuple[str, ...] = (),
    image_size: tuple[int, int] | None = None,
) -> Report:
    """Look at everything that training would stumble over.

    Args:
        root, split: the dataset.
        images: "decode" reads every image to its end, "header" its size only, "none" does not
            open them (missing files are found all the same).
        jobs: threads that read images.
        order: severity ("error" or "warning") of a frame number missing within a sequence, and of
            numbers in another order than the time stamps in the images' names; repeated numbers
            are always errors.
        box_tolerance: pixels by which boxes may leave the image (warning) before it is an error.
        tolerate: kinds among BOX_KINDS that are warnings.
        image_size: (height, width) in pixels that every image must have; None: any.

    Raises:
        UserError: the annotation file cannot be read at all.
        ValueError: an argument has no such value.
    """
    if images not in IMAGE_CHECKS:
        raise ValueError(f"images must be one of {IMAGE_CHECKS}, not {images!r}")
    if order not in ("error", "warning"):
        raise ValueError(f"order must be 'error' or 'warning', not {order!r}")
    for kind in tolerate:
        if kind not in BOX_KINDS:
            raise ValueError(f"only {BOX_KINDS} can be tolerated, not {kind!r}")
    dataset = load(root, split)
    return check(dataset, images, jobs, order, box_tolerance, tolerate, image_size)


def check(
    dataset: ArgoverseHD,
    images: str,
    jobs: int,
    order: str,
    box_tolerance: float,
    tolerate: tuple[str, ...],
    image_size: tuple[int, int] | None,
) -> Report:
    """`validate` on a split that is already loaded."""
    findings = list(structure(dataset))
    # Records without their keys cannot be looked into.
    not_learned: dict[str, int] = {}
    if not any(finding.severity == "error" for finding in findings):
        findings += _images(dataset, image_size)
        findings += _sequences(dataset, order)
        findings += _categories(dataset)
        findings += _annotations(dataset, box_tolerance, tolerate)
        findings += _files(dataset, images, jobs)
        not_learned = counts(_kept_boxes(dataset, box_tolerance))
    return Report(
        dataset="Argoverse-HD",
        root=str(dataset.root),
        split=dataset.split,
        images=len(dataset.data["images"]),
        annotations=len(dataset.data["annotations"]),
        findings=tuple(findings),
        not_learned=not_learned,
    )


def _duplicates(dataset: ArgoverseHD, part: str) -> Iterator[Finding]:
    seen: set[int] = set()
    for place, record in enumerate(dataset.data[part]):
        if record["id"] in seen:
            text = f"duplicate id: {part}[{place}] has an id that another one has"
            yield Finding(
                f"duplicate_{part[:-1]}_id", "error", str(dataset.path), record["id"], text
            )
        seen.add(record["id"])


def _images(dataset: ArgoverseHD, size: tuple[int, int] | None) -> Iterator[Finding]:
    yield from _duplicates(dataset, "images")
    file, count = str(dataset.path), len(dataset.data["seq_dirs"])
    names: set[tuple[int, str]] = set()
    for image in dataset.data["images"]:
        if not 0 <= image["sid"] < count:
            text = f"image {image['name']} is of sequence {image['sid']}, but there are {count}"
            yield Finding("unknown_sequence", "error", file, image["id"], text)
        if image["width"] < 1 or image["height"] < 1:
            text = f"image {image['name']} has size {image['width']} x {image['height']}"
            yield Finding("bad_value", "error", file, image["id"], text)
        elif image["width"] * image["height"] > MOST_PIXELS:
            text = (
                f"image {image['name']} has size {image['width']} x {image['height']}, more than "
                f"{MOST_PIXELS:,} pixels"
            )
            yield Finding("bad_value", "error", file, image["id"], text)
        elif size is not None and (image["height"], image["width"]) != size:
            text = (
                f"image {image['name']} is {image['width']} x {image['height']}, and the suite's "
                f"native_size says {size[1]} x {size[0]}"
            )
            yield Finding("other_image_size", "error", file, image["id"], text)
        if (image["sid"], image["name"]) in names:
            text = f"image {image['name']} is listed twice in sequence {image['sid']}"
            yield Finding("duplicate_image_name", "error", file, image["id"], text)
        names.add((image["sid"], image["name"]))


def _sequences(dataset: ArgoverseHD, order: str) -> Iterator[Finding]:
    frames: dict[int, dict[int, int]] = defaultdict(dict)
    names: dict[int, dict[int, str]] = defaultdict(dict)
    file = str(dataset.path)
    for image in dataset.data["images"]:
        sid, fid = image["sid"], image["fid"]
        if fid in frames[sid]:
            text = f"frame {fid} of sequence {sid} is repeated (also image {frames[sid][fid]})"
            yield Finding("repeated_frame", "error", file, image["id"], text)
        frames[sid][fid] = image["id"]
        names[sid][fid] = image["name"]
    for sid, numbers in sorted(frames.items()):
        first, last = min(numbers), max(numbers)
        if first > 0:
            text = f"sequence {sid} begins with frame {first}"
            yield Finding("late_start", "warning", file, None, text)
        if missing := last - first + 1 - len(numbers):
            # a gap may be as long as a number is large
            gaps = (range(a + 1, b) for a, b in pairwise(sorted(numbers)))
            some = ", ".join(map(str, islice(chain.from_iterable(gaps), 5)))
            some += ", ..." if missing > 5 else ""
            text = f"sequence {sid} lacks {missing} of frames {first} to {last}: {some}"
            yield Finding("missing_frame", order, file, None, text)
        if wrong := out_of_order(names[sid]):
            before, after = wrong
            text = (
                f"sequence {sid}: frame {after} ({names[sid][after]}) is not later than frame "
                f"{before} ({names[sid][before]}) by the time in their names"
            )
            yield Finding("frame_order", order, file, numbers[after], text)


def _categories(dataset: ArgoverseHD) -> Iterator[Finding]:
    yield from _duplicates(dataset, "categories")
    file = str(dataset.path)
    for record in dataset.data["categories"]:
        at = record["id"]
        expected = CLASSES[at] if 0 <= at < len(CLASSES) else None
        if record["name"] != expected:
            text = f"unknown class {record['name']!r} with id {at}; expected " + (
                repr(expected) if expected else f"ids 0 to {len(CLASSES) - 1}"
            )
            yield Finding("unknown_class", "error", file, at, text)


def _annotations(
    dataset: ArgoverseHD, tolerance: float, tolerate: tuple[str, ...]
) -> Iterator[Finding]:
    yield from _duplicates(dataset, "annotations")
    file = str(dataset.path)
    images = {image["id"]: image for image in dataset.data["images"]}
    known = {record["id"] for record in dataset.data["categories"]}
    for record in dataset.data["annotations"]:
        who, image = record["id"], images.get(record["image_id"])
        if record["category_id"] not in known:
            text = f"box of unknown class {record['category_id']} (known: {sorted(known)})"
            yield Finding("unknown_class", "error", file, who, text)
        if image is None:
            text = f"box of image {record['image_id']}, which is not listed"
            yield Finding("unknown_image", "error", file, who, text)
            continue
        kind, text = box_problem(record["bbox"], image, tolerance)
        if kind:
            mild = kind in tolerate or kind == "box_clipped"
            name = f"{text}, in image {image['id']} ({image['name']})"
            yield Finding(kind, "warning" if mild else "error", file, who, name)


def _kept_boxes(dataset: ArgoverseHD, tolerance: float) -> Iterator[dict[str, Any]]:
    """The boxes of a prepared file, clipped to their images, and whether they are crowds."""
    images = {image["id"]: image for image in dataset.data["images"]}
    for record in dataset.data["annotations"]:
        image = images.get(record["image_id"])
        if image is None or box_problem(record["bbox"], image, tolerance)[0] in BOX_KINDS:
            continue
        yield {"bbox": clipped(record["bbox"], image), "iscrowd": record.get("iscrowd", 0)}


def box_problem(
    box: list[float], image: dict[str, Any], tolerance: float = BOX_TOLERANCE
) -> tuple[str, str]:
    """Kind ("box_size", "box_outside", "box_clipped" or "") and description of what is wrong with
    a box [left, top, width, height] of `image`."""
    left, top, width, height = box
    if not all(math.isfinite(value) for value in box):
        return "box_size", f"box {box} is not finite"
    if width <= 0 or height <= 0:
        return "box_size", f"box {box} has no positive size"
    over = max(-left, -top, left + width - image["width"], top + height - image["height"])
    # Half a hundredth allows for the two decimals that boxes are usually written with.
    if over <= 0.011:
        return "", ""
    size = f"{image['width']} x {image['height']}"
    gone = (
        left >= image["width"] or top >= image["height"] or left + width <= 0 or top + height <= 0
    )
    if over > tolerance or gone:
        return "box_outside", f"box {box} leaves the image of {size} by {over:g} pixels"
    return "box_clipped", f"box {box} leaves the image of {size} by {over:g} pixels; it is clipped"


def clipped(box: list[float], image: dict[str, Any]) -> list[float]:
    """The part of a box [left, top, width, height] that is in its image."""
    left, top, width, height = box
    right, bottom = min(left + width, image["width"]), min(top + height, image["height"])
    left, top = max(left, 0), max(top, 0)
    return [left, top, right - left, bottom - top]


def _files(dataset: ArgoverseHD, how: str, jobs: int) -> Iterator[Finding]:
    folder = dataset.root / IMAGE_FOLDER
    if not folder.is_dir():
        text = f"the folder of the images is missing: {WHERE}"
        yield Finding("image_missing", "error", str(folder), None, text)
        return
    count = len(dataset.data["seq_dirs"])
    listed = [image for image in dataset.data["images"] if 0 <= image["sid"] < count]

    def one(image: dict[str, Any]) -> Finding | None:
        path = dataset.root / dataset.file_name(image)
        problem = image_problem(path, (image["width"], image["height"]), how)
        return Finding(problem[0], "error", str(path), image["id"], problem[1]) if problem else None

    with ThreadPoolExecutor(max(1, jobs)) as pool:
        yield from (finding for finding in pool.map(one, listed) if finding is not None)
