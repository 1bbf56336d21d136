"""The adapter around mmseg's encoder-decoders: uniform is mmseg's own, and what is refused."""

import copy

import pytest
import torch
import torch.nn.functional as F
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from lzu.engine.weights import load_whole
from lzu.errors import UserError
from lzu.tasks.segmentation.sampling import sample_labels, uniform_points
from tests.tasks.segmentation.models.conftest import PEAKED

METHODS = ["uniform", "lzu_fixed", "lzu_learned", "lds", "es"]
PLACES = ["backbone", "context", "logits"]


@pytest.fixture
def files(write_prior, stage):
    write_prior(PEAKED)


@pytest.fixture
def plain(block):
    """mmseg's own segmenter of the uniform block."""
    config = copy.deepcopy(block("uniform"))
    for key in ("sampler", "frame_size", "network_size", "unzoom_at"):
        config.pop(key)
    config.update(type="EncoderDecoder")
    config.data_preprocessor.update(type="SegDataPreProcessor", size=(64, 64), seg_pad_val=255)
    for head in (config.decode_head, config.auxiliary_head):
        head.norm_cfg = {"type": "BN"}
    config.backbone.norm_cfg = {"type": "BN"}
    torch.manual_seed(0)
    return MODELS.build(config).eval()


def resized(batch):
    """The batch as mmseg would load it at the network's size."""
    pixels = F.interpolate(
        torch.stack(batch["inputs"]).float(), (64, 64), mode="bilinear", align_corners=True
    )
    labels = torch.stack([sample.gt_sem_seg.data[0] for sample in batch["data_samples"]])
    small = sample_labels(labels, uniform_points((64, 64)))
    samples = [
        SegDataSample(
            gt_sem_seg=PixelData(data=one[None]),
            metainfo={"img_shape": (64, 64), "ori_shape": (64, 64), "pad_shape": (64, 64)},
        )
        for one in small
    ]
    return {"inputs": list(pixels), "data_samples": samples}


def losses(model, batch):
    data = model.data_preprocessor(copy.deepcopy(batch), training=True)
    torch.manual_seed(1)
    return model.train()(data["inputs"], data["data_samples"], mode="loss")


def test_uniform_is_mmseg_s_own_segmenter(build, plain, batch):
    model = build("uniform")
    assert list(model.state_dict()) == list(plain.state_dict())
    with torch.no_grad():
        found, expected = losses(model, batch), losses(plain, resized(batch))
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            torch.testing.assert_close(found[name], value, msg=name)
        for one in (model, plain):
            one.eval()
        given = model.data_preprocessor(batch)
        own = model(given["inputs"], mode="tensor")
        data = plain.data_preprocessor(resized(batch))
        theirs = plain.encode_decode(
            data["inputs"], [sample.metainfo for sample in data["data_samples"]]
        )
    torch.testing.assert_close(own, theirs)


def test_plain_checkpoints_load(build, plain, files):
    state = {name: torch.randn_like(v.float()).to(v) for name, v in plain.state_dict().items()}
    for method in METHODS:
        model = build(method)
        load_whole(model, state, "a checkpoint")
        for name, value in model.state_dict().items():
            assert name.startswith("sampler.") or torch.equal(value, state[name])


def test_methods_start_from_the_same_weights(block, files):
    found = []
    for method in METHODS:
        torch.manual_seed(7)
        model = MODELS.build(block(method))
        model.init_weights()
        found.append((method, model.state_dict(), torch.rand(1)))
    _, first, drawn = found[0]
    for method, state, then in found[1:]:
        assert all(torch.equal(state[name], value) for name, value in first.items()), method
        assert torch.equal(then, drawn), method


@pytest.mark.parametrize("place", PLACES)
def test_lzu_of_constant_saliency_is_uniform(build, batch, write_prior, place):
    write_prior([[1.0] * 5] * 5)
    uniform, model = build("uniform"), build("lzu_fixed", unzoom_at=place)
    with torch.no_grad():
        expected, found = losses(uniform, batch), losses(model, batch)
        for name, value in expected.items():
            if "loss" in name:
                torch.testing.assert_close(found[name], value, rtol=1e-3, atol=1e-4)
        images = uniform.data_preprocessor(batch)["inputs"]
        a, b = (m.eval()(images, mode="tensor") for m in (uniform, model))
    torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_trains_a_step_and_segments_the_whole_crop(build, batch, files, method):
    model = build(method)
    found = losses(model, batch)
    parsed, _ = model.parse_losses(found)
    parsed.backward()
    assert all(
        p.grad is not None and torch.isfinite(p.grad).all()
        for p in model.parameters()
        if p.requires_grad
    )
    model.eval()
    images = model.data_preprocessor(batch)["inputs"]
    with torch.no_grad():
        first = model(images, batch["data_samples"], mode="predict")
        bare = model(images, mode="predict")
    for sample, other in zip(first, bare, strict=True):
        assert sample.pred_sem_seg.data.shape == (1, 128, 128)
        assert torch.equal(sample.pred_sem_seg.data, other.pred_sem_seg.data)
        assert sample.pred_sem_seg.data.max() < 19


@pytest.mark.parametrize("mode", ["loss", "predict", "tensor"])
def test_images_of_another_size_are_refused_in_every_mode(build, batch, mode):
    model = build("uniform")
    batch["inputs"] = [image[:, :-8] for image in batch["inputs"]]
    data = model.data_preprocessor(batch)
    with pytest.raises(ValueError, match=r"images are 128x120 pixels, expected 128x128"):
        model(data["inputs"], data["data_samples"], mode=mode)


def test_a_batch_of_two_sizes_is_refused(build, batch):
    batch["inputs"][1] = batch["inputs"][1][:, :-8]
    with pytest.raises(ValueError, match="differ in size"):
        build("uniform").data_preprocessor(batch)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("size", (64, 64)),
        ("size_divisor", 32),
        ("batch_augments", [{"type": "Mixup"}]),
        ("test_cfg", {"size_divisor": 32}),
    ],
)
def test_options_of_the_preprocessor_that_would_be_lost_are_refused(block, name, value):
    config = block("uniform")
    config["data_preprocessor"][name] = value
    with pytest.raises(UserError, match=rf"data_preprocessor\.{name}: "):
        MODELS.build(config)


@pytest.mark.parametrize("method", METHODS)
def test_only_what_unzooms_asks_where_the_cells_sit(block, files, method):
    config = block(method)
    config["backbone"]["type"] = "ResNetV1d"
    if not method.startswith("lzu"):
        MODELS.build(config)
        return
    with pytest.raises(UserError, match=r"backbone\.type: .*ResNetV1d.*overrides\.offsets"):
        MODELS.build(config)
    config["offsets"] = 0
    MODELS.build(config)
