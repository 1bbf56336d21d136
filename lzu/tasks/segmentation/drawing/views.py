"""What a segmenter sees of an image: where it samples it."""

from typing import Any

import numpy as np
import torch
from mmengine.dataset import pseudo_collate
from numpy.typing import NDArray
from torch import Tensor


@torch.inference_mode()
def view(model: Any, data: dict[str, Any]) -> tuple[NDArray[np.uint8], Tensor]:
    """The image and its sampling points as `model` has them when it predicts.

    Args:
        data: an image in an mmseg dataset; its `inputs` are (3, H, W) uint8, BGR.

    Returns:
        (H, W, 3) uint8 RGB; and (h, w, 2), where each pixel of the network's input is taken from,
        in [0, 1], x first.
    """
    inputs = model.data_preprocessor(pseudo_collate([data]))["inputs"]
    points: Tensor = model.view(inputs).points()[0].cpu()
    return inputs[0].flip(0).byte().permute(1, 2, 0).cpu().numpy(), points
