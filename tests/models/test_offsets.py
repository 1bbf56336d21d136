"""Where the cells of mmdet's backbones sit: at stride * i, which the adapters take for granted."""

import pytest
import torch
from torch import nn

pytest.importorskip("mmdet")

from mmdet.models.backbones import ResNet
from mmdet.models.necks import FPN

CASES = {
    "ResNet-18": {"depth": 18},
    "ResNet-50": {"depth": 50, "style": "pytorch"},
    "ResNet-50, caffe": {"depth": 50, "style": "caffe"},
}


def averaging(network):
    """Positive weights everywhere, so that what is found is where a cell's view has its middle."""
    for name, part in network.named_modules():
        if isinstance(part, nn.Conv2d):
            nn.init.constant_(part.weight, 1 / part.weight[0].numel())
            if part.bias is not None:
                nn.init.zeros_(part.bias)
        if name.endswith("maxpool"):
            # The largest may be anywhere in its window; the window's middle is what counts.
            network.maxpool = nn.AvgPool2d(3, 2, 1)
    network.double().eval()  # mmdet's `train` returns nothing
    return network


def middles(network, size):
    """x and y (2, h, w), for each map, of the middle of what its cells see of an image."""
    y, x = torch.meshgrid(*(torch.arange(n).double() for n in size), indexing="ij")
    with torch.no_grad():
        places = network(torch.stack((x, y)).unsqueeze(1).expand(-1, 3, -1, -1))
        weights = network(torch.ones(1, 3, *size).double())
    return [(place / weight)[:, 0] for place, weight in zip(places, weights, strict=True)]


@pytest.mark.parametrize("case", CASES)
def test_cells_of_a_resnet_sit_at_their_stride(case):
    network = averaging(
        ResNet(out_indices=(1, 2, 3), init_cfg=None, base_channels=1, **CASES[case])
    )
    for found, stride in zip(middles(network, (704, 832)), (8, 16, 32), strict=True):
        rows, columns = found.shape[1:]
        row, column = rows // 2, columns // 2
        torch.testing.assert_close(found[0, row, column].item(), float(stride * column))
        torch.testing.assert_close(found[1, row, column].item(), float(stride * row))


def test_the_further_levels_of_a_pyramid_sit_at_their_stride():
    """RetinaNet's P6 and P7, from the coarsest map on, here of stride 1."""
    neck = FPN([4], 4, num_outs=3, add_extra_convs="on_input", start_level=0)

    def pyramid(images):
        return averaging(neck)([images[:, :1].expand(-1, 4, -1, -1)])

    for found, stride in zip(middles(pyramid, (44, 52)), (1, 2, 4), strict=True):
        rows, columns = found.shape[1:]
        row, column = rows // 2, columns // 2
        torch.testing.assert_close(found[0, row, column].item(), float(stride * column))
        torch.testing.assert_close(found[1, row, column].item(), float(stride * row))
