"""Finds what is wrong with a Cityscapes root before anything is trained on it."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2

from lzu.datasets.cityscapes.crop import fits
from lzu.datasets.cityscapes.layout import (
    IDS_ENDING,
    IMAGE_FOLDER,
    LABEL_ENDINGS,
    LABEL_FOLDER,
    WHERE,
)
from lzu.datasets.cityscapes.reader import Cityscapes, Frame, load, table_of, value_problem
from lzu.datasets.findings import Finding, Report
from lzu.datasets.images import (
    IMAGE_CHECKS,
    ImageError,
    check_image,
    check_labels,
    read_header,
    read_labels,
)

Size = tuple[int, int]
"""(height, width) in pixels."""


@dataclass(frozen=True)
class _Wanted:
    """How to look at a frame's files."""

    how: str
    image_size: Size | None
    crop: Size | None


def validate(
    root: str | os.PathLike[str],
    split: str,
    images: str = "decode",
    jobs: int = 1,
    *,
    image_size: Size | None = None,
    crop: Size | None = None,
) -> Report:
    """Look at everything that training would stumble over.

    Args:
        root, split: the dataset.
        images: "decode" reads every image and label image to its end, with the labels' values;
            "header" their sizes and modes only; "none" does not open them (missing files are found
            all the same).
        jobs: threads that read.
        image_size: (height, width) that every image must have; None: any. A label image must have
            its image's size.
        crop: (height, width) of the central crop that every image must hold; None: no crop.

    Raises:
        UserError: there is no such split at all.
        ValueError: `images` has no such value.
    """
    if images not in IMAGE_CHECKS:
        raise ValueError(f"images must be one of {IMAGE_CHECKS}, not {images!r}")
    return check(load(root, split), images, jobs, image_size, crop)


def check(
    dataset: Cityscapes, images: str, jobs: int, image_size: Size | None, crop: Size | None
) -> Report:
    """`validate` on a split that is already listed."""
    findings = [*_folders(dataset), *_strays(dataset)]
    missing = {finding.kind for finding in findings}
    wanted = _Wanted(images, image_size, crop)

    def one(frame: Frame) -> list[Finding]:
        return [f for f in _frame(dataset, frame, wanted) if f.kind not in missing]

    with ThreadPoolExecutor(max(1, jobs)) as pool:
        for found in pool.map(one, dataset.frames):
            findings += found
    return Report(
        dataset="Cityscapes",
        root=str(dataset.root),
        split=dataset.split,
        images=sum(frame.image is not None for frame in dataset.frames),
        annotations=sum(frame.label is not None for frame in dataset.frames),
        findings=tuple(findings),
        unit="label images",
    )


def _folders(dataset: Cityscapes) -> Iterator[Finding]:
    """A folder that is missing, once: not every file of it."""
    for folder, kind in ((IMAGE_FOLDER, "image_missing"), (LABEL_FOLDER, "label_missing")):
        path = dataset.root / folder / dataset.split
        if not path.is_dir():
            yield Finding(kind, "error", str(path), None, f"the folder is missing: {WHERE}")


def _strays(dataset: Cityscapes) -> Iterator[Finding]:
    for stray in dataset.strays:
        text = (
            "the name is not {city}_{sequence}_{frame}, with the city of its folder, so the frame "
            "is unknown: rename or remove it"
        )
        yield Finding("file_name", "error", str(dataset.root / stray), None, text)


def _frame(dataset: Cityscapes, frame: Frame, wanted: _Wanted) -> Iterator[Finding]:
    root, name, split = dataset.root, frame.name, dataset.split
    if frame.image is None:
        path = root / name.image(split)
        yield Finding("image_missing", "error", str(path), str(name), "the image is missing")
    if frame.label is None:
        path = root / name.label(split, IDS_ENDING)
        text = f"the label image is missing ({' or '.join(LABEL_ENDINGS)})"
        yield Finding("label_missing", "error", str(path), str(name), text)
    if wanted.how == "none":
        return
    decode, size = wanted.how == "decode", None
    if frame.image is not None:
        path = root / frame.image
        try:
            check_image(path, None, decode=decode)
            width, height = read_header(path).size
            size = (height, width)
            yield from _size(path, str(name), size, wanted)
        except ImageError as error:
            yield Finding(error.kind, "error", str(path), str(name), str(error))
    if frame.label is not None:
        yield from _label(root / frame.label, str(name), size, decode)


def _size(path: Path, name: str, size: Size, wanted: _Wanted) -> Iterator[Finding]:
    shown = f"the image is {size[1]} x {size[0]}"
    if wanted.image_size is not None and size != wanted.image_size:
        height, width = wanted.image_size
        text = f"{shown}, and the suite's native_size says {width} x {height}"
        yield Finding("image_size", "error", str(path), name, text)
    if wanted.crop is not None and not fits(size, wanted.crop):
        height, width = wanted.crop
        text = f"{shown}, too small for the crop of {width} x {height}"
        yield Finding("crop_size", "error", str(path), name, text)


def _label(path: Path, name: str, size: Size | None, decode: bool) -> Iterator[Finding]:
    """What is wrong with a label image, whose image has `size` (None: unknown)."""
    try:
        if decode:
            values = read_labels(path)
            own = values.shape
            if problem := value_problem(values, cv2.LUT(values, table_of(path)), path):
                yield Finding("label_value", "error", str(path), name, problem)
        else:
            check_labels(path, None)
            width, height = read_header(path).size
            own = (height, width)
    except ImageError as error:
        # The finding has the file's name already.
        kind, text = error.kind.replace("image", "label"), str(error).removeprefix(f"{path}: ")
        yield Finding(kind, "error", str(path), name, text)
        return
    if size is not None and own != size:
        text = f"the label image is {own[1]} x {own[0]}, and its image {size[1]} x {size[0]}"
        yield Finding("label_size", "error", str(path), name, text)
