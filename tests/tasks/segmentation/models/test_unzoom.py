"""Where the adapter unzooms: maps, contexts or logits, of all heads that learn or predict.

Images of ramps tell what was seen where: a map whose value at a cell is the crop's coordinate there
is in uniform geometry.
"""

import copy

import pytest
import torch
import torch.nn.functional as F
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import nn

from lzu.errors import UserError
from lzu.tasks.segmentation.model import context_end
from tests.tasks.segmentation.models.conftest import PEAKED

STRIDES = (2, 4, 8, 16)
LEVELS = (2, 3)  # those that PSPNet's heads take
PLACES = ("context", "logits")


class Picking(nn.Module):
    """A backbone whose cells are the pixels that they sit at."""

    def forward(self, images):
        return [images[:, :, ::stride, ::stride] for stride in STRIDES]


def ramps():
    """(1, 3, 128, 128): x, y and 0 of every pixel of the crop."""
    y, x = torch.meshgrid(torch.arange(128.0), torch.arange(128.0), indexing="ij")
    return torch.stack((x, y, torch.zeros_like(x)))[None]


def expected(cells, stride):
    """The ramps (2, cells, cells) at pixels stride * i of a network of 64 pixels."""
    side = stride * torch.arange(cells) * 127 / 63
    y, x = torch.meshgrid(side, side, indexing="ij")
    return torch.stack((x, y))


@pytest.fixture
def zooming(build, write_prior):
    """A model whose backbone gives what it sees."""

    def made(place="backbone"):
        write_prior(PEAKED)
        model = build("lzu_fixed", unzoom_at=place)
        model.backbone = Picking()
        model.data_preprocessor._enable_normalize = False
        model.data_preprocessor._channel_conversion = False
        return model

    return made


def far_from(found, cells, stride):
    """The greatest distance from the crop's own ramps, in cells, within the content."""
    inside = [k for k in range(cells) if stride * k <= 63]
    wanted = expected(cells, stride)
    return (found[0, :2] - wanted)[:, inside][:, :, inside].abs().max().item() / (stride * 127 / 63)


def test_maps_that_heads_take_come_out_as_ramps_and_others_as_they_are(zooming):
    model = zooming()
    view = model.view(ramps())
    seen = Picking()(view.pixels)
    found = model.features(view, model.levels)
    for level, stride in enumerate(STRIDES):
        cells = seen[level].shape[-1]
        assert far_from(seen[level], cells, stride) > 0.3
        if level in LEVELS:
            # what is left: within a cell the warp is not straight
            assert far_from(found[level], cells, stride) < 0.1
        else:
            assert torch.equal(found[level], seen[level])


def test_offsets_are_looked_at(block, write_prior):
    write_prior(PEAKED)
    config = block("lzu_fixed")
    config["offsets"] = [0, 0, 0, 3]
    model = MODELS.build(config)
    view = model.view(ramps())
    seen = Picking()(view.pixels)
    found = model.unzoomed(view, seen, model.levels)
    lens, warp = view.unzoom.lens, view.unzoom.warp
    for level, offset in zip(LEVELS, (0, 3), strict=True):
        [wanted] = lens.unzoom([seen[level]], warp, strides=[STRIDES[level]], offsets=[offset])
        assert torch.equal(found[level], wanted)
    assert torch.equal(model.unzoomed_in_head(view, seen[3], 3), found[3])


@pytest.mark.parametrize("place", PLACES)
def test_every_head_unzooms_at_its_place(zooming, place):
    model = zooming(place)
    view = model.view(ramps())
    maps = model.features(view, model.levels)
    for level, stride in enumerate(STRIDES):
        assert torch.equal(maps[level], view.pixels[:, :, ::stride, ::stride])
    for head in (model.decode_head, model.auxiliary_head):
        level = head.in_index
        zoomed = maps[level]
        cells = zoomed.shape[-1]
        found = in_head(model, head, place, view, zoomed)
        assert far_from(found, cells, STRIDES[level]) < 0.1
        assert torch.equal(in_head(model, head, place, None, zoomed), zoomed)


def in_head(model, head, place, view, map_):
    """What becomes of a map (1, 3, h, w) where a head unzooms."""
    if place == "logits":
        with torch.no_grad():
            head.conv_seg.weight.zero_()
            head.conv_seg.bias.zero_()
            for channel in range(3):
                head.conv_seg.weight[channel, channel] = 1
        wide = F.pad(map_, (0, 0, 0, 0, 0, head.conv_seg.in_channels - 3))
        with model._looking_at(view), torch.no_grad():
            return head.conv_seg(wide)[:, :3]
    seen = []
    end = context_end(head)
    handle = end.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    channels = next(part for part in end.modules() if isinstance(part, nn.Conv2d)).in_channels
    with model._looking_at(view), torch.no_grad():
        end(F.pad(map_, (0, 0, 0, 0, 0, channels - 3)))
    handle.remove()
    return seen[0][:, :3]


@pytest.mark.parametrize("place", PLACES)
def test_losses_of_both_heads_are_of_unzoomed_maps(build, batch, write_prior, place, monkeypatch):
    write_prior(PEAKED)
    model = build("lzu_fixed", unzoom_at=place)
    unzoomed = []
    original = model.unzoomed_in_head

    def recorded(view, map_, level):
        unzoomed.append((level, view is not None))
        return original(view, map_, level)

    monkeypatch.setattr(model, "unzoomed_in_head", recorded)
    data = model.data_preprocessor(copy.deepcopy(batch))
    model.loss(data["inputs"], data["data_samples"])
    assert unzoomed == [(3, True), (2, True)]
    unzoomed.clear()
    model.segment(data["inputs"])
    assert unzoomed == [(3, True)]


def test_to_unzoom_what_the_classifier_takes_is_to_unzoom_logits(build, write_prior):
    write_prior(PEAKED)
    model = build("lzu_fixed", unzoom_at="logits")
    view = model.view(torch.rand(2, 3, 128, 128) * 255)
    features = torch.randn(2, 16, 8, 8)
    head = model.decode_head
    with torch.no_grad():
        with model._looking_at(view):
            after = head.cls_seg(features)
        before = head.cls_seg(model.unzoomed_in_head(view, features, 3))
        untouched = head.cls_seg(features)
    torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(after, untouched, atol=1e-2)


SHIPPED = {
    "deeplabv3plus": (
        "mmseg::deeplabv3plus/deeplabv3plus_r50-d8_4xb2-80k_cityscapes-512x1024.py",
        {"in_channels": 64, "channels": 8, "c1_in_channels": 8, "c1_channels": 4},
    ),
    "upernet": (
        "mmseg::upernet/upernet_r50_4xb2-80k_cityscapes-512x1024.py",
        {"in_channels": [8, 16, 32, 64], "channels": 8},
    ),
}
NARROW = {"depth": 18, "base_channels": 8, "stem_channels": 8, "init_cfg": None}


@pytest.fixture
def other_block(block, write_prior):
    """The block of another shipped model, made narrow."""

    def made(name, place):
        write_prior(PEAKED)
        base, head = SHIPPED[name]
        overrides = {
            "backbone": NARROW,
            "decode_head": head,
            "auxiliary_head": {"in_channels": 32, "channels": 8},
        }
        return block("lzu_fixed", base=base, overrides=overrides, unzoom_at=place)

    return made


@pytest.mark.parametrize("place", ["backbone", "logits"])
@pytest.mark.parametrize("name", SHIPPED)
def test_other_encoder_decoders_by_configuration(other_block, batch, name, place):
    model = MODELS.build(other_block(name, place))
    data = model.data_preprocessor(copy.deepcopy(batch))
    loss, _ = model.parse_losses(model.train().loss(data["inputs"], data["data_samples"]))
    loss.backward()
    torch.optim.SGD(model.parameters(), 0.01).step()
    with torch.no_grad():
        found = model.eval().segment(data["inputs"])
        # untouched where nothing is zoomed
        own = model.sampler
        _, unzoom = own.resampler(data["inputs"].float())
    assert unzoom.warp is not None
    assert found.logits.shape == (2, 19, 64, 64)
    assert found.classes.shape == (2, 128, 128)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_context_that_ends_at_no_one_place_is_refused(other_block, name):
    config = other_block(name, "context")
    with pytest.raises(UserError, match=r"unzoom_at: .*Head .*backbone or the logits"):
        MODELS.build(config)


def test_labels_of_lzu_are_on_the_uniform_grid(build, batch, write_prior):
    """What is learned of a map in uniform geometry is the label there."""
    write_prior(PEAKED)
    model = build("lzu_fixed")
    seen = []
    model.decode_head.loss = lambda maps, samples, _: seen.extend(samples) or {}
    model.auxiliary_head.loss = lambda maps, samples, _: {}
    labels = torch.arange(128 * 128).view(1, 128, 128) % 19
    batch["data_samples"] = [SegDataSample(gt_sem_seg=PixelData(data=labels)) for _ in range(2)]
    data = model.data_preprocessor(batch)
    model.loss(data["inputs"], data["data_samples"])
    index = (torch.arange(64).double() * 127 / 63).round().long()
    for sample in seen:
        assert torch.equal(sample.gt_sem_seg.data[0], labels[0][index][:, index])
