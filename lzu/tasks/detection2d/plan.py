"""Which runs a suite's settings ask for, table by table, and by which priors they zoom."""

from lzu.experiments.methods import BASELINE
from lzu.experiments.plan import density_name, method_runs, upsampling_runs
from lzu.experiments.run import SEARCH, Run
from lzu.experiments.settings import BoxPrior, with_options
from lzu.experiments.task import PriorSpec
from lzu.tasks.detection2d.settings import Detection2d
from lzu.tasks.detection2d.tables import TABLE_2, TABLE_6, TASK


def runs(settings: Detection2d, suite: str) -> dict[str, list[Run]]:
    """The runs of Tables 1, 2 and 6."""
    return {
        "table1": method_runs(settings, suite, TASK),
        "table2": upsampling_runs(settings, settings.upsampling, suite, TABLE_2),
        "table6": _search(settings, suite),
    }


def _search(settings: Detection2d, suite: str) -> list[Run]:
    wanted = settings.search
    if wanted is None:
        return []
    found = []
    for row in TABLE_6.rows:
        own = dict(row.options)
        inside = row.method == BASELINE.name or (
            row.method in wanted.methods
            and float(own["amplitude"]) in wanted.amplitudes
            and float(own["fwhm"]) in wanted.fwhms
        )
        found += row.runs(suite, wanted.seeds) if inside else ()
    return found


def prior_of(settings: Detection2d, run: Run) -> PriorSpec | None:
    """The density of the training boxes that a run zooms by, its own options in their place."""
    if not run.about.needs_prior:
        return None
    return spec(with_options(settings.prior, run.options), run.split("train"))


def spec(prior: BoxPrior, split: str = "train") -> PriorSpec:
    """The prior of these settings, made of the boxes of `split`."""
    return PriorSpec(density_name(prior), split, prior)


def split_rule(settings: Detection2d) -> dict[str, object] | None:
    """How the training set is split for the search; None without one."""
    if settings.search is None:
        return None
    return settings.search.model_dump(include={"validation_share", "split_seed"})


def identity(settings: Detection2d, run: Run) -> dict[str, object]:
    """How the data was split, for a run of the search."""
    rule = split_rule(settings)
    return {"split": rule} if rule is not None and SEARCH in run.options else {}
