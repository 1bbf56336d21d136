"""Where the cells of mmdet's backbones sit: at stride * i, or the adapters ask where."""

import pytest
import torch
from torch import nn

pytest.importorskip("mmdet")

from mmdet.models.backbones import ResNet, ResNeXt, SwinTransformer
from mmdet.models.necks import FPN, CTResNetNeck

from lzu.errors import UserError
from lzu.models.offsets import BACKBONES, cell_offsets

SMALL = {"base_channels": 1, "out_indices": (1, 2, 3), "init_cfg": None}
CASES = {
    "ResNet-18": lambda: ResNet(18, **SMALL),
    "ResNet-50": lambda: ResNet(50, style="pytorch", **SMALL),
    "ResNet-50, caffe": lambda: ResNet(50, style="caffe", **SMALL),
    "ResNet-18, deep stem": lambda: ResNet(18, stem_channels=2, deep_stem=True, **SMALL),
    "ResNeXt-50": lambda: ResNeXt(depth=50, groups=1, base_width=1, **SMALL),
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
def test_cells_of_known_backbones_sit_at_their_stride(case):
    network = averaging(CASES[case]())
    assert type(network).__name__ in BACKBONES
    for found in middles(network, (704, 832)):
        rows, columns = found.shape[1:]
        stride, row, column = 832 // columns, rows // 2, columns // 2
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


def test_what_a_pyramid_adds_from_above_lies_half_a_cell_before_on_average():
    """By nearest neighbours an odd cell gets what sits a cell before it, in any detector."""
    neck = averaging(FPN([1, 1], 1, num_outs=2))

    def from_above(images):
        coarse = images[:, :1, ::2, ::2]
        return neck([torch.zeros_like(images[:, :1]), coarse])[:1]

    (found,) = middles(from_above, (24, 32))
    before = found[0] - torch.arange(32)
    assert before[12, 10:20].mean().item() == pytest.approx(-0.5)


def test_pooled_shortcuts_move_the_cells():
    """Of avg_down, as in ResNetV1d: each moves half a block's sum by half a pixel of its input."""
    network = averaging(ResNet(18, avg_down=True, **SMALL))
    found = middles(network, (704, 832))[-1]
    assert found[0, 10, 12].item() - 32 * 12 == pytest.approx(7, abs=0.01)
    with pytest.raises(UserError, match=r"backbone\.avg_down.*overrides\.offsets"):
        cell_offsets(None, network, None, (80, 128), 3)


def test_unknown_backbones_and_necks_must_say_where_cells_sit():
    resnet = ResNet(18, **SMALL)
    swin = SwinTransformer(embed_dims=4, depths=(1,), num_heads=(1,), strides=(4,), out_indices=())
    deconvolved = CTResNetNeck(8, (4,), (4,), use_dcn=False)
    for key, backbone, neck in (("backbone", swin, None), ("neck", resnet, deconvolved)):
        with pytest.raises(UserError, match=rf"model\.{key}\.type: where cells of .*overrides"):
            cell_offsets(None, backbone, neck, (80, 128), 1)
        assert cell_offsets(1.5, backbone, neck, (80, 128), 2) == [1.5, 1.5]
    assert cell_offsets(None, resnet, None, (80, 128), 2) == 0
    assert cell_offsets([1, [2.5, 3]], swin, None, (80, 128), 2) == [1, [2.5, 3]]


@pytest.mark.parametrize("given", [[1.5], "1.5", ["a", 1], [1, float("nan")], {"y": 1}])
def test_what_offsets_of_a_detector_cannot_be(given):
    with pytest.raises(UserError, match=r"model\.overrides\.offsets: "):
        cell_offsets(given, nn.Identity(), None, (80, 128), 2)


def test_cells_of_mmseg_s_resnet_sit_at_their_stride():
    """PSPNet's: a stem of three convolutions, and dilation in place of the last two strides."""
    segmentation = pytest.importorskip("mmseg.models.backbones")
    network = segmentation.ResNetV1c(
        depth=18,
        base_channels=1,
        stem_channels=2,
        strides=(1, 2, 1, 1),
        dilations=(1, 1, 2, 4),
        contract_dilation=True,
    )
    assert cell_offsets(None, network, None, (80, 128), 4) == 0
    found = middles(averaging(network), (704, 832))
    assert [832 // places.shape[2] for places in found] == [4, 8, 8, 8]
    for places, stride in zip(found, (4, 8, 8, 8), strict=True):
        row, column = places.shape[1] // 2, places.shape[2] // 2
        torch.testing.assert_close(places[0, row, column].item(), float(stride * column))
        torch.testing.assert_close(places[1, row, column].item(), float(stride * row))


def test_mmseg_s_resnets_with_pooled_shortcuts_are_refused():
    segmentation = pytest.importorskip("mmseg.models.backbones")
    narrow = {"depth": 18, "base_channels": 1, "stem_channels": 2}
    for network, key in (
        (segmentation.ResNetV1d(**narrow), "type"),
        (segmentation.ResNet(**narrow, avg_down=True), "avg_down"),
    ):
        with pytest.raises(UserError, match=rf"model\.backbone\.{key}: "):
            cell_offsets(None, network, None, (80, 128), 4)
