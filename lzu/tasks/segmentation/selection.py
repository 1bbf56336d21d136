"""Choosing a training's best weights on the mini-validation set (5.2)."""

from pathlib import Path
from typing import Any

import torch
from mmengine.dataset import pseudo_collate
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.registry import DATASETS, HOOKS
from torch.utils.data import DataLoader

from lzu.engine.progress import say
from lzu.engine.weights import read_checkpoint
from lzu.files import read_json, write_atomic, write_json
from lzu.tasks.segmentation.counts import pixel_counts
from lzu.tasks.segmentation.scoring.confusion import mean_iou

BEST, HISTORY = "best.pth", "evaluations.json"


@HOOKS.register_module(name="LZUSelectBest")
class SelectBest(Hook):
    """Evaluate at equal distances during a training, and end it with the best evaluation's weights.

    Beside the training's checkpoints lie the best weights and what was found so far, so a training
    that goes on after a kill forgets nothing and evaluates nothing twice.

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
        self.found: list[dict[str, Any]] = []

    def before_train(self, runner: Any) -> None:
        """Go on with what was found before a kill, up to the iteration that is resumed."""
        self.folder = Path(runner.work_dir)
        history = self.folder / HISTORY
        if runner.iter and history.is_file():
            self.found = [one for one in read_json(history) if one["iteration"] <= runner.iter]
        self.best = self._kept(runner)

    def _kept(self, runner: Any) -> dict[str, Any] | None:
        """The best weights that lie in the folder, if they are of what was found."""
        path = self.folder / BEST
        if not (runner.iter and path.is_file()):
            return None
        content: dict[str, Any] = read_checkpoint(path)
        return content if content["about"] in self.found else None

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Evaluate, if it is time."""
        done = runner.iter + 1
        if done not in self.iterations:
            return
        model = runner.model.module if hasattr(runner.model, "module") else runner.model
        score = self._score(model)
        model.train()
        told = {"iteration": done, "mIoU": score}
        self.found.append(told)
        say(f"{self.name}: mini-validation mIoU {score:.2f} at iteration {done}")
        # of equal ones the first; where nothing is found at all, the last
        if self.best is None or score > self.best["about"]["mIoU"]:
            state = {name: value.cpu().clone() for name, value in model.state_dict().items()}
            self.best = {"state_dict": state, "about": told}
            if is_main_process():
                with write_atomic(self.folder / BEST) as temporary:
                    torch.save(self.best, temporary)
        if is_main_process():
            write_json(self.folder / HISTORY, self.found)

    def _score(self, model: Any) -> float:
        """The model's mIoU on the whole crops of the mini-validation set, in percent."""
        model.eval()
        loader = DataLoader(
            self.dataset, self.batch, num_workers=self.workers, collate_fn=pseudo_collate
        )
        total = torch.zeros((), dtype=torch.int64)
        with torch.no_grad():
            for data in loader:
                data = model.data_preprocessor(data)
                classes = model.segment(data["inputs"]).classes
                for sample, one in zip(data["data_samples"], classes, strict=True):
                    total = total + pixel_counts(sample.gt_sem_seg.data[0], one).cpu()
        return float(100 * mean_iou(total.numpy()))

    def after_train(self, runner: Any) -> None:
        """Give the model the best evaluation's weights."""
        if self.best is not None:
            model = runner.model.module if hasattr(runner.model, "module") else runner.model
            model.load_state_dict(self.best["state_dict"])

    def told(self) -> dict[str, Any]:
        """What a training's record says of the choice."""
        return {
            "evaluations": self.found,
            "chosen": None if self.best is None else self.best["about"],
        }
