"""Which runs a suite's settings ask for, table by table, and what they need before them."""

from lzu.experiments.identity import digest, said
from lzu.experiments.plan import method_runs
from lzu.experiments.run import Run
from lzu.experiments.settings import with_options
from lzu.experiments.task import PriorSpec, StageSpec
from lzu.tasks.segmentation.settings import Prior, Segmentation
from lzu.tasks.segmentation.tables import SPACES, TABLE_3, TABLE_4, TASK

MINI_TRAIN, MINI_VAL = PARTS = ("mini_train", "mini_val")
ES_SAMPLER = "es_sampler"
# Of ES's settings, what bears on how its sampler is used and not on its training.
USED = {"back_projection"}


def runs(settings: Segmentation, suite: str) -> dict[str, list[Run]]:
    """The runs of Table 3, which other tables show again: all, or those of Table 4's rows."""
    planned = method_runs(settings, suite, TASK)
    shared = [run for run in planned if any(row.matches(run) for row in TABLE_4.rows)]
    return {TABLE_3.name: planned, TABLE_4.name: shared, SPACES.name: planned}


def prior_of(settings: Segmentation, run: Run) -> PriorSpec | None:
    """The mean of boundaries that a run zooms by, its own options in their place."""
    if not run.about.needs_prior:
        return None
    return spec(with_options(settings.prior, run.options))


def spec(prior: Prior) -> PriorSpec:
    """The prior of these settings, made of the whole training set's labels."""
    rows, columns = prior.lattice
    height, width = prior.label_size
    name = f"{rows}x{columns}-b{prior.boundary:g}-g{prior.background:g}-of{height}x{width}"
    return PriorSpec(name, "train", prior)


def stage_of(settings: Segmentation, run: Run) -> StageSpec | None:
    """ES's sampler, trained before its segmenters: one for each seed."""
    if run.method != "es":
        return None
    block = with_options(settings.es, run.options)
    name = digest(said(block, USED))
    return StageSpec(ES_SAMPLER, name, MINI_TRAIN, run.seed, block)


def split_rule(settings: Segmentation) -> dict[str, object]:
    """How the mini-validation set is chosen from the training set (5.2)."""
    return settings.mini_validation.model_dump(include={"images", "split_seed"})


def trains_on(settings: Segmentation, run: Run) -> str:
    """The training set without the mini-validation set."""
    return MINI_TRAIN
