"""The frame that pictures show, that with the most boxes; and the boxes of all."""

from pathlib import Path

import cv2
import numpy as np
import torch

import lzu
from lzu.datasets.images import read_image
from lzu.datasets.objects import objects
from lzu.engine.pictures import Frame
from lzu.experiments.context import Context
from lzu.files import read_json
from lzu.report.pictures.boxes import plot_box_statistics


def busy_frame(context: Context) -> Frame:
    """The validation frame with the most boxes, and their saliency by the prior's settings."""
    root = Path(context.settings.dataset.root)
    image, boxes = busiest_frame(context.paths.annotations("val"), root)
    prior = context.settings.prior
    return Frame(
        image,
        lambda lattice: lzu.saliency.from_boxes(
            torch.from_numpy(boxes).double(),
            image_size=image.shape[:2],
            lattice=lattice,
            amplitude=prior.amplitude,
            bandwidth=prior.bandwidth,
        ),
    )


def busiest_frame(annotations: Path, root: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the frame with the most objects (of several, the first) and their boxes.

    Returns:
        (H, W, 3) uint8 RGB; and (n, 4) float32, left, top, right, bottom in pixels.
    """
    content = read_json(annotations)
    boxes = {image["id"]: [] for image in content["images"]}
    for box in objects(content["annotations"]):
        boxes[box["image_id"]].append(box["bbox"])
    busiest = max(content["images"], key=lambda image: (len(boxes[image["id"]]), -image["id"]))
    size = (busiest["width"], busiest["height"])
    image = read_image(root / busiest["file_name"], size)
    corners = np.array(boxes[busiest["id"]], dtype=np.float32).reshape(-1, 4)
    corners[:, 2:] += corners[:, :2]
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB), corners


def draw_data(context: Context, out: Path) -> None:
    """Draw how large the training set's objects are, and where."""
    content = read_json(context.paths.annotations("train"))
    learned = {**content, "annotations": objects(content["annotations"])}
    plot_box_statistics(learned, out.parent, out.stem, forms=("png",))
