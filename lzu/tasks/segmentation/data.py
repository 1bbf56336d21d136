"""Getting the data of segmentation ready: world, check, listing, mini-validation, prior."""

import os
from pathlib import Path
from typing import Any

import torch

from lzu.datasets.cityscapes import prepare as cityscapes
from lzu.datasets.cityscapes.classes import IGNORE
from lzu.datasets.cityscapes.reader import stream_train_ids
from lzu.datasets.cityscapes.split import write_split
from lzu.datasets.synthetic.cityscapes_writer import write_cityscapes
from lzu.errors import UserError
from lzu.experiments.context import Context
from lzu.experiments.task import PriorSpec
from lzu.experiments.worlds import world_of
from lzu.files import read_json
from lzu.saliency import BoundaryDensity


def write_world(context: Context, split: str, jobs: int) -> None:
    """Write a split of the suite's synthetic Cityscapes at the dataset's root."""
    dataset = context.settings.dataset
    world = world_of(dataset, context.task.name)
    write_cityscapes(Path(dataset.root), world, jobs=jobs, splits=(split,))


def check_data(context: Context, split: str, jobs: int) -> None:
    """Look at all in `split` that training would stumble over; all findings in one report."""
    dataset = context.settings.dataset
    cityscapes.check_split(
        dataset.root,
        split,
        context.paths.findings(split),
        images=dataset.image_check,
        jobs=jobs,
        image_size=dataset.native_size,
        crop=dataset.crop,
    )


def prepare_data(context: Context, split: str) -> None:
    """Write the listing of `split`, and what is known of it."""
    dataset, paths = context.settings.dataset, context.paths
    cityscapes.prepare(
        dataset.root,
        split,
        paths.annotations(split),
        paths.about(split),
        crop=dataset.crop,
        jobs=_jobs(),
    )


def split_data(context: Context) -> None:
    """Set the mini-validation set aside from the training set (5.2)."""
    wanted, paths = context.settings.mini_validation, context.paths
    write_split(
        paths.annotations("train"),
        {part: (paths.annotations(part), paths.about(part)) for part in context.task.parts},
        paths.split_record(context.task.parts),
        images=wanted.images,
        seed=wanted.split_seed,
    )


def prior_saliency(context: Context, spec: PriorSpec) -> tuple[torch.Tensor, dict[str, Any]]:
    """The mean boundaries of the labels of the *training* split, and its source (A.6).

    Labels are reduced to `label_size` by nearest neighbour; those that do not count make no
    boundary. A few label images are in memory at a time.

    Raises UserError if the annotations are not of the training set.
    """
    listing = context.paths.annotations(spec.split)
    content = read_json(listing)
    info, settings = content["info"], spec.settings
    if info["split"] != "train":
        raise UserError(
            f"{listing}: a prior is made from training labels, and these are of the "
            f"{info['split']} split; give the training listing"
        )
    density = BoundaryDensity(settings.lattice, ignore=IGNORE)
    dataset = context.settings.dataset
    labels = [image["label"] for image in content["images"]]
    for train_ids in stream_train_ids(
        dataset.root,
        labels,
        crop=dataset.crop,
        size=settings.label_size,
        jobs=_jobs(),
    ):
        density.add(torch.from_numpy(train_ids))
    source = {key: info[key] for key in ("source", "split", "fingerprint")}
    return density.saliency(settings.boundary, settings.background), {
        **source,
        "images": len(labels),
    }


def _jobs() -> int:
    """How many label images are read at once: as many as the command's `--threads`, which it has
    set for every pool of threads; one if it was not given."""
    return int(os.environ.get("OMP_NUM_THREADS", "1"))
