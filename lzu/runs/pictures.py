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
from lzu.prior import load_prior
from lzu.report.warp_pictures import write_zoom_picture


def draw_zoom(suite: Suite, paths: Paths, scale: float, out: Path) -> None:
    """Draw what the fixed warp does to one validation frame at a `to` scale.

    The frame is the one with the most boxes (of several, the first).
    """
    task = suite.detection2d
    native = task.dataset.native_size
    prior = load_prior(paths.prior(task.prior), native_size=native)
    image = _busiest_frame(paths.annotations("val"), Path(task.dataset.root))
    warp = lzu.Warp.from_saliency(torch.from_numpy(prior.saliency), fwhm=task.prior.fwhm)
    pixels = torch.from_numpy(image).permute(2, 0, 1)[None].float()
    zoomed = warp.zoom(pixels, frame_size(native, scale))
    unzoomed = warp.unzoom(zoomed, size=native)
    write_zoom_picture(
        out,
        image,
        _as_image(zoomed),
        _as_image(unzoomed),
        warp.x[0].numpy(),
        warp.y[0].numpy(),
    )


def _busiest_frame(annotations: Path, root: Path) -> np.ndarray:
    content = read_json(annotations)
    counts = {image["id"]: 0 for image in content["images"]}
    for box in content["annotations"]:
        counts[box["image_id"]] += 1
    busiest = max(content["images"], key=lambda image: (counts[image["id"]], -image["id"]))
    path = root / busiest["file_name"]
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise UserError(f"{path}: cannot be read as an image; run `lzu prepare` again")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def _as_image(images: Tensor) -> np.ndarray:
    return images[0].round().clamp(0, 255).byte().permute(1, 2, 0).numpy()
