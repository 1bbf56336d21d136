"""Training as a pure function of (seed, iteration), so that a resumed run repeats exactly.

Draw n is sample `permutation(seed, n // N)[n % N]` of a dataset of N, and its random transforms
(which draw from Python's and NumPy's generators in mmcv) start from ones seeded by (seed, n).
Neither the number of workers, nor the number of GPUs, nor a kill and restart in the middle of an
epoch changes what iteration k sees. What a model draws itself (dropout) starts anew from (seed,
iteration) as well, whatever was drawn before, by an evaluation for instance.
"""

import gc
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from mmengine.dist import get_dist_info
from mmengine.registry import DATA_SAMPLERS, DATASETS, LOOPS
from mmengine.runner import IterBasedTrainLoop
from torch.utils.data import Dataset, Sampler


@DATASETS.register_module(name="LZUDraws")
class Draws(Dataset):
    """An endless, seeded stream of training samples, indexed by the number of the draw."""

    def __init__(self, dataset: Any, seed: int) -> None:
        self.dataset = DATASETS.build(dataset) if isinstance(dataset, dict) else dataset
        self.seed = seed
        self._epoch = -1
        self._order = np.empty(0, dtype=np.int64)

    @property
    def metainfo(self) -> dict[str, Any]:
        """The wrapped dataset's meta information."""
        return self.dataset.metainfo

    def full_init(self) -> None:
        """Load the wrapped dataset (mmengine calls this before training)."""
        self.dataset.full_init()

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, draw: int) -> Any:
        epoch, position = divmod(draw, len(self.dataset))
        if epoch != self._epoch:
            generator = np.random.default_rng([self.seed, epoch])
            self._order = generator.permutation(len(self.dataset))
            self._epoch = epoch
        # mmcv's transforms draw from the global generators, so these are what has to be seeded.
        state, numpy_state = random.getstate(), np.random.get_state()
        word = int(np.random.SeedSequence([self.seed, draw]).generate_state(1)[0])
        random.seed(word)
        np.random.seed(word)
        try:
            return self.dataset[int(self._order[position])]
        finally:
            random.setstate(state)
            np.random.set_state(numpy_state)


@DATA_SAMPLERS.register_module(name="LZUDrawSampler")
class DrawSampler(Sampler):
    """Yields this rank's draws, batch by batch, from iteration `start` on, without end.

    `batch` is the number of images of an iteration on one GPU.
    """

    def __init__(self, dataset: Any, batch: int, seed: int | None = None) -> None:
        self.rank, self.world_size = get_dist_info()
        self.batch = batch
        self.size = len(dataset)
        self.start = 0

    def __iter__(self) -> Iterator[int]:
        iteration = self.start
        while True:
            first = (iteration * self.world_size + self.rank) * self.batch
            yield from range(first, first + self.batch)
            iteration += 1

    def __len__(self) -> int:
        return self.size


@LOOPS.register_module(name="LZUTrainLoop")
class ResumableTrainLoop(IterBasedTrainLoop):
    """mmengine's loop by iterations, which resumes by starting the stream at the right draw.

    The original skips the draws already seen one by one, by loading them.
    """

    def run(self) -> Any:
        """Train until `max_iters`."""
        self.dataloader.sampler.start = self._iter
        # The parent has begun to read from the first draw: let its workers go.
        self.dataloader_iterator = None
        stream = iter(self.dataloader)
        self.runner.call_hook("before_train")
        self.runner.call_hook("before_train_epoch")
        # The garbage collector would walk what the imports have left many times a minute, which
        # takes a twentieth of a small network's training.
        gc.freeze()
        try:
            while self._iter < self._max_iters and not self.stop_training:
                self.runner.model.train()
                data = next(stream)
                torch.manual_seed(self._word())
                self.run_iter(data)
        finally:
            gc.unfreeze()
        self.runner.call_hook("after_train_epoch")
        self.runner.call_hook("after_train")
        return self.runner.model

    def _word(self) -> int:
        """What torch's generators start from at this iteration, on each GPU from another."""
        rank, _ = get_dist_info()
        seeds = np.random.SeedSequence([self.dataloader.dataset.seed, self._iter, rank])
        return int(seeds.generate_state(1)[0])
