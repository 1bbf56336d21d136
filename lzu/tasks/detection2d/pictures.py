"""The pictures of 2-D detection that a suite makes, and of which runs."""

from pathlib import Path

from lzu.experiments.context import Context
from lzu.experiments.pictured import (
    case_picture,
    formed,
    frame_picture,
    fwhm_of,
    nearest,
    prior_picture,
)
from lzu.experiments.run import Run
from lzu.experiments.task import Files, Picture

USUAL_SCALE = 0.5
"""Where the paper chose its saliency (A.6); of a suite's scales the nearest one is pictured."""


def pictured_stream(context: Context) -> Run | None:
    """The run whose warp is shown following traffic; None if no method is adaptive."""
    following = [run for run in context.main_runs if run.about.follows_frames]
    first = following[0].method if following else None
    return nearest([run for run in following if run.method == first], USUAL_SCALE)


def _analysis_files(context: Context) -> Files:
    if context.main_prior is None:
        return {}
    files: dict[Path, str | None] = {context.paths.level_error: None}
    for path in context.paths.analysis_figures():
        files |= formed(path, path.name.partition("_")[0])
    return files


def _stream_files(context: Context) -> Files:
    run, sequence = pictured_stream(context), context.settings.stream.sequence
    return formed(context.paths.stream(run, sequence), "stream", ("gif", "npz")) if run else {}


def _stream_run(context: Context) -> tuple[Run, ...]:
    run = pictured_stream(context)
    return () if run is None else (run,)


PICTURES = (
    prior_picture("prior"),
    frame_picture("zoom", "boxes"),
    Picture("analysis", "Analysis", _analysis_files, params=fwhm_of, prior=True),
    case_picture(USUAL_SCALE, "figure6"),
    Picture(
        "stream",
        "Figures",
        _stream_files,
        runs=_stream_run,
        params=lambda context: context.settings.stream.model_dump(mode="json"),
    ),
)
