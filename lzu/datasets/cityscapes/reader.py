"""Reader of Cityscapes' files, real or synthetic. Nothing is written into the dataset."""

import multiprocessing
import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lzu.datasets.cityscapes.classes import (
    CLASSES,
    IGNORE,
    TO_TRAIN_ID,
    TRAIN_ID_VALUES,
    UNKNOWN,
)
from lzu.datasets.cityscapes.crop import cropped
from lzu.datasets.cityscapes.layout import (
    IMAGE_ENDING,
    IMAGE_FOLDER,
    LABEL_ENDINGS,
    LABEL_FOLDER,
    SPLITS,
    TRAIN_IDS_ENDING,
    WHERE,
    FrameName,
    is_synthetic,
    parse,
)
from lzu.datasets.images import read_image, read_labels
from lzu.errors import UserError

CHUNK = 8
"""Label images that a process reads before it hands them over."""


@dataclass(frozen=True)
class Frame:
    """An annotated frame; `image` and `label` are paths below the root, None if missing."""

    name: FrameName
    image: str | None
    label: str | None


@dataclass(frozen=True)
class Cityscapes:
    """One split as its folders list it, not yet validated.

    Attributes:
        root: folder of the dataset.
        split: "train" or "val".
        frames: those that have an image or a label image, in order of city, sequence and frame.
        strays: paths below the root of files with an image's or label image's ending and another
            name than `{city}_{sequence}_{frame}` in the folder of that city.
    """

    root: Path
    split: str
    frames: tuple[Frame, ...]
    strays: tuple[str, ...]

    @property
    def source(self) -> str:
        """ "synthetic" or "real"."""
        return "synthetic" if is_synthetic(self.root) else "real"


def load(root: str | os.PathLike[str], split: str) -> Cityscapes:
    """List the files of a split; none is opened.

    Raises:
        UserError: the root is missing or empty, or has neither images nor labels of the split (says
            where to get the dataset); or the split has no public labels.
    """
    root = Path(root)
    if split not in SPLITS:
        raise UserError(
            f"Cityscapes' split {split!r} cannot be used: those with public labels are "
            f"{' and '.join(SPLITS)}"
        )
    expected = f"{root}/{{{IMAGE_FOLDER},{LABEL_FOLDER}}}/{split}"
    if not root.is_dir() or not any(root.iterdir()):
        state = "is empty" if root.is_dir() else "does not exist"
        raise UserError(f"the Cityscapes root {root} {state} (expected {expected}): {WHERE}")
    images, stray_images = _files(root, IMAGE_FOLDER, split, (IMAGE_ENDING,))
    labels, stray_labels = _files(root, LABEL_FOLDER, split, LABEL_ENDINGS)
    if not images and not labels and not stray_images and not stray_labels:
        raise UserError(f"Cityscapes' {split} split is missing: expected {expected}: {WHERE}")
    frames = tuple(
        Frame(
            name,
            name.image(split) if name in images else None,
            next((name.label(split, e) for e in LABEL_ENDINGS if e in labels.get(name, ())), None),
        )
        for name in sorted(images.keys() | labels.keys())
    )
    return Cityscapes(root, split, frames, (*stray_images, *stray_labels))


def _files(
    root: Path, folder: str, split: str, endings: tuple[str, ...]
) -> tuple[dict[FrameName, set[str]], list[str]]:
    """The endings that each frame has a file of, and the files whose names do not fit."""
    found: dict[FrameName, set[str]] = {}
    strays = []
    base = root / folder / split
    for city in sorted(base.iterdir()) if base.is_dir() else ():
        # Hidden files are what other systems add to an archive.
        if city.name.startswith(".") or not city.is_dir():
            continue
        for file in sorted(os.listdir(city)):
            ending = next((one for one in endings if file.endswith(one)), None)
            if ending is None or file.startswith("."):
                continue
            name = parse(file.removesuffix(ending))
            if name is None or name.city != city.name:
                strays.append(f"{folder}/{split}/{city.name}/{file}")
            else:
                found.setdefault(name, set()).add(ending)
    return found, strays


def read_train_ids(path: str | os.PathLike[str]) -> NDArray[np.uint8]:
    """Read a label image: (H, W) uint8 trainIds, 0 to 18 or 255.

    A file of ids is turned into trainIds by the public table; its name tells which one it is.

    Raises:
        ImageError: it is missing, damaged, or no PNG of one channel of 8 bits.
        UserError: it holds other values. Both messages name the file.
    """
    values = read_labels(path)
    train_ids = cv2.LUT(values, table_of(path))
    if problem := value_problem(values, train_ids, path):
        raise UserError(f"{path}: {problem}")
    return train_ids


def table_of(path: str | os.PathLike[str]) -> NDArray[np.uint8]:
    """(256,) values of a label file -> trainIds, by the file's name."""
    return TRAIN_ID_VALUES if str(path).endswith(TRAIN_IDS_ENDING) else TO_TRAIN_ID


def value_problem(
    values: NDArray[np.uint8], train_ids: NDArray[np.uint8], path: str | os.PathLike[str]
) -> str | None:
    """What is wrong with the values of a label image, None if nothing."""
    bad = train_ids == UNKNOWN
    if not bad.any():
        return None
    wrong = np.unique(values[bad])
    listed = ", ".join(map(str, wrong[:5])) + (", ..." if len(wrong) > 5 else "")
    if table_of(path) is TO_TRAIN_ID:
        allowed = "ids (0 to 33, and 255 for -1)"
    else:
        allowed = f"trainIds (0 to {len(CLASSES) - 1}, and {IGNORE})"
        if (TO_TRAIN_ID[wrong] != UNKNOWN).all():
            allowed += "; they are ids: name the file _labelIds"
    return f"{int(bad.sum())} of {bad.size} pixels have values ({listed}) that are no {allowed}"


def stream_train_ids(
    root: str | os.PathLike[str],
    labels: Sequence[str],
    *,
    crop: tuple[int, int] | None = None,
    size: tuple[int, int] | None = None,
    jobs: int = 1,
) -> Iterator[NDArray[np.uint8]]:
    """Yield the trainIds of label images one after the other, in their order.

    A few are in memory at a time, however many there are and however slowly they are taken.

    Args:
        root, labels: paths of the label images below the root.
        crop: (height, width) of the central crop that is taken first; None: the whole image.
        size: (height, width) that this is then reduced to; None: left as it is. A pixel gets the
            label at its centre: classes have no mean.
        jobs: processes that read.

    Raises:
        UserError: as `read_train_ids`, or the crop does not fit.
    """
    if jobs < 1:
        raise ValueError(f"jobs must be at least 1, not {jobs}")
    work = partial(_read_some, Path(root), crop, size)
    chunks = (labels[at : at + CHUNK] for at in range(0, len(labels), CHUNK))
    if jobs == 1 or len(labels) <= CHUNK:
        for chunk in chunks:
            for label in chunk:
                yield from work((label,))
        return
    # Spawned, because a caller may have threads (PyTorch's, OpenCV's) that do not survive a fork.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        ahead: deque[Future[list[NDArray[np.uint8]]]] = deque()
        ahead.extend(pool.submit(work, chunk) for chunk in islice(chunks, 2 * jobs))
        try:
            while ahead:
                done = ahead.popleft().result()
                ahead.extend(pool.submit(work, chunk) for chunk in islice(chunks, 1))
                yield from done
        finally:
            pool.shutdown(cancel_futures=True)


def _read_some(
    root: Path,
    crop: tuple[int, int] | None,
    size: tuple[int, int] | None,
    labels: Sequence[str],
) -> list[NDArray[np.uint8]]:
    found = []
    for label in labels:
        train_ids = cropped(read_train_ids(root / label), crop, root / label)
        if size is not None:
            train_ids = reduced(train_ids, size)
        found.append(np.ascontiguousarray(train_ids))
    return found


def reduced(train_ids: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """A label image of another size (height, width): a pixel gets the label at its centre, for
    classes have no mean."""
    found: NDArray[np.uint8] = cv2.resize(
        train_ids, (size[1], size[0]), interpolation=cv2.INTER_NEAREST_EXACT
    )
    return found


def read_crop(
    image: str | os.PathLike[str],
    label: str | os.PathLike[str],
    size: tuple[int, int],
    crop: tuple[int, int],
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The central crop of an image (H, W, 3), blue, green, red, and of its trainIds (H, W).

    Args:
        image, label: paths.
        size: (height, width) of both.
        crop: (height, width) of the crop.

    Raises:
        ImageError, UserError: a file cannot be used or has another size, or does not hold the crop;
            the message names the file.
    """
    pixels, train_ids = read_image(image, size[::-1]), read_train_ids(label)
    if train_ids.shape != size:
        raise UserError(
            f"{label}: the labels have {train_ids.shape[1]} x {train_ids.shape[0]} pixels, but the "
            f"image {size[1]} x {size[0]}; give those of this image"
        )
    inside = (cropped(pixels, crop, image), cropped(train_ids, crop, label))
    return np.ascontiguousarray(inside[0]), np.ascontiguousarray(inside[1])
