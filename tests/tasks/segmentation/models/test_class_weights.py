"""The weights of classes in the loss, by their share of the training pixels."""

import json

import numpy as np
import pytest

from lzu.datasets.cityscapes.classes import CLASSES
from lzu.engine.build import enter_scope
from lzu.errors import UserError
from lzu.experiments.run import Run
from lzu.tasks.segmentation.build import model_config
from lzu.tasks.segmentation.training import check_trainable
from tests.prepared import changed

RUN = Run("smoke", "segmentation", "uniform", 1.0, 0.5, 0)
PIXELS = {name: 3 ** (k % 7) * 10 for k, name in enumerate(CLASSES)} | {"train": 0}


@pytest.fixture
def weighted(context):
    """The suite with this power, and the pixels of the training set on file."""

    def made(power, pixels=PIXELS):
        enter_scope(context)
        about = context.paths.about("mini_train")
        about.parent.mkdir(parents=True, exist_ok=True)
        about.write_text(json.dumps({"class_pixels": pixels}))
        schedule = context.settings.schedule.model_copy(update={"class_weighting": power})
        return changed(context, schedule=schedule)

    return made


@pytest.mark.parametrize("power", [0.25, 0.5, 1.0])
def test_weights_are_inverse_powers_of_the_shares_with_a_mean_of_one(weighted, power):
    block = model_config(weighted(power), RUN)
    shares = np.array([PIXELS[name] for name in CLASSES]) / sum(PIXELS.values())
    there = shares > 0
    expected = np.zeros(len(CLASSES))
    expected[there] = shares[there] ** -power
    expected /= expected[there].mean()
    for head in (block["decode_head"], block["auxiliary_head"]):
        found = np.array(head["loss_decode"]["class_weight"])
        np.testing.assert_allclose(found, expected)
        assert found[CLASSES.index("train")] == 0


def test_without_weighting_all_count_alike_and_nothing_is_read(context):
    enter_scope(context)
    block = model_config(context, RUN)
    assert "class_weight" not in block["decode_head"]["loss_decode"]


def test_another_loss_is_refused(weighted):
    context = weighted(0.5)
    overrides = {
        **context.settings.model.overrides,
        "decode_head": {"loss_decode": {"type": "DiceLoss", "_delete_": True}},
    }
    model = context.settings.model.model_copy(update={"overrides": overrides})
    with pytest.raises(UserError, match=r"schedule\.class_weighting: DiceLoss takes no weights"):
        model_config(changed(context, model=model), RUN)


def test_training_labels_without_a_class_are_refused(weighted):
    check_trainable(weighted(0.0), RUN)
    empty = weighted(0.0, dict.fromkeys(CLASSES, 0))
    with pytest.raises(UserError, match=r"mini_train\.about\.json: no pixel .* is of a class"):
        check_trainable(empty, RUN)
