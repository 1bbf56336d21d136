"""What a run's trained weights depend on: they are made again when it changes, and only then."""

import hashlib
import json
from typing import Any

from pydantic import BaseModel

from lzu.experiments.context import Context
from lzu.experiments.methods import METHODS
from lzu.experiments.run import Run
from lzu.experiments.settings import Strict, with_options

# Of every task's block: what bears on no weights, or is looked at run by run below.
SHARED = ("methods", "seeds", "timing", "prior")


def digest(value: Any) -> str:
    """16 hexadecimal digits that identify a JSON-able value, whatever the order of its keys.

    Raises:
        TypeError, ValueError: for what JSON cannot hold, NaN and infinity among it.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:16]


def training_identity(context: Context, run: Run) -> dict[str, Any]:
    """Everything in the suite that the weights of `run` depend on; of which it is `trained`.

    A change here makes a run stale; timing rounds, mode, other methods' settings and the like are
    left out on purpose. So is where the data lies and how it is checked: its content counts, by
    its fingerprint (see `lzu.results.stamps`). Settings that have their default are left out too,
    so that a new one, whose default is what was done before, makes nothing stale; in turn a default
    must never change its value (a test holds them).
    """
    task, settings = context.task, context.settings
    left_out = {*SHARED, *task.not_trained, *_method_blocks(settings)}
    block = said(settings, left_out)
    dataset = block.pop("dataset", {})
    for key in ("image_check", "tolerate", "root"):
        dataset.pop(key, None)
    dataset["synthetic"] = settings.dataset.world_of("train")
    schedule = block.get("schedule", {})
    schedule.pop("checkpoint_every", None)
    if schedule.pop("iterations", None) and (own := settings.schedule.iterations_at(run.to_scale)):
        schedule["iterations"] = own
    block.get("model", {}).get("initial_weights", {}).pop("source", None)
    return {
        "run": run.trained.as_dict(),
        "learning_rate": settings.methods[run.method].learning_rate,
        "dataset": dataset,
        **{name: values for name, values in block.items() if values},
        **saliency_identity(context, run),
        **task.identity(settings, run),
    }


def timing_identity(context: Context, run: Run) -> dict[str, Any]:
    """Everything in the suite that the latency of a method at its scales depends on: the model, the
    sizes, the saliency and the warp.

    How and on what the weights were trained is left out: they bear on the number of detections
    alone. The machine, the number of rounds and the like are told in a timing file itself.
    """
    found = training_identity(context, run)
    for key in ("learning_rate", "schedule"):
        found.pop(key, None)
    found["dataset"].pop("synthetic")
    found.get("model", {}).pop("initial_weights", None)
    # not of the scale that it is trained at, nor of a seed
    own = run.as_dict()
    del own["seed"]
    return {**found, "run": own}


def said(block: BaseModel, left_out: set[str] | None = None) -> dict[str, Any]:
    """The settings of a block that do not have their default."""
    values: dict[str, Any] = block.model_dump(mode="json", exclude=left_out, exclude_defaults=True)
    return values


def _method_blocks(settings: BaseModel) -> set[str]:
    named = {method.block for method in METHODS.values() if method.block}
    return named & set(type(settings).model_fields)


def saliency_identity(context: Context, run: Run) -> dict[str, Any]:
    """The settings of a run's saliency and warp, its own options included."""
    method = run.about
    if method.saliency == "none":
        return {}
    found: dict[str, Any] = {"saliency": method.saliency}
    own = own_settings(context, run)
    if own is not None:
        found[str(method.block)] = said(own, set(method.drops))
    if method.saliency == "own":
        return found
    spec = context.prior_of(run)
    if spec is None:
        # of the prior's settings, its lattice alone
        return {**found, "lattice": list(context.settings.prior.lattice)}
    widths = {"fwhm"} if own is not None and "fwhm" in type(own).model_fields else set()
    return {**found, "prior": said(spec.settings, widths)}


def own_settings(context: Context, run: Run) -> BaseModel | None:
    """The block of the run's method's own settings, with those of its options in their place; None
    if the method has none."""
    own: Strict | None = context.settings.block_of(run.about)
    return None if own is None else with_options(own, run.options)


def own_block(context: Context, run: Run) -> dict[str, Any]:
    """All of `own_settings` that bear on the run's method, by name."""
    own = own_settings(context, run)
    return {} if own is None else own.model_dump(mode="json", exclude=set(run.about.drops))
