"""Predicted class maps as texts: a PNG of trainIds in base64, for JSON files."""

import base64
import binascii

import cv2
import numpy as np
from numpy.typing import NDArray

from lzu.datasets.cityscapes.classes import CLASSES
from lzu.datasets.images import ImageError, decode_labels
from lzu.errors import UserError

# For maps of a few even areas this is both the smallest and the fastest of zlib's strategies.
_PNG = [cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE]


def pack_map(train_ids: NDArray[np.uint8]) -> str:
    """The text of a map (H, W), uint8, of trainIds 0 to 18.

    Raises ValueError for another type, rank or value, or a map without a pixel.
    """
    if train_ids.dtype != np.uint8 or train_ids.ndim != 2 or not train_ids.size:
        raise ValueError(
            f"a map must be (H, W) uint8, not {train_ids.shape} {train_ids.dtype.name}"
        )
    if train_ids.max() >= len(CLASSES):
        raise ValueError(f"{train_ids.max()} is no trainId that can be predicted")
    _, png = cv2.imencode(".png", train_ids, _PNG)
    return base64.b64encode(png.tobytes()).decode("ascii")


def unpack_map(text: str, size: tuple[int, int], source: str) -> NDArray[np.uint8]:
    """The map (H, W), uint8, of a text of `pack_map`.

    Args:
        size: (height, width) that it must have.
        source: where the text is from, for messages: the file and the image.

    Raises:
        UserError: the text is no base64, or no PNG of one channel of 8 bits; it is damaged, of
            another size, or has values that are no trainIds 0 to 18.
    """
    problem = None
    try:
        train_ids = decode_labels(base64.b64decode(text, validate=True))
    except (binascii.Error, ImageError, TypeError, ValueError):
        problem = "no PNG of one channel of 8 bits in base64, or a damaged one"
    else:
        if train_ids.shape != size:
            height, width = train_ids.shape
            problem = f"{width} x {height} pixels, not {size[1]} x {size[0]}"
        elif train_ids.max() >= len(CLASSES):
            problem = f"the value {train_ids.max()} is no trainId from 0 to {len(CLASSES) - 1}"
    if problem is not None:
        raise UserError(f"{source}: map: {problem}; predict again")
    return train_ids
