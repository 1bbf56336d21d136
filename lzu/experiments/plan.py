"""What a suite evaluates besides Table 1's runs, and which tables it fills."""

from lzu.experiments.config import Prior, Suite, planned_runs
from lzu.experiments.identity import saliency_settings
from lzu.experiments.registry import search_runs, upsampling_runs
from lzu.experiments.run import ADAPTIVE, FROM_PRIOR, SEARCH, Run


def evaluated_runs(suite: Suite) -> list[Run]:
    """All runs that the suite scores: those that it trains for Table 1, Table 2's and Table 6's.

    A run of Table 2 from another scale than 1 is scored with the weights of another (see
    `Run.trained`), which is among them.
    """
    task = suite.detection2d
    runs = planned_runs(suite)
    if (up := task.upsampling) is not None:
        seeds = task.seeds if up.seeds is None else up.seeds
        runs += upsampling_runs(suite.suite, seeds, up.methods, up.from_scales, up.to_scales)
    if (search := task.search) is not None:
        points = (search.methods, search.amplitudes, search.fwhms)
        runs += search_runs(suite.suite, search.seeds, *points)
    return list(dict.fromkeys(runs))


def followed_splits(suite: Suite) -> set[str]:
    """The dataset's splits whose frames some run follows in their order: "train", "val" or none.

    The search validates on a part of the training set.
    """
    followed = [run for run in evaluated_runs(suite) if run.method in ADAPTIVE]
    return {"train" if SEARCH in run.options else "val" for run in followed}


def planned_tables(suite: Suite) -> list[str]:
    """Names of the tables that the suite fills."""
    task = suite.detection2d
    own = {"table1": True, "table2": task.upsampling, "table6": task.search}
    return [name for name, wanted in own.items() if wanted]


def search_priors(suite: Suite) -> list[Prior]:
    """The settings of all priors that the search's runs zoom by, one an amplitude."""
    runs = [run for run in evaluated_runs(suite) if SEARCH in run.options]
    settings = [
        saliency_settings(suite.detection2d, run)[0] for run in runs if run.method in FROM_PRIOR
    ]
    return list({prior.amplitude: prior for prior in settings}.values())
