"""Boxes in the zoomed frame, for detectors that stay in it, and their way back (FOVEA).

The network's frame (`lzu.models.frames`) exists twice: *uniform*, in which labels and detections
are, and *zoomed*, which is what the network sees. T maps the zoomed one to the uniform one; both
have the same size. Boxes are (left, top, right, bottom) in pixel-edge coordinates, so a coordinate
p of an axis of n pixels lies at (p - 0.5) / (n - 1) of the content, as in `align_boxes`. Beyond the
content, in the padding too, T goes on with slope one.

A separable warp maps boxes to boxes. It is only ever T that is needed, never its inverse.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from lzu.core.separable import SeparableNodes
from lzu.core.warp import Warp

# Network pixels. float32 puts T off by up to 1e-7 of the image's size; this is ten times that at
# 1920 pixels, and far below what matters to an anchor.
_STILL = 1e-3


@dataclass(frozen=True)
class ZoomedFrame:
    """The zoomed frame of a batch.

    Attributes:
        warp: what zoomed the images; one warp for all of them, or one for each.
        size: (H, W) of the network's content in pixels.

    Raises:
        ValueError: the warp is not separable: it would not map boxes to boxes.
    """

    warp: Warp
    size: tuple[int, int]

    def __post_init__(self) -> None:
        if not isinstance(self.warp.nodes, SeparableNodes):
            raise ValueError("FOVEA needs a separable warp, by which boxes stay boxes")

    def __getitem__(self, image: int) -> "ZoomedFrame":
        """Return the frame of one image."""
        return self if self.warp.batch == 1 else ZoomedFrame(self.warp[image], self.size)

    def unwarp(self, boxes: Tensor) -> Tensor:
        """Map boxes to the uniform frame.

        Args:
            boxes: (B, N, 4) or, the same for every image, (1, N, 4), zoomed.

        Returns:
            (B, N, 4), or (1, N, 4) if there is one warp for all; at least float32, differentiable
            with respect to boxes and warp.
        """
        boxes = boxes.to(torch.promote_types(boxes.dtype, torch.float32))
        return boxes + self._shift(boxes)

    def unwarp_each(self, boxes: Tensor, image: Tensor) -> Tensor:
        """Map boxes (N, 4) of the images `image` (N,) of the batch to the uniform frame."""
        if self.warp.batch == 1:
            return self.unwarp(boxes.unsqueeze(0)).squeeze(0)
        if not len(boxes):
            return boxes
        return ZoomedFrame(self.warp[image], self.size).unwarp(boxes.unsqueeze(1)).squeeze(1)

    @torch.no_grad()
    def unwarp_anchors(self, anchors: Tensor) -> Tensor:
        """Map boxes as `unwarp` does, but without a gradient and to 1e-3 pixels.

        Moves that may be rounding are left out. Many anchors hold a small object entirely, and so
        have the same overlap with it: a plain detector takes them all for its best anchors. Under
        a warp that does nothing there, rounding would pick some of them.
        """
        boxes = anchors.to(torch.promote_types(anchors.dtype, torch.float32))
        shift = self._shift(boxes)
        return boxes + torch.where(shift.abs() < _STILL, 0, shift)

    def _shift(self, boxes: Tensor) -> Tensor:
        height, width = self.size
        last = boxes.new_tensor([width - 1, height - 1, width - 1, height - 1])
        points = ((boxes - 0.5) / last).reshape(len(boxes), -1, 2)
        # The difference, not T itself, so that a small one is not lost to a large coordinate.
        shift = self.warp.forward(points) - points
        return shift.reshape(len(shift), -1, 4).to(boxes.dtype) * last


class ZoomedFeatures(tuple):
    """Levels (B, C, H, W) of features of zoomed images, not unzoomed, and their `frame`."""

    frame: ZoomedFrame

    def __new__(cls, levels: Iterable[Tensor], frame: ZoomedFrame) -> "ZoomedFeatures":
        features = super().__new__(cls, levels)
        features.frame = frame
        return features
