"""Weights that do not fit the detector are refused by name, before anything is loaded."""

import pytest
import torch
from torch import nn

from lzu.datasets.argoverse_hd.classes import CLASSES, COCO_INDICES
from lzu.errors import UserError
from lzu.tasks.detection2d.initial import fit_weights

ANCHORS, OURS = 9, len(CLASSES)


class Detector(nn.Module):
    """A classifier and a backbone, named as mmdet's are, and a resampler."""

    def __init__(self, classes=OURS):
        super().__init__()
        self.backbone = nn.Conv2d(3, 4, 3)
        self.bbox_head = nn.Module()
        self.bbox_head.retina_cls = nn.Conv2d(4, ANCHORS * classes, 3)
        self.resampler = nn.Linear(2, 2)


@pytest.fixture
def save(tmp_path):
    def write(state):
        path = tmp_path / "given.pth"
        torch.save({"state_dict": state}, path)
        return path

    return write


def refusal(path):
    """What the error says below the file's name; nothing must have been loaded."""
    model = Detector()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(UserError) as error:
        fit_weights(model, path)
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])
    said = str(error.value)
    assert said.startswith(f"{path}: does not fit the model: ")
    assert said.endswith("; give the checkpoint of this architecture")
    return said


def test_another_number_of_classes_is_refused(save):
    said = refusal(save(Detector(classes=20).state_dict()))
    assert "bbox_head.retina_cls.weight (180, 4, 3, 3), bbox_head.retina_cls.bias (180,)" in said
    assert "backbone" not in said


def test_a_missing_parameter_is_refused(save):
    state = Detector().state_dict()
    del state["backbone.bias"]
    assert "model: backbone.bias missing; give" in refusal(save(state))


def test_another_architecture_is_refused_in_one_line(save):
    said = refusal(save({"fc.weight": torch.zeros(10, 4)}))
    names = ("backbone.weight", "backbone.bias", "bbox_head.retina_cls.weight")
    assert ", ".join(f"{name} missing" for name in names) + " and 1 more; give" in said
    assert "resampler" not in said


def test_a_coco_classifier_is_cut_and_the_resampler_kept(save):
    given, model = Detector(classes=80).state_dict(), Detector()
    saliency = model.resampler.weight.clone()
    fit_weights(model, save(given))
    theirs = given["bbox_head.retina_cls.bias"].reshape(ANCHORS, 80)[:, list(COCO_INDICES)]
    assert torch.equal(model.bbox_head.retina_cls.bias, theirs.flatten())
    assert torch.equal(model.backbone.weight, given["backbone.weight"])
    assert torch.equal(model.resampler.weight, saliency)
