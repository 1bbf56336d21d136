"""Figure 11: where methods are more accurate than uniform, from runs' predictions."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from lzu.engine.trained import load_trained
from lzu.errors import UserError
from lzu.experiments.context import Context
from lzu.experiments.methods import METHODS
from lzu.experiments.run import Run
from lzu.files import read_json, write_text
from lzu.report.pictures.accuracy_map import MethodMap, write_accuracy_maps
from lzu.tasks.segmentation.build import listed
from lzu.tasks.segmentation.drawing.density import sample_density
from lzu.tasks.segmentation.drawing.views import view
from lzu.tasks.segmentation.pictures import pictured_maps
from lzu.tasks.segmentation.scoring.accuracy import PixelAccuracy, pixel_accuracy
from lzu.tasks.segmentation.scoring.predictions import read_maps, read_truths

MOST_BLOCKS = 32
"""Blocks of pixels that are shown, each way."""


@dataclass(frozen=True)
class Compared:
    """The counts of a method and those of uniform, over the same images and seeds."""

    method: PixelAccuracy
    uniform: PixelAccuracy

    def gain(self, where: NDArray[np.bool_] | None = None) -> float | None:
        """The share of counted pixels that are right, minus uniform's, of a part of the crop; None
        if nothing counts there."""
        kept = np.ones(self.method.right.shape, bool) if where is None else where
        counted = int(self.method.counted[kept].sum())
        gained = int(self.method.right[kept].sum()) - int(self.uniform.right[kept].sum())
        return gained / counted if counted else None


def draw_accuracy(context: Context) -> None:
    """Draw how often each place is right, for each method of `pictured_maps`, and minus uniform.

    Raises UserError if no method can be compared with uniform, or if a run is not trained or not
    predicted with.
    """
    methods = pictured_maps(context)
    if not methods:
        raise UserError("the suite plans no method beside uniform at its scale, to compare it with")
    images = read_json(context.paths.annotations("val"))["images"]
    dataset = context.settings.dataset
    truths = read_truths(context, images)
    counts: dict[Run, PixelAccuracy] = {}

    def counted(runs: Sequence[Run]) -> PixelAccuracy:
        for run in runs:
            if run not in counts:
                pairs = zip(truths, read_maps(context, run, images), strict=True)
                counts[run] = pixel_accuracy(pairs)
        found = [counts[run] for run in runs]
        return PixelAccuracy(
            np.sum([one.right for one in found], axis=0),
            np.sum([one.counted for one in found], axis=0),
        )

    compared = {
        name: Compared(counted(runs), counted([run.baseline for run in runs]))
        for name, runs in methods.items()
    }
    # decoded once, for all methods
    shown = listed(context, "val")
    density = {name: mean_density(context, runs[0], shown) for name, runs in methods.items()}
    first = next(iter(methods.values()))[0]
    baselines = list(dict.fromkeys(run.baseline for runs in methods.values() for run in runs))
    picture = context.paths.accuracy_picture(first)
    write_numbers(picture.with_suffix(".csv"), compared, density, methods)
    maps = [method_map(name, compared[name], density[name]) for name in methods]
    uniform = counted(baselines).pooled(MOST_BLOCKS).values()
    title = (
        f"{dataset.crop[1]}×{dataset.crop[0]} crop at {first.to_scale:g}×, "
        f"{len(images)} validation images, {_seeds(methods)}"
    )
    write_accuracy_maps(picture.parent, picture.stem, uniform, maps, dataset.crop, title)


def _seeds(methods: dict[str, list[Run]]) -> str:
    numbers = sorted({len(runs) for runs in methods.values()})
    said = f"{numbers[0]} to {numbers[-1]}" if len(numbers) > 1 else f"{numbers[0]}"
    return f"{said} seed{'s' if numbers[-1] > 1 else ''}"


def mean_density(context: Context, run: Run, dataset: Any) -> NDArray[np.float64]:
    """The `sample_density` of a trained run, on average over the images of a dataset."""
    model = load_trained(context, run)
    total, images = np.zeros(()), 0
    last: torch.Tensor | None = None
    found = np.zeros(())
    for points in _points(model, dataset):
        # a fixed warp's are those of every image
        if last is None or not torch.equal(points, last):
            found, last = sample_density(points), points
        total, images = total + found, images + 1
    return total / images


def _points(model: Any, dataset: Any) -> Iterator[torch.Tensor]:
    for index in range(len(dataset)):
        yield view(model, dataset[index])[1]


def enlarged(density: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Which pixels of a crop of `size` a method samples more densely than uniform: (H, W)."""
    rows, columns = (
        np.linspace(0, nodes - 1, side, dtype=np.float32)
        for nodes, side in zip(density.shape, size, strict=True)
    )
    x, y = np.meshgrid(columns, rows)
    return cv2.remap(density.astype(np.float32), x, y, cv2.INTER_LINEAR) > 1


def method_map(name: str, compared: Compared, density: NDArray[np.float64]) -> MethodMap:
    """A column of the figure."""
    more = enlarged(density, compared.method.right.shape)
    own, uniform = (one.pooled(MOST_BLOCKS).values() for one in (compared.method, compared.uniform))
    return MethodMap(
        label=METHODS[name].label,
        accuracy=own,
        gain=own - uniform,
        magnification=density,
        gain_enlarged=compared.gain(more),
        gain_reduced=compared.gain(~more),
    )


def write_numbers(
    path: Path,
    compared: dict[str, Compared],
    density: dict[str, NDArray[np.float64]],
    methods: dict[str, list[Run]],
) -> None:
    """Write a CSV file with a line for each method: its pixels' accuracy and gains in percent."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = ("pixel_accuracy", "uniform", "gain", "gain_enlarged", "gain_reduced")
    writer.writerow(["method", "seeds", *names, "share_enlarged"])
    for name, one in compared.items():
        more = enlarged(density[name], one.method.right.shape)
        own, uniform = (
            counts.right.sum() / max(counts.counted.sum(), 1)
            for counts in (one.method, one.uniform)
        )
        share = one.method.counted[more].sum() / max(one.method.counted.sum(), 1)
        values = (own, uniform, one.gain(), one.gain(more), one.gain(~more), share)
        said = ["" if value is None else f"{100 * value:.4f}" for value in values]
        writer.writerow([name, len(methods[name]), *said])
    write_text(path, text.getvalue())
