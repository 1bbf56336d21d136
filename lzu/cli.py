"""The command line: one verb a step of the workflow, each usable by hand."""

import argparse
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lzu.errors import UserError

if TYPE_CHECKING:
    from lzu.experiments.config import Search, Suite
    from lzu.experiments.paths import Paths
    from lzu.experiments.run import Run


def main(arguments: list[str] | None = None) -> int:
    """Run one verb; a user's mistake is one message and exit status 2."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(arguments)
    options.arguments = arguments
    if options.threads:
        # of a job's threads, each process that trains takes its share
        options.threads = max(1, options.threads // getattr(options, "processes", 1))
        _limit_threads(options.threads)
    try:
        options.verb(options)
    except UserError as error:
        print(f"lzu: {error}", file=sys.stderr)
        return 2
    except subprocess.CalledProcessError as error:
        print(f"lzu: {error}; its own message is above", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("lzu: interrupted", file=sys.stderr)
        return 130
    return 0


def _limit_threads(threads: int) -> None:
    """Bound every pool of threads; it must come before numpy, OpenCV and torch are imported."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(threads)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lzu", description=__doc__)
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    def verb(name: str, function, help: str, *, of_run: bool = False) -> argparse.ArgumentParser:
        sub = verbs.add_parser(name, help=help, description=help)
        sub.set_defaults(verb=function)
        default = os.environ.get("LZU_CONFIG")
        sub.add_argument(
            "--config",
            type=Path,
            default=default,
            required=default is None,
            help="suite file, YAML or JSON (default: the environment's LZU_CONFIG)",
        )
        sub.add_argument("--results", type=Path, default=Path("results"), help="results folder")
        sub.add_argument("--threads", type=int, help="bound on CPU threads")
        if of_run:
            sub.add_argument("--task", default="detection2d")
            sub.add_argument("--method", required=True)
            sub.add_argument("--from", dest="from_scale", type=float, default=1.0)
            sub.add_argument("--to", dest="to_scale", type=float, required=True)
            sub.add_argument("--seed", type=int, default=0)
            sub.add_argument(
                "--option",
                action="append",
                default=[],
                metavar="NAME=VALUE",
                help="of a run of the search: split, amplitude, fwhm",
            )
        return sub

    verb("world", _world, "write the synthetic dataset of a suite")
    sub = verb("prepare", _prepare, "check a split of the dataset and write its COCO file")
    sub.add_argument("--split", choices=("train", "val"), required=True)
    verb("weights", _weights, "fetch and check the weights that runs start from")
    verb("prior", _prior, "make the fixed saliency prior and its picture")
    verb("split", _split, "split the training set in two by sequence, for the search")
    verb("search-priors", _search_priors, "make the priors of the search, all amplitudes at once")
    sub = verb("picture", _picture, "draw a frame zoomed and unzoomed, and the boxes' sizes")
    sub.add_argument("--to", dest="to_scale", type=float, default=0.5)
    verb("analysis", _analysis, "measure Eq. 18 and draw the figures of the paper's analysis")
    sub = verb("train", _train, "train a run; goes on where a killed one stopped", of_run=True)
    sub.add_argument("--processes", type=int, default=1, help="GPUs that train together")
    sub.add_argument("--launcher", choices=("none", "pytorch"), default="none")
    verb("predict", _predict, "detect on the validation images", of_run=True)
    sub = verb("cases", _cases, "draw where a run gains and loses most (Figure 6)", of_run=True)
    sub.add_argument("--count", type=int, help="gains to show, and losses")
    sub.add_argument("--least-boxes", type=int, help="that an image must have")
    sub.add_argument("--score", type=float, help="show detections from it on")
    sub = verb("stream", _stream, "follow a run online through a video", of_run=True)
    sub.add_argument("--sequence", help="sid or name (default: the suite's)")
    sub.add_argument("--frames", type=int, help="at most, from the first on (default: the suite's)")
    sub.add_argument("--score", type=float, help="show detections from it on")
    sub.add_argument("--fps", type=float, help="of the animated picture")
    sub.add_argument("--out", type=Path, help="an .npz file; a .gif comes beside it")
    verb("score", _score, "score a run's predictions", of_run=True)
    verb("time", _time, "measure the latency of every method and scale, interleaved")
    for name, function, help in (
        ("collect", _collect, "gather all result files of a suite into one table"),
        ("tables", _tables, "build the tables"),
        ("figures", _figures, "draw the figures"),
        ("show", _show, "print Table 1 and the paths of everything made"),
    ):
        sub = verb(name, function, help)
        sub.add_argument(
            "--mode", choices=("compute", "cached"), help="instead of what the suite file says"
        )
    verb("keep", _keep, "copy a suite's result files to results/measured/ for version control")
    return parser


def _suite(options: argparse.Namespace) -> "tuple[Suite, Paths]":
    from lzu.experiments.config import load_suite
    from lzu.experiments.paths import Paths

    suite = load_suite(options.config)
    if getattr(options, "mode", None):
        suite = suite.model_copy(update={"mode": options.mode})
    return suite, Paths(suite, options.results)


def _run(options: argparse.Namespace) -> "tuple[Suite, Paths, Run]":
    from lzu.experiments.plan import evaluated_runs
    from lzu.experiments.run import Run, parse_options

    suite, paths = _suite(options)
    run = Run(
        suite.suite,
        options.task,
        options.method,
        options.from_scale,
        options.to_scale,
        options.seed,
        parse_options(options.option),
    )
    if run not in evaluated_runs(suite):
        raise UserError(
            f"{options.config}: the suite does not plan {run.path}; add its method, scale, "
            "options and seed there"
        )
    return suite, paths, run


def _world(options: argparse.Namespace) -> None:
    from lzu.tasks.detection2d.data import write_world

    write_world(*_suite(options), jobs=options.threads or 1)


def _prepare(options: argparse.Namespace) -> None:
    from lzu.tasks.detection2d.data import prepare_split

    prepare_split(*_suite(options), options.split, jobs=options.threads or 1)


def _weights(options: argparse.Namespace) -> None:
    from lzu.engine.weights import fetch

    suite, paths = _suite(options)
    weights = suite.detection2d.model.initial_weights
    if weights is None:
        raise UserError(f"{options.config}: detection2d.model.initial_weights is not set")
    fetch(weights, paths.weights(weights))


def _prior(options: argparse.Namespace) -> None:
    from lzu.engine.prior import draw_prior, make_prior

    suite, paths = _suite(options)
    settings = suite.detection2d.prior
    out = paths.prior(settings)
    prior = make_prior(paths.annotations("train"), settings, out)
    picture = paths.prior_picture(settings)
    draw_prior(prior, settings.fwhm, picture, picture.with_suffix(".json"))


def _split(options: argparse.Namespace) -> None:
    from lzu.datasets.argoverse_hd.split import write_split

    suite, paths = _suite(options)
    search = _search(suite, options)
    write_split(
        paths.annotations("train"),
        paths.annotations("search_train"),
        paths.annotations("search_val"),
        paths.search_split,
        share=search.validation_share,
        seed=search.split_seed,
    )


def _search_priors(options: argparse.Namespace) -> None:
    from lzu.engine.prior import make_priors
    from lzu.experiments.plan import search_priors

    suite, paths = _suite(options)
    _search(suite, options)
    outs = {paths.prior(settings, "search_train"): settings for settings in search_priors(suite)}
    if not outs:
        raise UserError(f"{options.config}: no run of detection2d.search zooms by a prior")
    make_priors(paths.annotations("search_train"), outs)


def _search(suite: "Suite", options: argparse.Namespace) -> "Search":
    if suite.detection2d.search is None:
        raise UserError(f"{options.config}: detection2d.search is not set")
    return suite.detection2d.search


def _picture(options: argparse.Namespace) -> None:
    from lzu.engine.pictures import draw_zoom
    from lzu.files import read_json
    from lzu.report.pictures.boxes import plot_box_statistics

    suite, paths = _suite(options)
    boxes = read_json(paths.annotations("train"))
    plot_box_statistics(boxes, paths.figures, paths.box_statistics.stem, forms=("png",))
    draw_zoom(suite, paths, options.to_scale, paths.zoom_picture)


def _analysis(options: argparse.Namespace) -> None:
    from lzu.engine.analysis import analyse

    analyse(*_suite(options))


def _train(options: argparse.Namespace) -> None:
    from lzu.engine.devices import gpus_for, train_together

    suite, paths, run = _run(options)
    with gpus_for(options.processes, options.launcher):
        from lzu.engine.session import training_session
        from lzu.engine.train import train, training_folder
        from lzu.tasks.detection2d.build import run_stamp

        if options.launcher != "none":
            train(suite, run, paths, workers=_loaders(options), launcher=options.launcher)
            return
        with training_session(training_folder(run, paths), run_stamp(suite, run, paths)):
            if options.processes > 1:
                train_together(options.processes, options.arguments)
            else:
                train(suite, run, paths, workers=_loaders(options))


def _predict(options: argparse.Namespace) -> None:
    from lzu.engine.devices import gpus_for

    suite, paths, run = _run(options)
    with gpus_for(1):
        from lzu.tasks.detection2d.predict import predict

        predict(suite, run, paths, workers=_loaders(options))


def _cases(options: argparse.Namespace) -> None:
    from lzu.engine.devices import gpus_for

    suite, paths, run = _run(options)
    with gpus_for(1):
        from lzu.tasks.detection2d.cases import Choice, draw_cases

        chosen = _given(count=options.count, least_boxes=options.least_boxes, score=options.score)
        draw_cases(suite, run, paths, Choice(**chosen))


def _stream(options: argparse.Namespace) -> None:
    from lzu.engine.devices import gpus_for

    suite, paths, run = _run(options)
    settings = suite.detection2d.stream
    sequence = settings.sequence if options.sequence is None else options.sequence
    with gpus_for(1):
        from lzu.tasks.detection2d.streaming import stream

        stream(
            suite,
            run,
            paths,
            sequence=sequence,
            frames=settings.frames if options.frames is None else options.frames,
            out=paths.stream(run, sequence) if options.out is None else options.out,
            workers=_loaders(options),
            **_given(picture_score=options.score, fps=options.fps),
        )


def _given(**options: Any) -> dict[str, Any]:
    """The options that the user gave.

    The defaults of the others stay with what takes them, whose imports `--threads` must precede.
    """
    return {name: value for name, value in options.items() if value is not None}


def _loaders(options: argparse.Namespace) -> int:
    """Processes that load images: beside a GPU every thread but one; on a CPU none, which would
    take the network's own cores."""
    import torch

    return max(0, (options.threads or 1) - 1) if torch.cuda.is_available() else 0


def _score(options: argparse.Namespace) -> None:
    from lzu.tasks.detection2d.score import score

    _, paths, run = _run(options)
    score(run, paths)


def _time(options: argparse.Namespace) -> None:
    from lzu.engine.devices import gpus_for

    with gpus_for(1):
        from lzu.engine.time import time_suite

        time_suite(*_suite(options))


def _collect(options: argparse.Namespace) -> None:
    from lzu.report.suite import collect_suite

    collect_suite(*_suite(options))


def _tables(options: argparse.Namespace) -> None:
    from lzu.report.suite import make_tables

    make_tables(*_suite(options))


def _figures(options: argparse.Namespace) -> None:
    from lzu.report.suite import make_figures

    make_figures(*_suite(options))


def _show(options: argparse.Namespace) -> None:
    from lzu.report.suite import show

    show(*_suite(options))


def _keep(options: argparse.Namespace) -> None:
    from lzu.report.suite import keep

    keep(*_suite(options))


if __name__ == "__main__":
    sys.exit(main())
