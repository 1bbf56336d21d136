"""Getting the data of 3-D detection ready: world, check, infos, prior."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lzu.datasets.nuscenes import prepare as nuscenes
from lzu.datasets.nuscenes.classes import CLASSES
from lzu.datasets.nuscenes.infos import read_head, stream_samples
from lzu.datasets.nuscenes.layout import root_of
from lzu.datasets.synthetic.nuscenes_writer import write_nuscenes
from lzu.engine.progress import say
from lzu.errors import UserError
from lzu.experiments.context import Context
from lzu.experiments.task import PriorSpec
from lzu.experiments.worlds import world_of
from lzu.saliency import BoxDensity

SAMPLES_AT_ONCE = 256


def data_root(context: Context, split: str) -> Path:
    """The root of the data set that has `split`; see `lzu.datasets.nuscenes.layout.root_of`."""
    dataset = context.settings.dataset
    return root_of(dataset.root, split, dataset.synthetic is not None)


def write_world(context: Context, split: str, jobs: int) -> None:
    """Write a split of the suite's synthetic nuScenes below the dataset's root."""
    dataset = context.settings.dataset
    world = world_of(dataset, context.task.name)
    write_nuscenes(Path(dataset.root), world, jobs=jobs, splits=(split,))


def check_data(context: Context, split: str, jobs: int) -> None:
    """Look at all in `split` that training would stumble over; all findings in one report."""
    dataset = context.settings.dataset
    nuscenes.check_split(
        data_root(context, split),
        dataset.version,
        split,
        context.paths.findings(split),
        cameras=dataset.cameras,
        images=dataset.image_check,
        jobs=jobs,
        image_size=dataset.native_size,
        progress=say,
    )


def prepare_data(context: Context, split: str) -> None:
    """Write the infos of `split`, and what is known of it."""
    dataset, paths = context.settings.dataset, context.paths
    nuscenes.prepare(
        data_root(context, split),
        dataset.version,
        split,
        paths.annotations(split),
        paths.about(split),
        cameras=dataset.cameras,
        classes=dataset.classes,
        progress=say,
    )


def prior_saliency(context: Context, spec: PriorSpec) -> tuple[torch.Tensor, dict[str, Any]]:
    """The density of the projected boxes of the *training* split, and its source (A.6).

    Those are the boxes that training learns from: of the suite's classes and cameras, with a lidar
    or radar point. It is (1, 1, h, w) of all cameras together, or (n, 1, h, w), one for each of the
    n of `dataset.cameras` in their order.

    Raises UserError if the infos are not of the training set.
    """
    listing = context.paths.annotations(spec.split)
    info = read_head(listing)["info"]
    if info["split"] != "train":
        raise UserError(
            f"{listing}: a prior is made from training boxes, and these are of the "
            f"{info['split']} split; give the training infos"
        )
    dataset, settings = context.settings.dataset, spec.settings
    together = not settings.of_each_camera
    densities = {
        camera: BoxDensity(dataset.native_size, settings.lattice, bandwidth=settings.bandwidth)
        for camera in (("all",) if together else dataset.cameras)
    }
    for camera, boxes in learned_boxes(listing, dataset.cameras, dataset.classes):
        densities["all" if together else camera].add(torch.from_numpy(boxes))
    saliency = torch.cat([one.saliency(settings.amplitude) for one in densities.values()])
    source = {key: info[key] for key in ("source", "split", "fingerprint")}
    if not together:
        source["maps"] = list(dataset.cameras)
    return saliency, {**source, "boxes": sum(one.count for one in densities.values())}


def learned_boxes(
    listing: Path, cameras: tuple[str, ...], classes: tuple[str, ...]
) -> Iterator[tuple[str, np.ndarray]]:
    """Camera by camera the projected boxes (n, 4), that are learned, of some samples at once."""
    labels = {CLASSES.index(name) for name in classes}
    samples = stream_samples(listing)
    while some := list(islice(samples, SAMPLES_AT_ONCE)):
        for camera in cameras:
            found = [
                one["bbox"]
                for sample in some
                for one in sample["cam_instances"].get(camera, ())
                if one["bbox_3d_isvalid"] and one["bbox_label_3d"] in labels
            ]
            yield camera, np.array(found, dtype=np.float64).reshape(-1, 4)
