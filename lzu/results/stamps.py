"""The stamp of a run: one hash of all that its weights depend on, files included."""

import zipfile
from collections.abc import Mapping
from pathlib import Path

from lzu.errors import UserError
from lzu.experiments.context import Context
from lzu.experiments.identity import digest, timing_identity, training_identity
from lzu.experiments.run import Run
from lzu.experiments.task import StageSpec
from lzu.files import read_json
from lzu.results.prior import load_prior

CHECKPOINT = "checkpoint.pth"
RECORD = "train.json"


def fingerprint(context: Context, split: str) -> str:
    """The fingerprint of a prepared split; UserError if it is not prepared."""
    return str(read_json(context.paths.about(split))["fingerprint"])


def trained_on(context: Context, run: Run) -> dict[str, str | None]:
    """What the run's weights depend on beside the settings: hashes of its training `data` and of
    its prior's `saliency` (None without a prior).

    Raises UserError if the data or the prior are not there.
    """
    spec = context.prior_of(run)
    saliency = None
    if spec is not None:
        saliency = load_prior(context.paths.prior(spec)).digest
    return {"data": fingerprint(context, context.trains_on(run)), "saliency": saliency}


def stamp_of(context: Context, run: Run, trained_on: Mapping[str, str | None]) -> str:
    """The stamp of a run with the suite's settings, trained on that data with that prior.

    So whoever has a result file, which tells both, can say whether it is of the suite's settings,
    without the data.
    """
    return digest({**training_identity(context, run), **trained_on})


def stamp(context: Context, run: Run) -> str:
    """A hash of the run's training identity, its training data and its prior.

    A run shares it with the one of which it evaluates the weights.

    Raises UserError if the data or the prior are not there.
    """
    return stamp_of(context, run, trained_on(context, run))


def timing_stamp(context: Context, run: Run) -> str:
    """A hash of the settings that the latency of a run's method depends on, at its scales."""
    return digest(timing_identity(context, run))


def stage_record(context: Context, spec: StageSpec) -> Path:
    """What is known of the training of a stage."""
    return context.paths.stage(spec).with_suffix(".json")


def is_trained(context: Context, run: Run) -> bool:
    """Whether the run's weights are there, of the settings, data and prior that the suite has now.

    Then there is nothing to train: a file that was rewritten, but is equal, changes no weights. A
    damaged checkpoint is none.
    """
    record = context.paths.run(run, RECORD)
    if not record.is_file():
        return False
    try:
        same = bool(read_json(record)["stamp"] == stamp(context, run))
    except (UserError, KeyError, TypeError):
        return False
    return same and _is_intact(context.paths.run(run, CHECKPOINT))


def _is_intact(checkpoint: Path) -> bool:
    """Whether the archive that a checkpoint is has all its parts, unaltered; without torch."""
    try:
        with zipfile.ZipFile(checkpoint) as archive:
            return archive.testzip() is None
    except (OSError, zipfile.BadZipFile):
        return False
