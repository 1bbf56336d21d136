"""What mm*'s preprocessors do to pixels, put off until after the resampling.

A batch is stacked as it was loaded, in 8 bits. Normalisation comes after the zoom, where it gives
the same (bilinear weights sum to one) and has fewer pixels to do.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


def stacked(images: Sequence[Tensor]) -> Tensor:
    """Stack images (C, H, W) to a batch (B, C, H, W); ValueError if they differ in size."""
    sizes = {tuple(image.shape[-2:]) for image in images}
    if len(sizes) > 1:
        raise ValueError(f"images of one batch differ in size (height, width): {sorted(sizes)}")
    return torch.stack(list(images))


def normalised(preprocessor: Any, images: Tensor) -> Tensor:
    """Normalise (B, 3, H, W) images as they are loaded (BGR, 0 to 255), as one of mmengine's image
    preprocessors is configured to."""
    if preprocessor._channel_conversion:
        images = images.flip(1)
    if not preprocessor._enable_normalize:
        return images
    normal: Tensor = (images - preprocessor.mean) / preprocessor.std
    return normal


def as_loaded(preprocessor: Any, value: float) -> Tensor:
    """The pixel (3,), as images are loaded, that `normalised` turns into `value` everywhere."""
    pixel = torch.full((3,), float(value), device=preprocessor.device)
    if preprocessor._enable_normalize:
        pixel = (value * preprocessor.std + preprocessor.mean).flatten().expand(3)
    return pixel.flip(0) if preprocessor._channel_conversion else pixel
