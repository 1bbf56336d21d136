"""A frame of the dataset, zoomed and unzoomed, with its warp grid."""

from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

import lzu
from lzu.errors import UserError
from lzu.experiments.config import Suite, frame_size
from lzu.experiments.paths import Paths
from lzu.files import read_json
from lzu.report.pictures.warps import write_zoom_picture
from lzu.results.prior import load_prior


def draw_zoom(suite: Suite, paths: Paths, scale: float, out: Path) -> None:
    """Draw what the fixed warp does to the busiest validation frame at a `to` scale."""
    task = suite.detection2d
    native = task.dataset.native_size
    prior = load_prior(paths.prior(task.prior), native_size=native)
    image, _ = busiest_frame(paths.annotations("val"), Path(task.dataset.root))
    warp = lzu.Warp.from_saliency(torch.from_numpy(prior.saliency), fwhm=task.prior.fwhm)
    pixels = torch.from_numpy(image).permute(2, 0, 1)[None].float()
    zoomed = warp.zoom(pixels, frame_size(native, scale))
    unzoomed = warp.unzoom(zoomed, size=native)
    write_zoom_picture(
        out,
        image,
        as_image(zoomed),
        as_image(unzoomed),
        warp.x[0].numpy(),
        warp.y[0].numpy(),
    )


def busiest_frame(annotations: Path, root: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the frame with the most boxes (of several, the first) and its boxes.

    Returns:
        (H, W, 3) uint8 RGB; and (n, 4) float32, left, top, right, bottom in pixels.
    """
    content = read_json(annotations)
    boxes = {image["id"]: [] for image in content["images"]}
    for box in content["annotations"]:
        boxes[box["image_id"]].append(box["bbox"])
    busiest = max(content["images"], key=lambda image: (len(boxes[image["id"]]), -image["id"]))
    path = root / busiest["file_name"]
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise UserError(f"{path}: cannot be read as an image; run `lzu prepare` again")
    corners = np.array(boxes[busiest["id"]], dtype=np.float32).reshape(-1, 4)
    corners[:, 2:] += corners[:, :2]
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB), corners


def as_image(images: Tensor) -> np.ndarray:
    """Return the first of images (B, 3, H, W) in [0, 255] as (H, W, 3) uint8."""
    return images[0].round().clamp(0, 255).byte().permute(1, 2, 0).numpy()
