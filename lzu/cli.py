"""The command line: one verb a step of the workflow, each usable by hand."""

import argparse
import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lzu.errors import UserError
from lzu.usage import REFUSED, count, missing_package, positive, share, whole

if TYPE_CHECKING:
    from lzu.experiments.context import Context
    from lzu.experiments.run import Run

Options = argparse.Namespace


def main(arguments: list[str] | None = None) -> int:
    """Run one verb; a user's mistake is one message and exit status 2."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that lacks a character is no reason to stop.
            stream.reconfigure(errors="replace")
    arguments = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(arguments)
    options.arguments = arguments
    if options.threads:
        # of a job's threads, each process that trains takes its share
        options.threads = max(1, options.threads // getattr(options, "processes", 1))
        _limit_threads(options.threads)
    try:
        options.verb(options)
        sys.stdout.flush()
    except BrokenPipeError:
        # Who reads, as `head`, has enough. Python would complain once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except ModuleNotFoundError as error:
        if (said := missing_package(error)) is None:
            raise
        print(f"lzu: {said}", file=sys.stderr)
        return 2
    except OSError as error:
        if error.errno not in REFUSED:
            raise
        print(f"lzu: {error.filename or 'writing'}: {error.strerror}", file=sys.stderr)
        return 1
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

    def verb(
        name: str, function: Callable[..., None], help: str, *, of_run: bool = False
    ) -> argparse.ArgumentParser:
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
        sub.add_argument("--threads", type=count, help="bound on CPU threads")
        sub.add_argument("--task", help="one of the suite's (default: each, or the only one)")
        if of_run:
            sub.add_argument("--method", required=True)
            sub.add_argument("--from", dest="from_scale", type=positive, default=1.0)
            sub.add_argument("--to", dest="to_scale", type=positive, required=True)
            sub.add_argument("--seed", type=whole, default=0)
            sub.add_argument(
                "--option",
                action="append",
                default=[],
                metavar="NAME=VALUE",
                help="of a run with other values than the suite's, or of the search",
            )
        return sub

    for name, function, help in (
        ("world", _world, "write a split of the suite's synthetic dataset"),
        ("check", _check, "look at everything in a split that training would stumble over"),
        ("prepare", _prepare, "convert a split of the dataset"),
    ):
        sub = verb(name, function, help)
        sub.add_argument("--split", choices=("train", "val"), required=True)
    verb("split", _split, "split the training set in two, as the task does for its models' choice")
    verb("weights", _weights, "fetch and check the weights that runs start from")
    sub = verb("prior", _prior, "make a fixed saliency prior")
    sub.add_argument("--split", default="train", help="of which data (default: train)")
    sub.add_argument("--name", help="of the prior (default: that of the first table's runs)")
    sub = verb("stage", _stage, "train what runs need before them, as ES its sampler")
    sub.add_argument("--name", required=True, help="of what is trained")
    sub.add_argument("--seed", type=whole, default=0)
    verb("draw-prior", _draw_prior, "draw the prior and its warp")
    sub = verb("picture", _picture, "draw a frame zoomed and unzoomed, and the training data")
    sub.add_argument("--to", dest="to_scale", type=positive, default=0.5)
    verb("analysis", _analysis, "measure Eq. 18 and draw the figures of the paper's analysis")
    sub = verb("train", _train, "train a run; goes on where a killed one stopped", of_run=True)
    sub.add_argument("--processes", type=count, default=1, help="GPUs that train together")
    sub.add_argument("--launcher", choices=("none", "pytorch"), default="none")
    verb("predict", _predict, "predict on the validation data", of_run=True)
    sub = verb("cases", _cases, "draw where a run gains and loses most (Figure 6)", of_run=True)
    sub.add_argument("--count", type=whole, help="gains to show, and losses")
    sub.add_argument("--least", type=whole, help="boxes or classes that an image must have")
    sub.add_argument("--score", type=share, help="show detections from it on")
    verb("accuracy-map", _accuracy_map, "draw where methods beat uniform, by place (Figure 11)")
    sub = verb("stream", _stream, "follow a run online through a video", of_run=True)
    sub.add_argument("--sequence", help="sid or name (default: the suite's)")
    sub.add_argument(
        "--frames", type=count, help="at most, from the first on (default: the suite's)"
    )
    sub.add_argument("--score", type=share, help="show detections from it on")
    sub.add_argument("--fps", type=positive, help="of the animated picture")
    sub.add_argument("--out", type=Path, help="an .npz file; a .gif comes beside it")
    verb("score", _score, "score a run's predictions", of_run=True)
    verb("time", _time, "measure the latency of every method and scale, interleaved")
    for name, function, help in (
        ("collect", _collect, "gather all result files of a suite into one table a task"),
        ("tables", _tables, "build the tables"),
        ("figures", _figures, "draw the figures"),
        ("show", _show, "print the main tables and the paths of everything made"),
    ):
        sub = verb(name, function, help)
        sub.add_argument(
            "--mode", choices=("compute", "cached"), help="instead of what the suite file says"
        )
    verb("keep", _keep, "copy finished results to results/measured/ for version control")
    verb("list", _list, "show every planned run and its state: made, kept, stale, missing")
    return parser


def _contexts(options: Options) -> "list[Context]":
    """The chosen task of the suite, or all that it has."""
    from lzu.experiments.context import contexts
    from lzu.experiments.suite import load_suite
    from lzu.tasks import TASKS

    suite = load_suite(options.config, TASKS)
    if getattr(options, "mode", None):
        suite = suite.model_copy(update={"mode": options.mode})
    if options.task is not None:
        suite.block(options.task)
    found = contexts(suite, TASKS, options.results)
    return [context for name, context in found.items() if options.task in (None, name)]


def _context(options: Options) -> "Context":
    """The one task that is meant: the suite's only one, or the only one that trains the method."""
    found = _contexts(options)
    if method := getattr(options, "method", None):
        offering = [context for context in found if method in context.settings.methods]
        found = offering if len(offering) == 1 else found
    if len(found) > 1:
        names = ", ".join(context.task.name for context in found)
        raise UserError(f"--task: the suite has several; choose one of {names}")
    return found[0]


def _run(options: Options) -> "tuple[Context, Run]":
    from lzu.experiments.run import Run, parse_options

    context = _context(options)
    run = Run(
        context.suite.suite,
        context.task.name,
        options.method,
        options.from_scale,
        options.to_scale,
        options.seed,
        parse_options(options.option),
    )
    return context, context.require(run)


def _world(options: Options) -> None:
    context = _context(options)
    context.task.step("write_world")(context, options.split, jobs=options.threads or 1)


def _check(options: Options) -> None:
    context = _context(options)
    context.task.step("check")(context, options.split, jobs=options.threads or 1)


def _prepare(options: Options) -> None:
    context = _context(options)
    context.task.step("prepare")(context, options.split)


def _split(options: Options) -> None:
    context = _context(options)
    context.task.step("split")(context)


def _weights(options: Options) -> None:
    context = _context(options)
    weights = context.settings.model.initial_weights
    if weights is None:
        raise UserError(f"{options.config}: {context.task.name}.model.initial_weights is not set")
    from lzu.engine.weights import fetch

    fetch(weights, context.paths.weights(weights))


def _prior(options: Options) -> None:
    context = _context(options)
    spec = _main_prior(context)
    if options.name is not None:
        spec = context.find_prior(options.split, options.name)
    from lzu.engine.prior import make_prior

    make_prior(context, spec)


def _stage(options: Options) -> None:
    from lzu.engine.devices import gpus_for

    context = _context(options)
    spec = context.find_stage(options.name, options.seed)
    with gpus_for(1):
        from lzu.engine.stage import train_stage

        train_stage(context, spec)


def _main_prior(context: "Context") -> Any:
    if context.main_prior is None:
        raise UserError(f"{context.task.name}: no planned run zooms by a prior")
    return context.main_prior


def _draw_prior(options: Options) -> None:
    context = _context(options)
    spec = _main_prior(context)
    from lzu.engine.prior import draw_prior
    from lzu.results.prior import load_prior

    prior = load_prior(context.paths.prior(spec))
    draw_prior(prior, spec.settings.fwhm, context.paths.prior_picture(spec))


def _picture(options: Options) -> None:
    context = _context(options)
    spec = _main_prior(context)
    from lzu.engine.pictures import draw_zoom

    context.task.step("draw_data")(context, context.paths.data_picture())
    draw_zoom(context, spec, options.to_scale, context.paths.zoom_picture())


def _analysis(options: Options) -> None:
    context = _context(options)
    spec = _main_prior(context)
    from lzu.engine.analysis import analyse

    analyse(context, spec)


def _train(options: Options) -> None:
    from lzu.engine.devices import gpus_for, train_together

    context, run = _run(options)
    from lzu.results.stamps import is_trained, stamp

    if options.launcher == "none" and is_trained(context, run):
        print(f"{run.path}: trained already, of the same settings and data", file=sys.stderr)
        return
    with gpus_for(options.processes, options.launcher):
        from lzu.engine.session import training_session
        from lzu.engine.train import train, training_folder

        if options.launcher != "none":
            train(context, run, workers=_loaders(options), launcher=options.launcher)
            return
        with training_session(training_folder(context, run), stamp(context, run)):
            if options.processes > 1:
                train_together(options.processes, options.arguments)
            else:
                train(context, run, workers=_loaders(options))


def _predict(options: Options) -> None:
    from lzu.engine.devices import gpus_for

    context, run = _run(options)
    from lzu.results.predictions import is_predicted

    if is_predicted(context, run):
        print(f"{run.path}: predicted already, of the same weights and data", file=sys.stderr)
        return
    with gpus_for(1):
        from lzu.engine.predict import predict

        predict(context, run, workers=_loaders(options))


def _cases(options: Options) -> None:
    from lzu.engine.devices import gpus_for

    context, run = _run(options)
    with gpus_for(1):
        chosen = _given(count=options.count, least=options.least, score=options.score)
        context.task.step("cases")(context, run, **chosen)


def _accuracy_map(options: Options) -> None:
    from lzu.engine.devices import gpus_for

    context = _context(options)
    with gpus_for(1):
        context.task.step("accuracy_map")(context)


def _stream(options: Options) -> None:
    from lzu.engine.devices import gpus_for

    context, run = _run(options)
    settings = context.settings.stream
    sequence = settings.sequence if options.sequence is None else options.sequence
    with gpus_for(1):
        context.task.step("stream")(
            context,
            run,
            sequence=sequence,
            frames=settings.frames if options.frames is None else options.frames,
            out=context.paths.stream(run, sequence) if options.out is None else options.out,
            workers=_loaders(options),
            **_given(picture_score=options.score, fps=options.fps),
        )


def _given(**options: Any) -> dict[str, Any]:
    """The options that the user gave.

    The defaults of the others stay with what takes them, whose imports `--threads` must precede.
    """
    return {name: value for name, value in options.items() if value is not None}


def _loaders(options: Options) -> int:
    """Processes that load images: beside a GPU every thread but one; on a CPU none, which would
    take the network's own cores."""
    import torch

    return max(0, (options.threads or 1) - 1) if torch.cuda.is_available() else 0


def _score(options: Options) -> None:
    from lzu.engine.score import score

    score(*_run(options))


def _time(options: Options) -> None:
    from lzu.engine.devices import gpus_for

    context = _context(options)
    with gpus_for(1):
        from lzu.engine.time import time_task

        time_task(context)


def _collect(options: Options) -> None:
    from lzu.report.make import collect_task

    for context in _contexts(options):
        collect_task(context)


def _tables(options: Options) -> None:
    from lzu.report.make import make_tables

    for context in _contexts(options):
        make_tables(context)


def _figures(options: Options) -> None:
    from lzu.report.make import make_figures

    for context in _contexts(options):
        make_figures(context)


def _show(options: Options) -> None:
    from lzu.report.make import show

    show(_contexts(options))


def _keep(options: Options) -> None:
    from lzu.results.keep import keep

    for context in _contexts(options):
        done = keep(context)
        print(
            f"{context.task.name}: kept {done.copied} files in {context.paths.suite.measured}; "
            f"removed {done.removed} of earlier ones"
        )


def _list(options: Options) -> None:
    from lzu.results.states import print_states

    for context in _contexts(options):
        print_states(context)


if __name__ == "__main__":
    sys.exit(main())
