"""The pictures of 2-D detection that a suite makes, and of which runs."""

from pathlib import Path

from lzu.experiments.context import Context
from lzu.experiments.run import Run
from lzu.experiments.task import Files, Picture

USUAL_SCALE = 0.5
"""Where the paper chose its saliency (A.6); of a suite's scales the nearest one is pictured."""
FORMS = ("png", "pdf", "svg")


def _usual(found: list[Run]) -> Run | None:
    """The run nearest to the usual scale (of two, the first), of the first seed planned."""
    return min(found, key=lambda run: abs(run.to_scale - USUAL_SCALE), default=None)


def pictured_case(context: Context) -> Run | None:
    """The run of Figure 6: fixed LZU, beside uniform at its scale; None if there is none."""
    planned = context.main_runs
    return _usual([r for r in planned if r.method == "lzu_fixed" and r.baseline in planned])


def pictured_stream(context: Context) -> Run | None:
    """The run whose warp is shown following traffic; None if no method is adaptive."""
    following = [run for run in context.main_runs if run.about.follows_frames]
    first = following[0].method if following else None
    return _usual([run for run in following if run.method == first])


def _formed(path: Path, caption: str, forms: tuple[str, ...] = FORMS) -> Files:
    """`path` in every form; the report shows the first."""
    return {path.with_suffix(f".{form}"): caption if form == forms[0] else None for form in forms}


def _prior_files(context: Context) -> Files:
    spec = context.main_prior
    return _formed(context.paths.prior_picture(spec), "prior", ("png", "json")) if spec else {}


def _frame_files(context: Context) -> Files:
    if context.main_prior is None:
        return {}
    return {context.paths.zoom_picture(): "zoom", context.paths.data_picture(): "boxes"}


def _analysis_files(context: Context) -> Files:
    if context.main_prior is None:
        return {}
    files: dict[Path, str | None] = {context.paths.level_error: None}
    for path in context.paths.analysis_figures():
        files |= _formed(path, path.name.partition("_")[0])
    return files


def _case_files(context: Context) -> Files:
    run = pictured_case(context)
    forms = (*FORMS, "csv")
    return _formed(context.paths.cases_picture(run), "figure6", forms) if run else {}


def _stream_files(context: Context) -> Files:
    run, sequence = pictured_stream(context), context.settings.stream.sequence
    return _formed(context.paths.stream(run, sequence), "stream", ("gif", "npz")) if run else {}


def _case_run(context: Context) -> tuple[Run, ...]:
    run = pictured_case(context)
    return () if run is None else (run,)


def _case_runs(context: Context) -> tuple[Run, ...]:
    return tuple(one for run in _case_run(context) for one in (run, run.baseline))


def _stream_run(context: Context) -> tuple[Run, ...]:
    run = pictured_stream(context)
    return () if run is None else (run,)


def _fwhm(context: Context) -> float:
    return float(context.settings.prior.fwhm)


PICTURES = (
    Picture("draw-prior", "Priors", _prior_files, params=_fwhm, prior=True),
    Picture("picture", "Figures", _frame_files, params=_fwhm, prior=True),
    Picture("analysis", "Analysis", _analysis_files, params=_fwhm, prior=True),
    Picture("cases", "Figures", _case_files, runs=_case_run, predicted=_case_runs, prior=True),
    Picture(
        "stream",
        "Figures",
        _stream_files,
        runs=_stream_run,
        params=lambda context: context.settings.stream.model_dump(mode="json"),
    ),
)
