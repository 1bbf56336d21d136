"""The training stream is a function of (seed, draw) alone."""

import random
from collections import Counter

import numpy as np
import pytest

pytest.importorskip("mmengine")

from torch.utils.data import DataLoader

from lzu.models.draws import Draws, DrawSampler


class Noisy:
    """Samples that come with what random transforms would draw."""

    def __init__(self, n=7):
        self.n = n

    def __len__(self):
        return self.n

    def __getitem__(self, index):
        return index, float(np.random.rand()), random.random()


def take(iterator, count):
    return [next(iterator) for _ in range(count)]


def test_an_epoch_has_every_sample_once_and_epochs_differ():
    draws = Draws(Noisy(), seed=0)
    epochs = [[draws[7 * e + i][0] for i in range(7)] for e in range(3)]
    assert all(Counter(e) == Counter(range(7)) for e in epochs)
    assert len({tuple(e) for e in epochs}) == 3


def test_a_draw_does_not_depend_on_those_before_it():
    straight = [Draws(Noisy(), seed=5)[n] for n in range(20)]
    draws = Draws(Noisy(), seed=5)
    backwards = [draws[n] for n in reversed(range(20))]
    assert straight == backwards[::-1]


def test_seeds_differ():
    first, second = Draws(Noisy(), seed=0), Draws(Noisy(), seed=1)
    assert [first[n] for n in range(10)] != [second[n] for n in range(10)]


def test_global_generators_are_left_as_they_were():
    np.random.seed(3)
    expected = np.random.rand()
    np.random.seed(3)
    Draws(Noisy(), seed=0)[4]
    assert np.random.rand() == expected


def loader(start, workers=0):
    draws = Draws(Noisy(), seed=0)
    sampler = DrawSampler(draws, batch=3)
    sampler.start = start
    return iter(DataLoader(draws, 3, sampler=sampler, num_workers=workers, collate_fn=list))


def test_resuming_gives_the_batches_that_would_have_come():
    assert take(loader(0), 8)[5:] == take(loader(5), 3)


def test_workers_change_nothing():
    assert take(loader(2, workers=2), 4) == take(loader(2), 4)


def test_gpus_share_one_global_order(monkeypatch):
    def rank(index, world):
        monkeypatch.setattr("lzu.models.draws.get_dist_info", lambda: (index, world))
        return DrawSampler(range(100), batch=4 // world)

    alone = take(iter(rank(0, 1)), 12)
    shared = [take(iter(rank(index, 2)), 6) for index in range(2)]
    merged = [n for i in range(3) for r in shared for n in r[2 * i : 2 * i + 2]]
    assert merged == alone
