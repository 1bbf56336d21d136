"""Choosing a training's best weights on the mini-validation set (5.2)."""

import math
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.registry import DATASETS, HOOKS

from lzu.datasets.cityscapes.classes import CLASSES
from lzu.engine.build import unwrapped
from lzu.engine.progress import say
from lzu.engine.resume import saved_after
from lzu.engine.weights import read_checkpoint
from lzu.files import read_json, write_atomic, write_json
from lzu.tasks.segmentation.batches import segmented
from lzu.tasks.segmentation.counts import pixel_counts
from lzu.tasks.segmentation.scoring.confusion import mean_iou

HISTORY = "evaluations.json"

Evaluation = dict[str, Any]
"""`iteration`, and `mIoU` in percent; None where the mini-validation set has no class."""


@HOOKS.register_module(name="LZUSelectBest")
class SelectBest(Hook):
    """Evaluate at equal distances during a training, and end it with the best evaluation's weights.

    Of equally good ones it is the first; where there is nothing to be good at (no label of the
    mini-validation set is of a class), the last.

    Beside the training's checkpoints lie the weights that were best and what was found so far, so
    a training that goes on after a kill, from any of its checkpoints, ends as one that was not.

    Args:
        name: of the training, for messages.
        dataset: config of the mini-validation set.
        iterations: at which the model is evaluated, rising; the last is the training's last.
        batch: images at a time.
        workers: processes that load them.
    """

    # After the parameters' update, before the checkpoint of the same iteration.
    priority = "NORMAL"

    def __init__(
        self,
        name: str,
        dataset: dict[str, Any],
        iterations: list[int],
        batch: int = 8,
        workers: int = 0,
    ) -> None:
        self.name = name
        self.dataset = DATASETS.build(dataset)
        self.iterations = set(iterations)
        self.batch, self.workers = batch, workers
        self.found: list[Evaluation] = []

    def before_train(self, runner: Any) -> None:
        """Go on with what was found before a kill, up to the iteration that is resumed."""
        self.folder = Path(runner.work_dir)
        if runner.iter and (self.folder / HISTORY).is_file():
            self.found = up_to(runner.iter, read_json(self.folder / HISTORY))

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Evaluate, if it is time."""
        done = runner.iter + 1
        if done not in self.iterations:
            return
        score = self._score(unwrapped(runner.model))
        said = "no class to score" if score is None else f"mIoU {score:.2f}"
        say(f"{self.name}: mini-validation {said} at iteration {done}")
        told = {"iteration": done, "mIoU": score}
        self.found.append(told)
        if is_main_process():
            self._keep(told, unwrapped(runner.model))

    def _keep(self, told: Evaluation, model: Any) -> None:
        """Write what was found, and weights if they are the best; remove those that no training
        goes on to need, from whichever checkpoint."""
        if chosen(self.found) is told:
            state = {name: value.cpu() for name, value in model.state_dict().items()}
            with write_atomic(self._weights(told)) as temporary:
                torch.save({"state_dict": state, "about": told}, temporary)
        write_json(self.folder / HISTORY, self.found)
        starts = [*saved_after(self.folder), told["iteration"]]
        needed = {self._weights(best) for k in starts if (best := chosen(up_to(k, self.found)))}
        for path in set(self.folder.glob("best_*.pth")) - needed:
            path.unlink()

    def _weights(self, told: Evaluation) -> Path:
        return self.folder / f"best_{told['iteration']}.pth"

    def _score(self, model: Any) -> float | None:
        """The model's mIoU on the whole crops of the mini-validation set, in percent; None if
        they have no class."""
        model.eval()
        total = torch.zeros(len(CLASSES), len(CLASSES), dtype=torch.int64)
        with torch.no_grad():
            for batch in segmented(model, self.dataset, self.batch, self.workers):
                for truth, found in zip(batch.labels, batch.made.classes, strict=True):
                    total += pixel_counts(truth, found).cpu()
        score = float(100 * mean_iou(total.numpy()))
        return None if math.isnan(score) else score

    def after_train(self, runner: Any) -> None:
        """Give the model the best evaluation's weights: that of the process that saves it."""
        best = chosen(self.found)
        if best is not None and is_main_process():
            content = read_checkpoint(self._weights(best))
            unwrapped(runner.model).load_state_dict(content["state_dict"])

    def told(self) -> dict[str, Any]:
        """What a training's record says of the choice."""
        return {"evaluations": self.found, "chosen": chosen(self.found)}


def chosen(found: list[Evaluation]) -> Evaluation | None:
    """The evaluation whose weights are taken; None of none."""
    scored = [one for one in found if one["mIoU"] is not None]
    if not scored:
        return found[-1] if found else None
    # of equal ones `max` gives the first
    return max(scored, key=lambda one: one["mIoU"])


def up_to(iteration: int, found: list[Evaluation]) -> list[Evaluation]:
    """The evaluations until an iteration, it included."""
    return [one for one in found if one["iteration"] <= iteration]
