"""LDS and ES around the segmenter: what learns, what is frozen, and the slips by option."""

import copy

import pytest
import torch
from mmseg.registry import MODELS

from lzu.errors import UserError
from lzu.tasks.segmentation.sampling import labels_of


def step(model, batch, **only):
    """The losses of a batch, and their gradients."""
    data = model.data_preprocessor(copy.deepcopy(batch))
    losses = model.train().loss(data["inputs"], data["data_samples"])
    torch.manual_seed(0)
    return losses


def gradients(model):
    return [p.grad for p in model.sampler.deformation.parameters()]


def test_the_segmentation_loss_alone_trains_lds_s_network(build, batch):
    model = build("lds", edge_weight=0.0)
    losses = step(model, batch)
    assert float(losses["loss_edge"].detach()) == 0
    losses["decode.loss_ce"].backward()
    found = gradients(model)
    assert all(torch.isfinite(one).all() for one in found)
    # a bias before a softmax moves nothing
    names = [name for name, _ in model.sampler.deformation.named_parameters()]
    moved = {name: one.abs().max() > 0 for name, one in zip(names, found, strict=True)}
    assert all(moved[name] for name in names if name != "head.bias")


def test_the_edge_loss_alone_trains_lds_s_network_and_no_other(build, batch):
    model = build("lds")
    losses = step(model, batch)
    losses["loss_edge"].backward()
    assert any(one.abs().max() > 0 for one in gradients(model))
    others = [p.grad for n, p in model.named_parameters() if not n.startswith("sampler.")]
    assert all(one is None for one in others)
    light = build("lds", edge_weight=1.0)
    ratio = losses["loss_edge"] / step(light, batch)["loss_edge"]
    assert ratio.item() == pytest.approx(100)


@pytest.mark.parametrize("slip", ["edges", "labels", "frame"])
def test_slips_of_lds_change_what_they_say(build, batch, slip):
    right, wrong = build("lds"), build("lds", slips=(slip,))
    first, second = step(right, batch), step(wrong, batch)
    images = right.data_preprocessor(copy.deepcopy(batch))["inputs"].float()
    labels = torch.stack([sample.gt_sem_seg.data[0] for sample in batch["data_samples"]])
    a, b = (model.sampler(images) for model in (right, wrong))
    assert torch.equal(a.points(), b.points()) == (slip != "frame")
    assert torch.equal(a.pixels, b.pixels) == (slip != "frame")
    assert torch.equal(labels_of(a, labels), labels_of(b, labels)) == (slip == "edges")
    assert torch.equal(first["loss_edge"], second["loss_edge"]) == (slip != "edges")
    assert all(torch.isfinite(value).all() for value in second.values())


def test_lds_s_image_has_saliency_of_its_own(build, batch):
    model = build("lds")
    points = model.sampler(torch.stack(batch["inputs"]).float()).points()
    assert points.shape == (2, 64, 64, 2)
    assert not torch.allclose(points[0], points[1], atol=1e-3)


def frozen_state(model):
    return {k: v.clone() for k, v in model.state_dict().items() if k.startswith("sampler.")}


def test_es_is_frozen(build, batch, stage):
    model = build("es")
    before = frozen_state(model)
    learning = [name for name, p in model.named_parameters() if p.requires_grad]
    assert before
    assert not any(name.startswith("sampler.") for name in learning)
    model.init_weights()
    model.train()
    assert not any(part.training for part in model.sampler.predictor.modules())
    optimiser = torch.optim.SGD(model.parameters(), 0.1, weight_decay=0.1)
    loss, _ = model.parse_losses(step(model, batch))
    loss.backward()
    optimiser.step()
    after = frozen_state(model)
    given = torch.load(stage, weights_only=True)["state_dict"]
    for name, value in before.items():
        assert torch.equal(after[name], value), name
        assert torch.equal(given[name.removeprefix("sampler.predictor.")], value), name


def test_a_checkpoint_of_a_run_holds_es_s_sampler(build, stage):
    """What is evaluated is what was trained, whatever the stage's file is by then."""
    model = build("es")
    state = copy.deepcopy(model.state_dict())
    content = torch.load(stage, weights_only=True)["state_dict"]
    content["means"] = content["means"] - 0.1
    torch.save({"state_dict": content}, stage)
    other = build("es")
    assert not torch.equal(other.sampler.predictor.means, model.sampler.predictor.means)
    other.load_state_dict(state)
    assert torch.equal(other.sampler.predictor.means, model.sampler.predictor.means)


def test_es_takes_whole_pixels(build, batch, stage):
    images = torch.stack(batch["inputs"]).float()
    view = build("es").sampler(images)
    places = view.points() * 127
    index = places.round().long()
    torch.testing.assert_close(places, index.float(), atol=1e-3, rtol=0)
    taken = torch.stack(
        [one[:, at[..., 1], at[..., 0]] for one, at in zip(images, index, strict=True)]
    )
    assert torch.equal(view.pixels, taken)
    uniform = (torch.arange(64).double() * 127 / 63).round().long()
    assert not torch.equal(index[0, 27, :, 0], uniform)


def missing(path):
    path.unlink()


def cut_off(path):
    path.write_bytes(path.read_bytes()[:-100])


def other_lattice(path):
    content = torch.load(path, weights_only=True)["state_dict"]
    content["means"] = torch.zeros(4, 4, 2)
    torch.save({"state_dict": content}, path)


def incomplete(path):
    content = torch.load(path, weights_only=True)["state_dict"]
    del content["means"]
    torch.save({"state_dict": content}, path)


@pytest.mark.parametrize("damage", [missing, cut_off, other_lattice, incomplete])
def test_a_sampler_s_file_that_cannot_be_used_is_one_error(block, stage, damage):
    config = block("es")
    damage(stage)
    with pytest.raises(UserError, match=stage.name) as caught:
        MODELS.build(config)
    assert "\n" not in str(caught.value)
