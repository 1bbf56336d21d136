"""The pictures of segmentation that a suite makes, and of which runs.

The paper's analysis (Eq. 18, Figures 2, 3, 5 and 10) is of the warps of detection, whose published
errors a second prior could not be held to; it is not repeated.
"""

from lzu.experiments.context import Context
from lzu.experiments.methods import BASELINE
from lzu.experiments.pictured import (
    case_picture,
    formed,
    frame_picture,
    nearest,
    prior_picture,
)
from lzu.experiments.run import Run
from lzu.experiments.task import Files, Picture
from lzu.tasks.segmentation.tables import PRIMARY

USUAL_SCALE = PRIMARY[1]
"""That of the paper's main comparison; of a suite's scales the nearest one is pictured."""


def pictured_maps(context: Context) -> dict[str, list[Run]]:
    """Method -> the runs of Figure 11, one a seed, for which uniform is planned beside them.

    All are at one scale, that nearest to the usual one at which a method can be compared with
    uniform. Methods stand in the order of the plan.
    """
    planned = context.main_runs
    compared = [
        run
        for run in planned
        if run.method != BASELINE.name and not run.options and run.baseline in planned
    ]
    usual = nearest(compared, USUAL_SCALE)
    found: dict[str, list[Run]] = {}
    for run in compared:
        if usual is not None and run.to_scale == usual.to_scale:
            found.setdefault(run.method, []).append(run)
    return found


def _map_files(context: Context) -> Files:
    found = [run for runs in pictured_maps(context).values() for run in runs]
    if not found:
        return {}
    forms = ("png", "pdf", "svg", "csv")
    return formed(context.paths.accuracy_picture(found[0]), "figure11", forms)


def _map_runs(context: Context) -> tuple[Run, ...]:
    return tuple(runs[0] for runs in pictured_maps(context).values())


def _map_predicted(context: Context) -> tuple[Run, ...]:
    runs = [run for runs in pictured_maps(context).values() for run in runs]
    return tuple(dict.fromkeys(one for run in runs for one in (run.baseline, run)))


PICTURES = (
    prior_picture("prior_boundaries"),
    frame_picture("zoom_crop", "classes"),
    case_picture(USUAL_SCALE, "figure6_maps"),
    Picture(
        "accuracy-map",
        "Figures",
        _map_files,
        runs=_map_runs,
        predicted=_map_predicted,
        prior=True,
        of_run=False,
    ),
)
