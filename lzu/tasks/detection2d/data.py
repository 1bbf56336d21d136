"""Getting a suite's dataset ready: writing the synthetic world, checking and converting a split."""

from pathlib import Path

from lzu.datasets.argoverse_hd.coco import prepare
from lzu.datasets.synthetic.argoverse_writer import write_argoverse_hd
from lzu.datasets.synthetic.config import WorldConfig
from lzu.errors import UserError
from lzu.experiments.config import Suite
from lzu.experiments.paths import Paths
from lzu.experiments.plan import followed_splits


def write_world(suite: Suite, paths: Paths, jobs: int) -> None:
    """Write the suite's synthetic Argoverse-HD at the dataset's root, in the native size."""
    dataset = suite.detection2d.dataset
    if dataset.synthetic is None:
        raise UserError(
            "detection2d.dataset.synthetic: this suite uses real data, and has no world to write"
        )
    height, width = dataset.native_size
    world = WorldConfig.from_dict({**dataset.synthetic, "height": height, "width": width})
    write_argoverse_hd(Path(dataset.root), world, jobs=jobs)


def prepare_split(suite: Suite, paths: Paths, split: str, jobs: int) -> None:
    """Check `split` of the suite's dataset and write its COCO file; all findings in one report."""
    dataset = suite.detection2d.dataset
    prepare(
        Path(dataset.root),
        split,
        paths.annotations(split),
        paths.findings(split),
        images=dataset.image_check,
        jobs=jobs,
        order="error" if split in followed_splits(suite) else "warning",
        tolerate=dataset.tolerate,
        image_size=dataset.native_size,
    )
