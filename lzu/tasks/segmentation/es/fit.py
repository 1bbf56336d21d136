"""Training of ES's network towards the target locations, before the segmenter's."""

import copy
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from lzu.core.arguments import as_count, as_positive
from lzu.tasks.segmentation.es.predictor import LocationPredictor

# Of a generator and a count: that many images (B, 3, 8 n, 8 n), from 0 to 255, and their target
# locations (B, n, n, 2).
Draw = Callable[[np.random.Generator, int], tuple[Tensor, Tensor]]


def fit_predictor(
    draw: Draw,
    iterations: int,
    rate: float = 0.007,
    batch: int = 32,
    seed: int = 0,
    device: torch.device | str = "cpu",
    *,
    momentum: float = 0.9,
    decay: float = 4e-5,
    power: float = 0.9,
    lattice: int = 8,
    widen_factor: float = 0.25,
) -> tuple[dict[str, Tensor], list[float]]:
    """Train a `LocationPredictor`, by mean squared error, from scratch.

    SGD with momentum; the rate falls as (1 - step / iterations) ** power; weight decay of the
    convolutions alone. As in the released code the error is that of `unbounded` locations, border
    included. A function of its arguments alone: on a CPU the same to the last bit for one number
    of threads. The random state of torch is left as it was.

    Args:
        draw: gives the samples of each step; `from_arrays` makes one of arrays. What it draws
            should depend on the generator alone.
        iterations: steps; the released scripts take 30,000.
        rate: the learning rate of the first step.
        batch: images a step, at least 2.
        seed: of the first weights, the drop-out and the generator.
        device: where to train.
        momentum, decay, power: of the optimiser and of the fall of its rate.
        lattice, widen_factor: of the network.

    Returns:
        The weights, on the CPU, and the loss of every step.

    Raises:
        ValueError: a setting is not allowed.
    """
    iterations, batch = as_count(iterations, "iterations"), as_count(batch, "batch", minimum=2)
    rate, device = as_positive(rate, "rate"), torch.device(device)
    random = np.random.default_rng(seed)
    forked = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(forked), torch.enable_grad():
        torch.manual_seed(seed)
        predictor = LocationPredictor(lattice, widen_factor).to(device).train()
        optimiser = torch.optim.SGD(_groups(predictor, decay), lr=rate, momentum=momentum)
        schedule = torch.optim.lr_scheduler.PolynomialLR(optimiser, iterations, power)
        losses = []
        for _ in range(iterations):
            images, targets = (part.to(device) for part in draw(random, batch))
            loss = (predictor.unbounded(images) - targets.to(torch.float32)).square().mean()
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            schedule.step()
            losses.append(loss.detach())
    weights = {name: value.cpu() for name, value in predictor.state_dict().items()}
    return copy.deepcopy(weights), torch.stack(losses).tolist()


def from_arrays(images: Tensor, targets: Tensor, flip: bool = True) -> Draw:
    """Return a `Draw` of these samples.

    Args:
        images: (N, 3, 8 n, 8 n), values from 0 to 255, uint8 for instance.
        targets: (N, n, n, 2) of `target_locations`.
        flip: mirror half of them, image and target, left to right.

    Raises:
        ValueError: not as many images as targets, or none.
    """
    if len(images) != len(targets) or not len(images):
        raise ValueError(
            f"images and targets must be as many, and some, got {len(images)} and {len(targets)}"
        )

    def draw(random: np.random.Generator, batch: int) -> tuple[Tensor, Tensor]:
        chosen = random.choice(len(images), batch, replace=len(images) < batch)
        mirrored = torch.from_numpy(random.random(batch) < 0.5) & flip
        index = torch.from_numpy(chosen)
        some, theirs = images[index], targets[index]
        which = mirrored.view(-1, 1, 1, 1)
        return (
            torch.where(which, some.flip(-1), some),
            torch.where(which, mirrored_locations(theirs), theirs),
        )

    return draw


def mirrored_locations(locations: Tensor) -> Tensor:
    """Return the locations (B, n, m, 2) of mirrored images: columns in reverse, x from 1."""
    x, y = locations.flip(2).unbind(-1)
    return torch.stack((1 - x, y), -1)


def _groups(predictor: LocationPredictor, decay: float) -> list[dict]:
    """Return the parameters, those that decay apart from those that do not."""
    decaying = [p for p in predictor.parameters() if p.ndim == 4]
    others = [p for p in predictor.parameters() if p.ndim != 4]
    return [{"params": decaying, "weight_decay": decay}, {"params": others, "weight_decay": 0.0}]
