"""The image that pictures show, that with the most boxes; and the boxes of all."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

import lzu
from lzu.datasets.images import read_image
from lzu.datasets.nuscenes.classes import CLASSES
from lzu.datasets.nuscenes.infos import read_head, stream_samples
from lzu.engine.pictures import Frame
from lzu.experiments.context import Context
from lzu.report.pictures.far_boxes import write_far_boxes
from lzu.tasks.detection3d.data import data_root


def busy_frame(context: Context) -> Frame:
    """The validation image with the most boxes, and their saliency by the prior's settings."""
    prior = context.settings.prior
    image, boxes, camera = busiest_image(context)
    return Frame(
        image,
        lambda lattice: lzu.saliency.from_boxes(
            torch.from_numpy(boxes),
            image_size=image.shape[:2],
            lattice=lattice,
            amplitude=prior.amplitude,
            bandwidth=prior.bandwidth,
        ),
        camera=camera,
    )


def busiest_image(context: Context) -> tuple[NDArray[np.uint8], NDArray[np.float64], str]:
    """Return the image in which the most boxes are to be found (of several, the first), them, and
    its camera.

    Returns:
        (H, W, 3) uint8 RGB; (n, 4), left, top, right, bottom in pixels; and a name.
    """

    def boxes_of(found: tuple[str, dict[str, Any], list[dict[str, Any]]]) -> int:
        return len(found[2])

    camera, record, objects = max(_images(context, "val"), key=boxes_of)
    path = data_root(context, "val") / record["img_path"]
    image = read_image(path, (record["width"], record["height"]))
    boxes = np.array([one["bbox"] for one in objects], dtype=np.float64).reshape(-1, 4)
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB), boxes, camera


def draw_data(context: Context, out: Path) -> None:
    """Draw how far the training set's objects are, how high in the image, and of which class."""
    columns = [
        (one["depth"], (one["bbox"][3] - one["bbox"][1]) / record["height"], one["bbox_label_3d"])
        for _, record, objects in _images(context, "train")
        for one in objects
    ]
    depth, height, label = np.array(columns, dtype=np.float64).reshape(-1, 3).T
    info = read_head(context.paths.annotations("train"))["info"]
    names = context.settings.dataset.classes
    label = np.array([names.index(CLASSES[int(one)]) for one in label], dtype=int)
    write_far_boxes(
        out,
        depth,
        height,
        label,
        names,
        title=f"{len(depth):,} boxes in {info['images']:,} training images ({info['source']})",
    )


def _images(
    context: Context, split: str
) -> Iterator[tuple[str, dict[str, Any], list[dict[str, Any]]]]:
    """Each image of a split with the objects that are learned from it: its camera, its record,
    and those of the suite's classes with a lidar or radar point."""
    dataset = context.settings.dataset
    labels = {CLASSES.index(name) for name in dataset.classes}
    for sample in stream_samples(context.paths.annotations(split)):
        for camera in dataset.cameras:
            yield (
                camera,
                sample["images"][camera],
                [
                    one
                    for one in sample["cam_instances"][camera]
                    if one["bbox_3d_isvalid"] and one["bbox_label_3d"] in labels
                ],
            )
