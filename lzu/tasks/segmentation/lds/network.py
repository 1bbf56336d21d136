"""LDS's deformation network: where to sample an image, from a low-resolution copy of it."""

from collections.abc import Sequence

from torch import Tensor, nn

from lzu.core.arguments import as_count, require_floating, require_shape


class DeformationNetwork(nn.Module):
    """Saliency of the size of a small image, with a sum of 1 over all cells.

    Three 3x3 convolutions of stride 1, each with a batch normalisation, two of them with a ReLU6
    and the last with a ReLU, a 1x1 convolution to the logits, and a softmax over all cells. At
    64 x 128 these are 3.1 GMAC. Weights start from He's normal distribution, the biases of the
    normalisations at 1e-4, as in the released code.

    Args:
        channels: of the three convolutions.
        in_channels: of the images.

    >>> network = DeformationNetwork(channels=(16, 16, 8))
    >>> network(torch.rand(2, 3, 32, 32)).shape
    torch.Size([2, 1, 32, 32])
    """

    def __init__(self, channels: Sequence[int] = (192, 192, 24), in_channels: int = 3) -> None:
        super().__init__()
        if len(channels) != 3:
            raise ValueError(f"channels must be of three convolutions, got {tuple(channels)}")
        first, second, third = (as_count(count, "channels") for count in channels)
        self.in_channels = as_count(in_channels, "in_channels")
        self.body = nn.Sequential(
            *_convolution(self.in_channels, first),
            nn.ReLU6(),
            *_convolution(first, second),
            nn.ReLU6(),
            *_convolution(second, third),
            nn.ReLU(),
        )
        self.head = nn.Conv2d(third, 1, 1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
            elif isinstance(module, nn.BatchNorm2d):
                nn.init.constant_(module.bias, 1e-4)

    def forward(self, images: Tensor) -> Tensor:
        """Return saliency (B, 1, h, w) of small images (B, C, h, w), normalised, floating point.

        Raises:
            TypeError: images are not floating point.
            ValueError: images are not (B, C, h, w) with C = `in_channels`.
        """
        require_shape(images, "images", ("B", self.in_channels, "h", "w"))
        require_floating(images, "images")
        logits = self.head(self.body(images)).float()
        return logits.flatten(1).softmax(1).view_as(logits)


def _convolution(in_channels: int, out_channels: int) -> list[nn.Module]:
    convolution = nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False)
    return [convolution, nn.BatchNorm2d(out_channels)]
