"""The runs that a task's `methods` block asks for."""

from lzu.experiments.run import Run
from lzu.experiments.settings import TaskSettings, option_text


def method_runs(settings: TaskSettings, suite: str, task: str) -> list[Run]:
    """Every method at each of its scales, with each seed; then its variants, likewise.

    The values of a variant are the run's options.
    """
    return [
        Run(suite, task, method, 1.0, scale, seed, options)
        for method, own in settings.methods.items()
        for options in ((), *(_options(variant) for variant in own.variants))
        for scale in own.scales
        for seed in settings.seeds_of(method, scale)
    ]


def _options(variant: dict[str, float | str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, option_text(value)) for name, value in variant.items()))
