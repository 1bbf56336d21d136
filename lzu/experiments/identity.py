"""What a run's trained weights depend on, so that they are made again when it changes."""

from typing import Any

from lzu.experiments.config import Adaptive, Detection2d, Prior, Suite
from lzu.experiments.run import ADAPTIVE, SEARCH, Run


def saliency_settings(task: Detection2d, run: Run) -> tuple[Prior, Adaptive]:
    """The settings of fixed and of adaptive saliency, with those of the run's own options."""
    own = {name: float(value) for name, value in run.options if name in ("amplitude", "fwhm")}
    return task.prior.model_copy(update=own), task.adaptive.model_copy(update=own)


def training_identity(suite: Suite, run: Run) -> dict[str, Any]:
    """Everything in the suite that the weights of `run` depend on; of which it is `trained`.

    A change here makes a run stale; timing rounds, mode, other methods' settings and the like are
    left out on purpose.
    """
    task = suite.detection2d
    own = {"prior", "adaptive", "learned", "fovea", "upsampling", "search"}
    settings = task.model_dump(mode="json", exclude={"methods", "seeds", "timing", "stream"} | own)
    # The root's content counts, by its fingerprint (run_stamp); where it lies does not.
    for key in ("image_check", "root"):
        settings["dataset"].pop(key)
    if task.dataset.synthetic is not None:
        world = settings["dataset"]["synthetic"]
        trained_on = {k: v for k, v in world.items() if not k.startswith("val_")}
        settings["dataset"]["synthetic"] = trained_on
    settings["schedule"].pop("checkpoint_every")
    if task.model.initial_weights is not None:
        settings["model"]["initial_weights"].pop("source")
    return {
        "run": run.trained.as_dict(),
        "learning_rate": task.methods[run.method].learning_rate,
        **settings,
        **_saliency_identity(task, run),
        **_split_identity(task, run),
    }


def _split_identity(task: Detection2d, run: Run) -> dict[str, Any]:
    """How the data was split, for a run of the search; its content has a fingerprint of its own."""
    if SEARCH not in run.options or task.search is None:
        return {}
    return {"split": task.search.model_dump(include={"validation_share", "split_seed"})}


def _saliency_identity(task: Detection2d, run: Run) -> dict[str, Any]:
    """The settings of a run's saliency and warp."""
    method = run.method
    fixed, previous = saliency_settings(task, run)
    prior = fixed.model_dump(mode="json")
    lattice = prior["lattice"]
    if method == "lzu_fixed":
        return {"prior": prior}
    if method == "fovea":
        return {"prior": {**prior, "fwhm": task.fovea.fwhm}}
    if method == "lzu_learned":
        return {"lattice": lattice, "learned": task.learned.model_dump(mode="json")}
    if method in ADAPTIVE:
        # The score threshold too, though without a cascade it bears on predictions alone: these are
        # stamped with the same hash.
        adaptive = previous.model_dump(mode="json")
        if method != "lzu_adaptive":
            adaptive.pop("cascade_from_epoch")
        return {"lattice": lattice, "adaptive": adaptive}
    return {}
