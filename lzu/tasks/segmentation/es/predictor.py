"""ES's network: the lattice of locations to sample an image at, from a small copy of it."""

import numpy as np
import torch
from mmcv.cnn import ConvModule
from mmseg.models.backbones import MobileNetV2
from torch import Tensor, nn

from lzu.core.arguments import as_count, as_positive
from lzu.tasks.segmentation.es.locations import on_border
from lzu.tasks.segmentation.es.targets import uniform_lattice

# Of the network's cells, in pixels of its input: an 8 x 8 lattice of a 64 x 64 image.
STRIDE = 8


class LocationPredictor(nn.Module):
    """Locations of a lattice, predicted as shifts of learned means.

    MobileNetV2 of a quarter of its channels, at output stride 8 (dilated from there), with the
    head of DeepLabv3 without dilated branches: features beside their mean over the image, each
    through a 1x1 convolution, mixed by a third; then a 1x1 convolution to the shifts. The learned
    means start at the uniform lattice, the shifts near zero.

    Differs from the released code in the sampling of TensorFlow's strided convolutions, in the
    decay of the running statistics (ours is torch's 0.1 a step, for short trainings) and in the
    initial weights, which are He's.

    Args:
        lattice: nodes along each axis; images are 8 times as large.
        widen_factor: of MobileNetV2's channels.
        channels: of the head.
        dropout: before the last convolution, in training.

    >>> predictor = LocationPredictor().eval()
    >>> predictor(torch.zeros(2, 3, 64, 64, dtype=torch.uint8)).shape
    torch.Size([2, 8, 8, 2])
    """

    def __init__(
        self,
        lattice: int = 8,
        widen_factor: float = 0.25,
        channels: int = 256,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.lattice = as_count(lattice, "lattice", minimum=2)
        channels = as_count(channels, "channels")
        self.backbone = MobileNetV2(
            widen_factor=as_positive(widen_factor, "widen_factor"),
            strides=(1, 2, 2, 1, 1, 1, 1),
            dilations=(1, 1, 1, 2, 2, 4, 4),
            out_indices=(6,),
        )
        features = self.backbone.in_channels
        self.local = _pointwise(features, channels)
        self.pooled = _pointwise(features, channels)
        self.mixed = _pointwise(2 * channels, channels)
        self.dropout = nn.Dropout(dropout)
        self.shifts = nn.Conv2d(channels, 2, 1)
        uniform = uniform_lattice((self.lattice, self.lattice)).astype(np.float32)
        self.means = nn.Parameter(torch.from_numpy(uniform))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
        nn.init.normal_(self.shifts.weight, std=0.01)
        nn.init.zeros_(self.shifts.bias)

    @property
    def image_size(self) -> tuple[int, int]:
        """The size (height, width) of the images that it looks at."""
        return self.lattice * STRIDE, self.lattice * STRIDE

    def forward(self, images: Tensor) -> Tensor:
        """Return locations (B, n, n, 2), x first, in [0, 1], with the border of the targets.

        So corners are fixed, and nodes on a border slide along it.

        Args:
            images: as `unbounded`.
        """
        return on_border(self.unbounded(images))

    def unbounded(self, images: Tensor) -> Tensor:
        """Return the locations as they are learned: anywhere in the plane.

        Args:
            images: (B, 3, 8 n, 8 n), values from 0 to 255, uint8 or floating point.

        Raises:
            ValueError: images of another shape.
        """
        if tuple(images.shape[1:]) != (3, *self.image_size):
            raise ValueError(
                f"images must be {('B', 3, *self.image_size)}, got {tuple(images.shape)}"
            )
        scaled = images.to(self.means.dtype) / 127.5 - 1
        features = self.backbone(scaled)
        pooled = self.pooled(features.mean((2, 3), keepdim=True)).expand(
            -1, -1, *features.shape[2:]
        )
        mixed = self.mixed(torch.cat((pooled, self.local(features)), 1))
        return self.shifts(self.dropout(mixed)).permute(0, 2, 3, 1) + self.means


def _pointwise(in_channels: int, out_channels: int) -> ConvModule:
    return ConvModule(in_channels, out_channels, 1, norm_cfg={"type": "BN"})
