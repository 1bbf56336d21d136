"""The image frames of a run; boxes, points and cameras between them.

The *native* frame is the dataset's, the *given* frame that of the image at the run's `from` scale,
and the *network* frame what the network sees, at the `to` scale. Boxes are in pixel-edge
coordinates, in which pixel i covers [i, i+1] and has its centre at i + 0.5.

Native to given is a plain resize, which scales box coordinates. Given to network is resampled
with `align_corners=True`: the centres of corner pixels fall on each other, so boxes move by an
affine map. Taking that for a scaling would shift boxes by up to half a network pixel at the
borders, which small objects notice.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Frames:
    """The native, the given and the network frame; sizes are (height, width) in pixels."""

    native: tuple[int, int]
    given: tuple[int, int]
    network: tuple[int, int]

    def to_network(self, boxes: Tensor) -> Tensor:
        """Map (..., 4) boxes (left, top, right, bottom) from native to network pixels."""
        return align_boxes(boxes * _ratio(boxes, self.native, self.given), self.given, self.network)

    def to_native(self, boxes: Tensor) -> Tensor:
        """Map (..., 4) boxes (left, top, right, bottom) from network to native pixels."""
        given = align_boxes(boxes, self.network, self.given)
        return given * _ratio(boxes, self.given, self.native)

    def points_to_network(self, points: Tensor) -> Tensor:
        """Map (..., 2) points (x, y) from native to network pixels, as corners of boxes are."""
        return self.to_network(torch.cat((points, points), dim=-1))[..., :2]

    @property
    def matrix(self) -> Tensor:
        """A (3, 3), float64, that does the same to points (x, y, 1): A @ cam2img are a camera's
        intrinsics in the network's frame, of its intrinsics in the native one."""
        ends = torch.tensor([[0.0, 0.0, 1.0, 1.0]], dtype=torch.float64)
        left, top, right, bottom = self.to_network(ends)[0].tolist()
        rows = [[right - left, 0, left], [0, bottom - top, top], [0, 0, 1]]
        return torch.tensor(rows, dtype=torch.float64)

    @property
    def padded(self) -> tuple[int, int]:
        """The network size padded at the bottom and right to multiples of 32."""
        return padded_size(self.network)


def padded_size(size: tuple[int, int]) -> tuple[int, int]:
    """A size (height, width) padded to multiples of 32."""
    height, width = size
    return -(-height // 32) * 32, -(-width // 32) * 32


def align_boxes(boxes: Tensor, source: tuple[int, int], target: tuple[int, int]) -> Tensor:
    """Map boxes as `align_corners=True` resampling from `source` to `target` (H, W) does."""
    last_source = (source[0] - 1, source[1] - 1)
    last_target = (target[0] - 1, target[1] - 1)
    return (boxes - 0.5) * _ratio(boxes, last_source, last_target) + 0.5


def _ratio(boxes: Tensor, source: tuple[int, int], target: tuple[int, int]) -> Tensor:
    y, x = target[0] / source[0], target[1] / source[1]
    return boxes.new_tensor([x, y, x, y])
