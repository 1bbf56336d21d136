"""What each verb does.

Its imports wait for it: threads are bounded before numpy, OpenCV and torch are imported.
"""

import argparse
import sys
from typing import TYPE_CHECKING, Any

from lzu.errors import UserError

if TYPE_CHECKING:
    from lzu.experiments.context import Context
    from lzu.experiments.run import Run

Options = argparse.Namespace


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


def world(options: Options) -> None:
    context = _context(options)
    context.task.step("write_world")(context, options.split, jobs=options.threads or 1)


def check(options: Options) -> None:
    context = _context(options)
    context.task.step("check")(context, options.split, jobs=options.threads or 1)


def prepare(options: Options) -> None:
    context = _context(options)
    context.task.step("prepare")(context, options.split)


def split(options: Options) -> None:
    context = _context(options)
    context.task.step("split")(context)


def weights(options: Options) -> None:
    context = _context(options)
    weights = context.settings.model.initial_weights
    if weights is None:
        raise UserError(f"{options.config}: {context.task.name}.model.initial_weights is not set")
    from lzu.engine.weights import fetch

    fetch(weights, context.paths.weights(weights))


def prior(options: Options) -> None:
    context = _context(options)
    spec = _main_prior(context)
    if options.name is not None:
        spec = context.find_prior(options.split, options.name)
    from lzu.engine.prior import import_prior, make_prior

    if options.file is None:
        make_prior(context, spec)
        return
    import_prior(context, spec, options.file)
    print(
        f"{context.paths.prior(spec)}: has the map in {options.file} until "
        f"{context.paths.imported_prior(spec)} is removed"
    )


def stage(options: Options) -> None:
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


def draw_prior(options: Options) -> None:
    context = _context(options)
    spec = _main_prior(context)
    from lzu.engine.prior import draw_prior
    from lzu.results.prior import load_prior

    prior = load_prior(context.paths.prior(spec))
    draw_prior(prior, spec.settings.fwhm, context.paths.prior_picture(spec))


def picture(options: Options) -> None:
    context = _context(options)
    spec = _main_prior(context)
    from lzu.engine.pictures import draw_zoom

    context.task.step("draw_data")(context, context.paths.data_picture())
    draw_zoom(context, spec, options.to_scale, context.paths.zoom_picture())


def analysis(options: Options) -> None:
    context = _context(options)
    spec = _main_prior(context)
    from lzu.engine.analysis import analyse

    analyse(context, spec)


def train(options: Options) -> None:
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


def predict(options: Options) -> None:
    from lzu.engine.devices import gpus_for

    context, run = _run(options)
    from lzu.results.predictions import is_predicted

    if is_predicted(context, run):
        print(f"{run.path}: predicted already, of the same weights and data", file=sys.stderr)
        return
    with gpus_for(1):
        from lzu.engine.predict import predict

        predict(context, run, workers=_loaders(options))


def cases(options: Options) -> None:
    from lzu.engine.devices import gpus_for

    context, run = _run(options)
    with gpus_for(1):
        chosen = _given(count=options.count, least=options.least, score=options.score)
        context.task.step("cases")(context, run, **chosen)


def accuracy_map(options: Options) -> None:
    from lzu.engine.devices import gpus_for

    context = _context(options)
    with gpus_for(1):
        context.task.step("accuracy_map")(context)


def stream(options: Options) -> None:
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


def score(options: Options) -> None:
    from lzu.engine.score import score

    score(*_run(options))


def time(options: Options) -> None:
    from lzu.engine.devices import gpus_for

    context = _context(options)
    with gpus_for(1):
        from lzu.engine.time import time_task

        time_task(context)


def collect(options: Options) -> None:
    from lzu.report.make import collect_task

    for context in _contexts(options):
        collect_task(context)


def tables(options: Options) -> None:
    from lzu.report.make import make_tables

    for context in _contexts(options):
        make_tables(context)


def figures(options: Options) -> None:
    from lzu.report.make import make_figures

    for context in _contexts(options):
        make_figures(context)


def show(options: Options) -> None:
    from lzu.report.make import show

    show(_contexts(options))


def keep(options: Options) -> None:
    from lzu.results.keep import keep

    for context in _contexts(options):
        done = keep(context)
        print(
            f"{context.task.name}: kept {done.copied} files in {context.paths.suite.measured}; "
            f"removed {done.removed} of earlier ones"
        )


def list_runs(options: Options) -> None:
    from lzu.results.states import print_states

    for context in _contexts(options):
        print_states(context)
