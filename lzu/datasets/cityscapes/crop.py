"""The central crop that training's protocol and evaluation look at (1024 x 1024 of 1024 x 2048)."""

import numpy as np
from numpy.typing import NDArray

from lzu.errors import UserError


def fits(size: tuple[int, int], crop: tuple[int, int]) -> bool:
    """Whether an image of `size` holds a crop; both (height, width) in pixels."""
    return crop[0] <= size[0] and crop[1] <= size[1]


def central_crop(size: tuple[int, int], crop: tuple[int, int]) -> tuple[slice, slice]:
    """Rows and columns of the central crop.

    Args:
        size: (height, width) of the image.
        crop: (height, width) of the crop. Where the rest is odd, the crop lies half a pixel up or
            to the left of the centre.

    Raises:
        UserError: the crop is larger than the image.

    >>> central_crop((1024, 2048), (1024, 1024))
    (slice(0, 1024, None), slice(512, 1536, None))
    """
    if not fits(size, crop):
        raise UserError(
            f"a crop of {crop[1]} x {crop[0]} does not fit an image of {size[1]} x {size[0]}: "
            "choose a smaller crop"
        )
    top, left = (size[0] - crop[0]) // 2, (size[1] - crop[1]) // 2
    return slice(top, top + crop[0]), slice(left, left + crop[1])


def cropped(
    values: NDArray[np.uint8], crop: tuple[int, int] | None, path: object
) -> NDArray[np.uint8]:
    """The central crop of an image or a label image (H, W, ...), of the file `path`; all of it with
    None.

    Raises UserError, with the file, if it does not hold the crop.
    """
    if crop is None:
        return values
    try:
        return values[central_crop((values.shape[0], values.shape[1]), crop)]
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
