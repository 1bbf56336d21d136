"""Simulated motion: boxes of one frame, moved as if they were of the frame before (A.6)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmengine.registry import TRANSFORMS
from torch import Tensor


def jitter_boxes(boxes: Tensor, seed: int, sigma: Sequence[float], size: Sequence[int]) -> Tensor:
    """Move every box by its own N(0, sigma) along x and along y; sizes stay.

    Args:
        boxes: (n, 4) left, top, right, bottom in pixels.
        seed: the offsets follow from it and from the order of the boxes alone.
        sigma: standard deviations (along x, along y) in pixels.
        size: (H, W) of the image in pixels. A centre stays within it, since nothing is detected
            outside; a box there may leave it in part.

    Returns:
        (n, 4), of the dtype and on the device of the boxes.
    """
    drawn = np.random.default_rng(seed).standard_normal((len(boxes), 2)) * np.asarray(sigma)
    halves = (boxes[:, 2:] - boxes[:, :2]) / 2
    moved = boxes[:, :2] + halves + boxes.new_tensor(drawn)
    centres = moved.clamp(min=0).minimum(boxes.new_tensor([size[1], size[0]]))
    return torch.cat([centres - halves, centres + halves], dim=1)


@TRANSFORMS.register_module(name="LZUJitterSeed")
class JitterSeed(BaseTransform):
    """Draw the `jitter_seed` of a training sample.

    Under `lzu.models.draws.Draws` it is a function of (seed, draw): a resumed training moves the
    boxes as an undisturbed one does. It draws after all other transforms, so that they do what
    they do without it.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Add `jitter_seed`."""
        results["jitter_seed"] = int(np.random.randint(2**31))
        return results
