"""Which of a suite's runs its pictures of single frames show."""

from lzu.experiments.config import Suite, planned_runs
from lzu.experiments.registry import BASELINE
from lzu.experiments.run import ADAPTIVE, Run

USUAL_SCALE = 0.5
"""Where the paper chose its saliency (A.6); of a suite's scales the nearest one is shown."""
STREAMED = tuple(sorted(ADAPTIVE))


def _usual(runs: list[Run]) -> Run | None:
    """The run nearest to the usual scale (of two, the smaller), of the first seed planned."""
    return min(runs, key=lambda run: abs(run.to_scale - USUAL_SCALE), default=None)


def baseline_of(run: Run) -> Run:
    """The uniform run at the scales and seed of `run`."""
    return Run(run.suite, run.task, BASELINE, run.from_scale, run.to_scale, run.seed)


def pictured_cases(suite: Suite) -> Run | None:
    """The run of Figure 6: fixed LZU, beside uniform at its scale; None if there is none."""
    runs = planned_runs(suite)
    return _usual([r for r in runs if r.method == "lzu_fixed" and baseline_of(r) in runs])


def pictured_stream(suite: Suite) -> Run | None:
    """The run whose warp is shown following traffic; None if no method is adaptive."""
    runs = planned_runs(suite)
    for method in STREAMED:
        if found := _usual([run for run in runs if run.method == method]):
            return found
    return None
