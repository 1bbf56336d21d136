"""The runs that a task's `methods` block asks for."""

from lzu.experiments.run import Run
from lzu.experiments.settings import BoxPrior, TaskSettings, Upsampling, option_text
from lzu.experiments.tables import Table


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


def density_name(prior: BoxPrior) -> str:
    """The name of a density of boxes, of which no other density of the same boxes has the same."""
    rows, columns = prior.lattice
    return f"{rows}x{columns}-a{prior.amplitude:g}-b{prior.bandwidth:g}"


def upsampling_runs(
    settings: TaskSettings, wanted: Upsampling | None, suite: str, table: Table
) -> list[Run]:
    """The runs of the rows of Table 2, of one of its halves, that a suite wants."""
    if wanted is None:
        return []
    return [
        run
        for row in table.rows
        if row.method in wanted.methods
        and row.from_scale in wanted.from_scales
        and row.to_scale in wanted.to_scales
        for run in row.runs(suite, wanted.seeds or settings.seeds_of(row.method, row.to_scale))
    ]


def _options(variant: dict[str, float | str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, option_text(value)) for name, value in variant.items()))
