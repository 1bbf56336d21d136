"""Getting the data of 2-D detection ready: world, check, COCO files, the search's split, prior."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

import lzu
from lzu.datasets.argoverse_hd.coco import check_split, prepare
from lzu.datasets.argoverse_hd.split import write_split
from lzu.datasets.objects import objects
from lzu.datasets.synthetic.argoverse_writer import write_argoverse_hd
from lzu.errors import UserError
from lzu.experiments.context import Context
from lzu.experiments.task import PriorSpec
from lzu.experiments.worlds import world_of
from lzu.files import read_json


def write_world(context: Context, split: str, jobs: int) -> None:
    """Write a split of the suite's synthetic Argoverse-HD at the dataset's root."""
    dataset = context.settings.dataset
    world = world_of(dataset, context.task.name)
    write_argoverse_hd(Path(dataset.root), world, jobs=jobs, splits=(split,))


def check_data(context: Context, split: str, jobs: int) -> None:
    """Look at all in `split` that training would stumble over; all findings in one report."""
    dataset = context.settings.dataset
    check_split(
        dataset.root,
        split,
        context.paths.findings(split),
        images=dataset.image_check,
        jobs=jobs,
        order="error" if split in context.followed_splits() else "warning",
        tolerate=dataset.tolerate,
        image_size=dataset.native_size,
    )


def prepare_data(context: Context, split: str) -> None:
    """Write `split` as a COCO file, and what is known of it."""
    dataset, paths = context.settings.dataset, context.paths
    prepare(
        dataset.root,
        split,
        paths.annotations(split),
        paths.about(split),
        tolerate=dataset.tolerate,
    )


def split_data(context: Context) -> None:
    """Split the training set in two by sequence, for the search.

    Raises UserError if the suite has no search.
    """
    search, paths = context.settings.search, context.paths
    if search is None:
        raise UserError(f"{context.task.name}.search is not set, so there is nothing to split for")
    names = dict(zip(("train", "val"), context.task.parts, strict=True))
    write_split(
        paths.annotations("train"),
        {part: (paths.annotations(name), paths.about(name)) for part, name in names.items()},
        paths.split_record(context.task.parts),
        share=search.validation_share,
        seed=search.split_seed,
    )


def prior_saliency(context: Context, spec: PriorSpec) -> tuple[torch.Tensor, dict[str, Any]]:
    """The density of the objects in the annotations of a *training* split, and its source.

    Those are the boxes that training learns from: no crowds, and none under a pixel (see
    `lzu.datasets.objects`).

    The official tool of FOVEA builds its prior from the validation file; this one refuses
    annotations that are not of a training split.
    """
    annotations = context.paths.annotations(spec.split)
    content = read_json(annotations)
    info = content["info"]
    if info["split"] not in ("train", "search_train"):
        raise UserError(
            f"{annotations}: a prior is made from training boxes, and these are of the "
            f"{info['split']} split; give the training annotations"
        )
    sizes = {(image["height"], image["width"]) for image in content["images"]}
    if len(sizes) != 1:
        raise UserError(
            f"{annotations}: images of several sizes ({sorted(sizes)[:3]} ...); one prior needs "
            "one image size"
        )
    records = objects(content["annotations"])
    boxes = np.array([record["bbox"] for record in records], dtype=np.float32).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    saliency = lzu.saliency.from_boxes(
        torch.from_numpy(boxes),
        image_size=sizes.pop(),
        lattice=spec.settings.lattice,
        amplitude=spec.settings.amplitude,
        bandwidth=spec.settings.bandwidth,
    )
    source = {key: info[key] for key in ("source", "split", "fingerprint")}
    return saliency, {**source, "boxes": len(boxes)}
