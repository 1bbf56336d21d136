"""What the command line takes: the verbs and their options."""

import argparse
import os
from collections.abc import Callable
from pathlib import Path

from lzu.cli import verbs
from lzu.cli.values import count, positive, share, whole


def make_parser() -> argparse.ArgumentParser:
    """The parser of all verbs: `verb` among what it finds is the function to call."""
    found = argparse.ArgumentParser(
        prog="lzu", description="One verb a step of the workflow, each usable by hand."
    )
    steps = found.add_subparsers(required=True, metavar="VERB")

    def verb(
        name: str, function: Callable[..., None], help: str, *, of_run: bool = False
    ) -> argparse.ArgumentParser:
        sub = steps.add_parser(name, help=help, description=help)
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
        ("world", verbs.world, "write a split of the suite's synthetic dataset"),
        ("check", verbs.check, "look at everything in a split that training would stumble over"),
        ("prepare", verbs.prepare, "convert a split of the dataset"),
    ):
        sub = verb(name, function, help)
        sub.add_argument("--split", choices=("train", "val"), required=True)
    verb(
        "split",
        verbs.split,
        "split the training set in two, as the task does for its models' choice",
    )
    verb("weights", verbs.weights, "fetch and check the weights that runs start from")
    sub = verb("prior", verbs.prior, "make a fixed saliency prior")
    sub.add_argument("--split", default="train", help="of which data (default: train)")
    sub.add_argument("--name", help="of the prior (default: that of the first table's runs)")
    sub.add_argument(
        "--import",
        dest="file",
        type=Path,
        metavar="FILE",
        help="take the saliency map in FILE (.npy, or a pickle of an array) in its place",
    )
    sub = verb("stage", verbs.stage, "train what runs need before them, as ES its sampler")
    sub.add_argument("--name", required=True, help="of what is trained")
    sub.add_argument("--seed", type=whole, default=0)
    verb("draw-prior", verbs.draw_prior, "draw the prior and its warp")
    sub = verb("picture", verbs.picture, "draw a frame zoomed and unzoomed, and the training data")
    sub.add_argument("--to", dest="to_scale", type=positive, default=0.5)
    verb("analysis", verbs.analysis, "measure Eq. 18 and draw the figures of the paper's analysis")
    sub = verb("train", verbs.train, "train a run; goes on where a killed one stopped", of_run=True)
    sub.add_argument("--processes", type=count, default=1, help="GPUs that train together")
    sub.add_argument("--launcher", choices=("none", "pytorch"), default="none")
    verb("predict", verbs.predict, "predict on the validation data", of_run=True)
    sub = verb(
        "cases", verbs.cases, "draw where a run gains and loses most (Figure 6)", of_run=True
    )
    sub.add_argument("--count", type=whole, help="gains to show, and losses")
    sub.add_argument("--least", type=whole, help="boxes or classes that an image must have")
    sub.add_argument("--score", type=share, help="show detections from it on")
    verb(
        "accuracy-map", verbs.accuracy_map, "draw where methods beat uniform, by place (Figure 11)"
    )
    sub = verb("stream", verbs.stream, "follow a run online through a video", of_run=True)
    sub.add_argument("--sequence", help="sid or name (default: the suite's)")
    sub.add_argument(
        "--frames", type=count, help="at most, from the first on (default: the suite's)"
    )
    sub.add_argument("--score", type=share, help="show detections from it on")
    sub.add_argument("--fps", type=positive, help="of the animated picture")
    sub.add_argument("--out", type=Path, help="an .npz file; a .gif comes beside it")
    verb("score", verbs.score, "score a run's predictions", of_run=True)
    verb("time", verbs.time, "measure the latency of every method and scale, interleaved")
    for name, function, help in (
        ("collect", verbs.collect, "gather all result files of a suite into one table a task"),
        ("tables", verbs.tables, "build the tables"),
        ("figures", verbs.figures, "draw the figures"),
        ("show", verbs.show, "print the main tables and the paths of everything made"),
    ):
        sub = verb(name, function, help)
        sub.add_argument(
            "--mode", choices=("compute", "cached"), help="instead of what the suite file says"
        )
    verb("keep", verbs.keep, "copy finished results to results/measured/ for version control")
    verb(
        "list", verbs.list_runs, "show every planned run and its state: made, kept, stale, missing"
    )
    return found
