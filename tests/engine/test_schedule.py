"""How the learning rate goes, iteration by iteration, against the rule written out."""

import pytest
import torch
from mmengine.optim import build_optim_wrapper
from mmengine.registry import PARAM_SCHEDULERS
from pydantic import ValidationError

from lzu.engine.train import _of_biases, _rates
from lzu.experiments.settings import Schedule


def rates(schedule, per_epoch, iterations, rate=1.0):
    """The rate of each iteration."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=rate)
    found = _rates(schedule, per_epoch, iterations)
    schedulers = [PARAM_SCHEDULERS.build({**one, "optimizer": optimizer}) for one in found]
    values = []
    for _ in range(iterations):
        values.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        for scheduler in schedulers:
            scheduler.step()
    return values


def test_steps_after_epochs():
    schedule = Schedule(epochs=6, milestones=(3, 5), warmup_iterations=0)
    expected = [10.0 ** -((k >= 12) + (k >= 20)) for k in range(24)]
    assert rates(schedule, 4, 24) == pytest.approx(expected)


def test_warm_up_starts_where_it_is_told():
    schedule = Schedule(epochs=6, milestones=(5,), warmup_iterations=4, warmup_start=0.25)
    assert rates(schedule, 4, 24)[:5] == pytest.approx([0.25, 0.5, 0.75, 1, 1])


def test_steady_decay_is_linear_and_ends_with_the_last_iteration():
    schedule = Schedule(epochs=2, warmup_iterations=0)
    assert rates(schedule, 5, 10) == pytest.approx([1 - k / 9 for k in range(10)])


def test_biases_have_their_own_rate_and_decay():
    model = torch.nn.Conv2d(1, 1, 1)
    optimizer = {"type": "SGD", "lr": 0.1, "weight_decay": 0.5}
    schedule = Schedule(bias_rate=2, bias_decay=0)
    built = build_optim_wrapper(model, {"optimizer": optimizer, **_of_biases(schedule)})
    groups = {id(group["params"][0]): group for group in built.optimizer.param_groups}
    bias, weight = groups[id(model.bias)], groups[id(model.weight)]
    assert (bias["lr"], bias["weight_decay"]) == (0.2, 0)
    assert (weight["lr"], weight["weight_decay"]) == (0.1, 0.5)


def test_biases_are_as_the_others_by_default():
    assert _of_biases(Schedule()) == {}


@pytest.mark.parametrize("wrong", [(3, 2), (2, 2), (9,)])
def test_milestones_that_cannot_be_are_refused(wrong):
    with pytest.raises(ValidationError, match="milestones"):
        Schedule(epochs=6, milestones=wrong)
