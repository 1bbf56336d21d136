"""Which runs a suite's settings ask for, table by table, and by which priors they zoom."""

from lzu.experiments.plan import density_name, method_runs, upsampling_runs
from lzu.experiments.run import Run
from lzu.experiments.settings import with_options
from lzu.experiments.task import PriorSpec
from lzu.tasks.detection3d.settings import Detection3d, Prior
from lzu.tasks.detection3d.tables import (
    CLASSES_TABLE,
    RECALL_TABLE,
    TABLE_2_3D,
    TABLE_5,
    TASK,
)


def runs(settings: Detection3d, suite: str) -> dict[str, list[Run]]:
    """The runs of Table 5, which others show again, and of Table 2's 3-D half."""
    planned = method_runs(settings, suite, TASK)
    return {
        TABLE_5.name: planned,
        TABLE_2_3D.name: upsampling_runs(settings, settings.upsampling, suite, TABLE_2_3D),
        CLASSES_TABLE.name: planned,
        RECALL_TABLE.name: planned,
    }


def prior_of(settings: Detection3d, run: Run) -> PriorSpec | None:
    """The density of the projected training boxes that a run zooms by, its own options in their
    place."""
    if not run.about.needs_prior:
        return None
    return spec(with_options(settings.prior, run.options))


def spec(prior: Prior) -> PriorSpec:
    """The prior of these settings, made of the training set's boxes."""
    each = "-each" if prior.of_each_camera else ""
    return PriorSpec(f"{density_name(prior)}{each}", "train", prior)
