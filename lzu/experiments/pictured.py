"""The pictures that several tasks make, and of which runs."""

from pathlib import Path

from lzu.errors import UserError
from lzu.experiments.context import Context
from lzu.experiments.methods import BASELINE
from lzu.experiments.run import Run
from lzu.experiments.task import Files, Picture

FORMS = ("png", "pdf", "svg")


def formed(path: Path, caption: str, forms: tuple[str, ...] = FORMS) -> Files:
    """`path` in every form; the report shows the first."""
    return {path.with_suffix(f".{form}"): caption if form == forms[0] else None for form in forms}


def nearest(found: list[Run], scale: float) -> Run | None:
    """The run with the `to` scale nearest to `scale`; of several, the first in the plan.

    None if there is none.
    """
    return min(found, key=lambda run: abs(run.to_scale - scale), default=None)


def pictured_case(context: Context, scale: float) -> Run | None:
    """The run of Figure 6: fixed LZU, beside uniform at its scale, the nearest one to `scale`; None
    if there is none."""
    planned = context.main_runs
    return nearest([r for r in planned if r.method == "lzu_fixed" and r.baseline in planned], scale)


def require_case(context: Context, run: Run, count: int, least: int) -> None:
    """Raise UserError unless a run can be compared with uniform, image by image."""
    if min(count, least) < 1:
        raise UserError("--count and --least: at least 1 is needed")
    if run.options or run.method == BASELINE.name:
        raise UserError("cases compare a method with uniform on the validation set: no --option")
    if run.baseline not in context.runs:
        raise UserError(
            f"the suite does not plan {run.baseline.path}, to compare {run.method} with; add "
            "the scale and seed to uniform's"
        )


def fwhm_of(context: Context) -> float:
    """The width of the kernel of the fixed prior's warp."""
    return float(context.settings.prior.fwhm)


def prior_picture(caption: str) -> Picture:
    """The fixed prior and its warp."""

    def files(context: Context) -> Files:
        spec = context.main_prior
        return formed(context.paths.prior_picture(spec), caption, ("png", "json")) if spec else {}

    return Picture("draw-prior", "Priors", files, params=fwhm_of, prior=True)


def frame_picture(zoom: str, data: str) -> Picture:
    """A frame zoomed and unzoomed, and the training data; `zoom` and `data` are their captions."""

    def files(context: Context) -> Files:
        if context.main_prior is None:
            return {}
        return {context.paths.zoom_picture(): zoom, context.paths.data_picture(): data}

    return Picture("picture", "Figures", files, params=fwhm_of, prior=True)


def case_picture(scale: float, caption: str) -> Picture:
    """Figure 6: where fixed LZU gains and loses most at the scale nearest to `scale`."""

    def files(context: Context) -> Files:
        run = pictured_case(context, scale)
        forms = (*FORMS, "csv")
        return formed(context.paths.cases_picture(run), caption, forms) if run else {}

    def runs(context: Context) -> tuple[Run, ...]:
        run = pictured_case(context, scale)
        return () if run is None else (run,)

    def predicted(context: Context) -> tuple[Run, ...]:
        return tuple(one for run in runs(context) for one in (run, run.baseline))

    return Picture("cases", "Figures", files, runs=runs, predicted=predicted, prior=True)
