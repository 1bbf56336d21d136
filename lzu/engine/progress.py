"""Telling how far a training is, in few lines."""

import math
import sys
import time
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from lzu.errors import UserError


@HOOKS.register_module(name="LZUProgress")
class Progress(Hook):
    """One line to standard error each `parts`-th of a training, and a stop if the loss is lost."""

    priority = "LOW"

    def __init__(self, name: str, parts: int = 10) -> None:
        self.name = name
        self.parts = parts
        self.losses: list[tuple[int, float]] = []

    def before_train(self, runner: Any) -> None:
        """Remember where this session starts."""
        self.first = runner.iter
        self.started = time.monotonic()
        if self.first:
            say(f"{self.name}: resumed at iteration {self.first} of {runner.max_iters}")

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Check the loss; report now and then."""
        done, total = runner.iter + 1, runner.max_iters
        step = max(1, total // self.parts)
        report = done % step == 0 or done == total
        loss = outputs["loss"].detach()
        # Reading a loss waits for a GPU, so there it is not done every time.
        if not (report or loss.device.type == "cpu" or done % 50 == 0):
            return
        loss = float(loss)
        if not math.isfinite(loss):
            raise UserError(
                f"{self.name}: the loss is {loss} at iteration {done}; lower the learning rate, "
                "lengthen the warm-up or set schedule.clip_norm"
            )
        if not report:
            return
        self.losses.append((done, round(loss, 5)))
        pace = (time.monotonic() - self.started) / (done - self.first)
        left = pace * (total - done)
        say(
            f"{self.name}: {100 * done // total:3d} %  iteration {done}/{total}  loss {loss:.3f}  "
            f"{pace:.2f} s/iteration  {left / 60:.1f} min left"
        )


def say(line: str) -> None:
    """Print a line to standard error, once if several processes train together."""
    if is_main_process():
        print(line, file=sys.stderr, flush=True)
