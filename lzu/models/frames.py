"""The two image frames of a run, and boxes between them.

The *native* frame is the dataset's; the *network* frame is the native frame at the run's `to`
scale. Images are resampled with `align_corners=True`: the centres of corner pixels fall on each
other. Boxes are in pixel-edge coordinates, in which pixel i covers [i, i+1] and has its centre at
i + 0.5, so the map between frames is affine and not a pure scaling. Ignoring that shifts
boxes by up to half a network pixel at the borders, which small objects notice.
"""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Frames:
    """The native and the network frame; sizes are (height, width) in pixels."""

    native: tuple[int, int]
    network: tuple[int, int]

    def to_network(self, boxes: Tensor) -> Tensor:
        """Map (..., 4) boxes (left, top, right, bottom) from native to network pixels."""
        return _map_boxes(boxes, self.native, self.network)

    def to_native(self, boxes: Tensor) -> Tensor:
        """Map (..., 4) boxes (left, top, right, bottom) from network to native pixels."""
        return _map_boxes(boxes, self.network, self.native)

    @property
    def padded(self) -> tuple[int, int]:
        """The network size padded at the bottom and right to multiples of 32."""
        height, width = self.network
        return -(-height // 32) * 32, -(-width // 32) * 32


def _map_boxes(boxes: Tensor, source: tuple[int, int], target: tuple[int, int]) -> Tensor:
    scale_y, scale_x = ((t - 1) / (s - 1) for s, t in zip(source, target, strict=True))
    scale = boxes.new_tensor([scale_x, scale_y, scale_x, scale_y])
    return (boxes - 0.5) * scale + 0.5
