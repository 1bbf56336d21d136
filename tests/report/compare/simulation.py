"""Simulated scores whose true mean and spreads are known."""

from dataclasses import dataclass

import numpy as np

from lzu.report.compare.uncertainty import Scores


@dataclass(frozen=True)
class World:
    """Standard deviations of a score, in AP: what seeds, machines and sequences add to it.

    `sequence` and `interaction` (of a run with the sequences) are those of the mean over all
    sequences. `uneven` weighs sequences by a number of objects that varies (log-normal), so that
    the score is a ratio of sums, as AP nearly is.
    """

    seed: float = 1.4
    sequence: float = 0.6
    interaction: float = 0.7
    machine: float = 0.0
    uneven: float = 0.0


def simulated(
    generator: np.random.Generator,
    world: World,
    n: int,
    groups: int,
    machines: int = 1,
    sequence_effect: np.ndarray | None = None,
    weights: np.ndarray | None = None,
) -> Scores:
    """`n` runs of true mean 0, dealt out to the machines in turn.

    `sequence_effect` and `weights` of each sequence are drawn if not given.
    """
    root = np.sqrt(groups)
    if sequence_effect is None:
        sequence_effect = world.sequence * root * generator.normal(size=groups)
    if weights is None:
        weights = np.exp(world.uneven * generator.normal(size=groups))
    machine = np.arange(n) % machines
    values = (
        world.seed * generator.normal(size=(n, 1))
        + world.machine * generator.normal(size=(machines, 1))[machine]
        + sequence_effect
        + world.interaction * root * generator.normal(size=(n, groups))
    )
    sums = values * weights
    total = sums.sum(1, keepdims=True)
    left_out = (total - sums) / (weights.sum() - weights)
    keys = [(f"machine {m}", seed) for seed, m in enumerate(machine)]
    scores = total[:, 0] / weights.sum()
    return Scores(
        dict(zip(keys, scores.tolist(), strict=True)),
        dict(zip(keys, map(tuple, left_out.tolist()), strict=True)),
    )
