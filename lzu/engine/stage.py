"""Training what runs need before them: the step of a `StageSpec`, its checkpoint and its record."""

from datetime import UTC, datetime

import torch

from lzu.engine.build import enter_scope
from lzu.experiments.context import Context
from lzu.experiments.task import StageSpec
from lzu.files import write_atomic, write_json
from lzu.results.provenance import collect_provenance
from lzu.results.stamps import fingerprint, stage_record


def train_stage(context: Context, spec: StageSpec) -> None:
    """Write the checkpoint of a stage, and beside it what is known of its training.

    The task's step of that name is given the context and the spec, and returns the parameters and
    what it has to say of the training, as JSON holds it.
    """
    started = datetime.now(UTC)
    enter_scope(context)
    state, told = context.task.step(spec.stage)(context, spec)
    path, record = context.paths.stage(spec), stage_record(context, spec)
    # A kill between the two must not leave an older record beside these weights.
    record.unlink(missing_ok=True)
    with write_atomic(path) as temporary:
        torch.save({"state_dict": {k: v.cpu() for k, v in state.items()}}, temporary)
    write_json(
        record,
        {
            "stage": spec.stage,
            "settings": spec.settings.model_dump(mode="json"),
            "seed": spec.seed,
            "trained_on": {"split": spec.split, "fingerprint": fingerprint(context, spec.split)},
            **told,
            "provenance": collect_provenance(started, context.suite.machine_name),
        },
    )
