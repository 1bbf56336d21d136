"""The crop that pictures show, that with the most classes; and the training data."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

import lzu
from lzu.datasets.cityscapes.balance import TRAIN_SHARES
from lzu.datasets.cityscapes.classes import CLASSES, IGNORE, TRAIN_ID_COLOURS
from lzu.datasets.cityscapes.reader import read_crop, reduced
from lzu.engine.pictures import Frame
from lzu.experiments.context import Context
from lzu.files import read_json
from lzu.report.pictures.class_balance import write_class_balance

SEEN_SHARE = 1 / 1000
"""A class with at least this share of an image's pixels is one that can be seen in it."""


def busy_frame(context: Context) -> Frame:
    """The validation crop of `most_varied`, and the saliency of its boundaries by the prior's
    settings."""
    record = most_varied(read_json(context.paths.annotations("val"))["images"])
    image, labels = pictured_crop(context, record)
    prior = context.settings.prior
    small = torch.from_numpy(reduced(labels, prior.label_size))
    return Frame(
        image,
        lambda lattice: lzu.saliency.from_boundaries(
            small,
            lattice,
            boundary=prior.boundary,
            background=prior.background,
            ignore=IGNORE,
        ).double(),
    )


def most_varied(images: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The record of a listing with the most classes that can be seen, of several the first.

    Where many classes meet there are many boundaries. A class can be seen if it has at least
    `SEEN_SHARE` of the crop's pixels.
    """

    def seen(image: dict[str, Any]) -> int:
        counted = image["pixels"][: len(CLASSES)]
        return sum(pixels >= SEEN_SHARE * sum(image["pixels"]) for pixels in counted)

    return max(images, key=seen)


def pictured_crop(
    context: Context, record: dict[str, Any]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The central crop of a listing's image: (H, W, 3) uint8 RGB, and its trainIds (H, W)."""
    dataset = context.settings.dataset
    root, size = Path(dataset.root), (record["height"], record["width"])
    image, labels = read_crop(root / record["image"], root / record["label"], size, dataset.crop)
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB), labels


def draw_data(context: Context, out: Path) -> None:
    """Draw the balance of the training set's classes, and its crop of `most_varied` with labels."""
    content = read_json(context.paths.annotations("train"))
    info = content["info"]
    record = most_varied(content["images"])
    image, labels = pictured_crop(context, record)
    counted = sum(info["class_pixels"].values())
    ignored = info["ignored_pixels"]
    write_class_balance(
        out,
        shares={name: info["class_pixels"][name] / max(counted, 1) for name in CLASSES},
        ignored=ignored / max(counted + ignored, 1),
        reference={name: share / 100 for name, share in TRAIN_SHARES.items()},
        reference_label="Cityscapes' training set, whole images (roughly)",
        colours=TRAIN_ID_COLOURS,
        image=image,
        labels=labels,
        title=f"{info['images']:,} training crops ({info['source']}); shown: {record['id']}",
    )
