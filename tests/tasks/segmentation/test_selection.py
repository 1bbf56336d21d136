"""Which weights a training ends with: those of its best evaluation, killed between or not."""

import json
from dataclasses import replace

import pytest
import torch

pytest.importorskip("mmseg")

from lzu.engine.progress import Progress
from lzu.engine.session import training_session
from lzu.engine.train import train, training_folder
from lzu.errors import UserError
from lzu.experiments.run import Run
from lzu.results.stamps import RECORD, stamp
from lzu.tasks.segmentation.selection import SelectBest, chosen, up_to
from lzu.tasks.segmentation.training import training_hooks
from tests.prepared import changed, copied

RUN = Run("smoke", "segmentation", "uniform", 1.0, 0.25, 0)
ITERATIONS = 6


def found(*scores):
    return [{"iteration": k + 1, "mIoU": score} for k, score in enumerate(scores)]


@pytest.mark.parametrize(
    ("scores", "best"),
    [
        ((), None),
        ((1.0,), 1),
        ((1.0, 3.0, 2.0), 2),
        ((1.0, 3.0, 3.0), 2),
        ((None, None), 2),
        ((None, 0.0, None), 2),
    ],
)
def test_the_best_is_taken_of_equal_ones_the_first_of_none_the_last(scores, best):
    taken = chosen(found(*scores))
    assert (taken and taken["iteration"]) == best


def test_what_was_found_until_an_iteration():
    assert up_to(2, found(1, 2, 3)) == found(1, 2)


def trained(city, folder, count, scores=(), kills=()):
    """Train `ITERATIONS`, evaluated `count` times, saved after every second; the weights, the
    record, and the weights of each evaluation.

    `scores` have, for each session, what is found in place of the truth, by iteration; after the
    iterations `kills` a session is killed and another goes on.
    """
    settings = city.settings
    schedule = settings.schedule.model_copy(
        update={"iterations": {0.25: ITERATIONS}, "checkpoint_every": 2}
    )
    mini = settings.mini_validation.model_copy(update={"evaluations": count})
    own = changed(copied(city, folder), schedule=schedule, mini_validation=mini)
    score, check, seen = SelectBest._score, Progress.after_train_iter, {}

    def planted(self, model):
        value, done = score(self, model), self.at
        seen[done] = {k: v.clone() for k, v in model.state_dict().items()}
        return scores[session][done] if scores else value

    def killed(self, runner, *args, **kwargs):
        check(self, runner, *args, **kwargs)
        if session < len(kills) and runner.iter + 1 == kills[session]:
            raise KeyboardInterrupt

    def evaluated(self, runner, *args, original=SelectBest.after_train_iter, **kwargs):
        self.at = runner.iter + 1
        original(self, runner, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SelectBest, "_score", planted)
        patch.setattr(SelectBest, "after_train_iter", evaluated)
        patch.setattr(Progress, "after_train_iter", killed)
        for session in range(len(kills) + 1):
            try:
                with training_session(training_folder(own, RUN), stamp(own, RUN)):
                    train(own, RUN)
            except KeyboardInterrupt:
                assert session < len(kills)
    state = torch.load(own.paths.run(RUN, "checkpoint.pth"), weights_only=True)["state_dict"]
    return state, json.loads(own.paths.run(RUN, RECORD).read_text()), seen


@pytest.fixture(scope="module")
def undisturbed(city, tmp_path_factory):
    """A training whose fourth evaluation of six is best, and as good as its last."""
    scores = [{1: 1.0, 2: 0.5, 3: 2.0, 4: 3.0, 5: 1.0, 6: 3.0}]
    return trained(city, tmp_path_factory.mktemp("undisturbed"), 6, scores)


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(value, b[name]) for name, value in a.items())


def test_the_weights_of_the_best_evaluation_are_saved(undisturbed):
    state, record, weights = undisturbed
    assert same(state, weights[4])
    assert not any(same(weights[4], weights[k]) for k in (1, 2, 3, 5, 6))
    assert [one["mIoU"] for one in record["evaluations"]] == [1.0, 0.5, 2.0, 3.0, 1.0, 3.0]
    assert record["chosen"] == {"iteration": 4, "mIoU": 3.0}


def test_evaluations_change_nothing_in_the_training(city, undisturbed, tmp_path):
    """Nor does what they draw: the heads have drop-out."""
    state, record, _ = trained(city, tmp_path, 1)
    assert same(state, undisturbed[2][6])
    [one] = record["evaluations"]
    assert one == record["chosen"]
    assert 0 <= one["mIoU"] <= 100


SECOND = {1: 9.0, 2: 9.0, 3: 9.0, 4: 1.0, 5: 0.0, 6: 0.0}
KILLED = {
    "the best is from before the checkpoint": ((5,), {1: 1.0, 2: 8.0, 3: 3.0, 4: 4.0, 5: 5.0}, 2),
    "the best is after it": ((5,), {1: 1.0, 2: 2.0, 3: 3.0, 4: 4.0, 5: 5.0}, 4),
    "there is no checkpoint": ((1,), {1: 20.0}, 1),
}


@pytest.mark.parametrize("case", KILLED)
def test_what_counts_is_found_by_the_training_as_it_went_on(city, undisturbed, tmp_path, case):
    """A GPU repeats no training exactly: what a killed one found after its checkpoint is void, and
    the weights that were best before it are still there."""
    kills, first, best = KILLED[case]
    state, record, _ = trained(city, tmp_path, 6, [first, SECOND], kills)
    assert record["resumed_at"] == (4 if kills == (5,) else None)
    assert record["chosen"]["iteration"] == best
    assert [one["iteration"] for one in record["evaluations"]] == [1, 2, 3, 4, 5, 6]
    assert same(state, undisturbed[2][best])


def test_without_a_class_to_score_the_last_weights_stay(city, undisturbed, tmp_path):
    state, record, _ = trained(city, tmp_path, 2, [{3: None, 6: None}])
    assert same(state, undisturbed[2][6])
    assert record["chosen"] == {"iteration": 6, "mIoU": None}


class Running:
    """What a hook asks of a runner."""

    def __init__(self, folder):
        self.work_dir, self.iter = folder, 0
        self.model = torch.nn.Linear(1, 1)


def test_weights_that_nothing_goes_on_to_need_are_removed(tmp_path, monkeypatch):
    scores = {2: 5.0, 3: 6.0, 4: 1.0, 5: 7.0, 6: 8.0, 7: 9.0}
    hook = SelectBest.__new__(SelectBest)
    hook.name, hook.iterations, hook.found = "a run", set(scores), []
    runner = Running(tmp_path)
    hook.before_train(runner)
    monkeypatch.setattr(SelectBest, "_score", lambda self, model: scores[runner.iter + 1])
    kept = {}
    for runner.iter in range(7):
        hook.after_train_iter(runner, 0)
        done = runner.iter + 1
        kept[done] = sorted(int(path.stem[5:]) for path in tmp_path.glob("best_*.pth"))
        if done in (2, 4, 6):
            (tmp_path / f"iter_{done}.pth").touch()
            (tmp_path / f"iter_{done - 4}.pth").unlink(missing_ok=True)
    # 2 is what a training from the checkpoint of 2 has, 3 from that of 4
    assert kept == {1: [], 2: [2], 3: [2, 3], 4: [2, 3], 5: [2, 3, 5], 6: [2, 3, 6], 7: [3, 6, 7]}


def test_lost_weights_are_one_error(tmp_path):
    hook = SelectBest.__new__(SelectBest)
    hook.folder, hook.found = tmp_path, found(1.0)
    with pytest.raises(UserError, match=r"best_1\.pth: no such checkpoint"):
        hook.after_train(Running(tmp_path))


def test_where_no_label_is_of_a_class_there_is_no_score():
    hook = SelectBest.__new__(SelectBest)
    hook.dataset, hook.batch, hook.workers = [], 1, 0
    assert hook._score(torch.nn.Identity()) is None


def test_evaluations_are_at_equal_distances_and_the_last_at_the_end(city):
    [hook] = training_hooks(city, RUN, 2, 500)
    assert hook["iterations"] == [250, 500]
    settings = city.settings.mini_validation
    ten = replace(changed(city, mini_validation=settings.model_copy(update={"evaluations": 10})))
    assert training_hooks(ten, RUN, 2, 95)[0]["iterations"][-1] == 95
    assert len(set(training_hooks(ten, RUN, 2, 11)[0]["iterations"])) == 10
    with pytest.raises(UserError, match=r"mini_validation\.evaluations: 10 do not fit"):
        training_hooks(ten, RUN, 2, 9)
