"""From a context and a run to mm* configs, for any task."""

import copy
import importlib
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.registry import init_default_scope

from lzu.errors import UserError
from lzu.experiments.context import Context
from lzu.experiments.identity import own_block
from lzu.experiments.run import Run
from lzu.experiments.settings import frame_size
from lzu.models.frames import Frames


def shipped_config(name: str, package: str) -> Config:
    """Load a config that ships inside an mm* package, named `package::path`.

    mmengine's own resolution asks for a distribution called `mmdet`, which the maintained fork
    is not, so the file is found beside the imported package.
    """
    given, _, relative = name.partition("::")
    if given != package or not relative:
        raise UserError(f"model.base: {name!r} is not of the form {package}::folder/file.py")
    module = importlib.import_module(package)
    shipped = (Path(str(module.__file__)).parent / ".mim" / "configs").resolve()
    path = (shipped / relative).resolve()
    # A config is Python that runs: only what came with the package does.
    if not path.is_relative_to(shipped) or path.suffix != ".py" or not path.is_file():
        raise UserError(f"model.base: {package} ships no config {relative!r} (looked in {shipped})")
    return Config.fromfile(path)


def resampler_config(context: Context, run: Run) -> dict[str, Any]:
    """The settings of the run's resampler; see `lzu.models.resamplers.build_resampler`.

    They follow from the method's row: its kind of saliency, and its own block of settings.
    """
    saliency = run.about.saliency
    if saliency == "none":
        return {"kind": "uniform"}
    own = own_block(context, run)
    spec = context.prior_of(run)
    if spec is not None:
        fwhm = own.get("fwhm", spec.settings.fwhm)
        return {"kind": "warp", "prior": str(context.paths.prior(spec)), "fwhm": fwhm}
    lattice = {"lattice": context.settings.prior.lattice}
    if saliency == "learned":
        return {"kind": "learned", **lattice, **own}
    density = {name: own[name] for name in ("fwhm", "amplitude", "bandwidth")}
    return {"kind": "boxes", **lattice, **density}


def previous_detections(context: Context, run: Run) -> dict[str, Any]:
    """What an adaptive detector is told of previous detections, those that count and those that
    training simulates; see `lzu.models.adaptive.AdaptiveDetectorMixin`."""
    own = own_block(context, run)
    named = {name: own[name] for name in ("score_threshold", "max_detections", "uniform_share")}
    return {"jitter": (own["jitter_x"], own["jitter_y"]), **named}


def overridden_model(
    context: Context, package: str, adapt: Callable[[Any], None] = lambda model: None
) -> Any:
    """The `model` block of the suite's shipped config, changed by `adapt`, with the suite's
    overrides merged in; without the backbone's checkpoint where the whole model has one."""
    settings = context.settings.model
    model = Config({"model": shipped_config(settings.base, package).model})
    adapt(model.model)
    if settings.initial_weights is not None:
        model.merge_from_dict({"model": {"backbone": {"init_cfg": None}}})
    # mmengine merges in place, and must not write into the suite's settings
    model.merge_from_dict({"model": copy.deepcopy(settings.overrides)})
    return model.model


def set_frames(
    context: Context, run: Run, block: Any, *, detector: str, adaptive: str, preprocessor: str
) -> None:
    """Make a single-stage detector's block that of `lzu.models.detectors`: with the sizes of the
    run's frames, and the types of the detector (of one that follows frames, `adaptive`, with its
    settings) and of the preprocessor."""
    native = context.settings.dataset.native_size
    network = frame_size(native, run.to_scale)
    block["type"] = adaptive if run.about.follows_frames else detector
    block["native_size"] = native
    block["given_size"] = frame_size(native, run.from_scale)
    block["network_size"] = network
    padded = Frames(native, native, network).padded
    block["data_preprocessor"].update(type=preprocessor, padded_size=padded)
    if run.about.follows_frames:
        block.update(previous_detections(context, run))


def unwrapped(model: Any) -> Any:
    """A model without the wrapper that several processes train it in."""
    return model.module if hasattr(model, "module") else model


def enter_scope(context: Context) -> None:
    """Make the registries of the task's mm* package the default ones of this process."""
    init_default_scope(context.task.scope)


@contextmanager
def registered_alone() -> Iterator[None]:
    """Let mm* build within the block what is in a registry: nothing is imported by its name, and
    no config is read by its path.

    mmengine takes a `type` that no registry has for the path of something to import; and mmdet's
    distilling detectors take a teacher's config, which is Python that runs.
    """
    from mmengine.registry import registry

    def refuse(path: Any, *_: Any, **__: Any) -> Any:
        raise TypeError(f"a config of its own, {path}, is not read; it may run any code")

    own, read = registry.get_object_from_string, Config.__dict__["fromfile"]
    registry.get_object_from_string = lambda name: None
    Config.fromfile = staticmethod(refuse)
    try:
        yield
    finally:
        registry.get_object_from_string = own
        Config.fromfile = read


def check_optimizer(settings: dict[str, Any]) -> None:
    """Raise UserError unless an optimizer of this `type` is registered and takes the arguments."""
    import mmengine.optim  # noqa: F401  (it registers them)
    from mmengine.registry import OPTIMIZERS

    arguments = dict(settings)
    name = arguments.pop("type")
    with registered_alone():
        found = OPTIMIZERS.get(name)
    if found is None:
        raise UserError(
            f"schedule.optimizer.type: there is no optimizer {name!r}; try SGD or AdamW"
        )
    try:
        inspect.signature(found).bind([], lr=1.0, **arguments)
    except TypeError as error:
        raise UserError(f"schedule.optimizer: {name} takes none such: {error}") from None


@contextmanager
def named_errors(key: str) -> Iterator[None]:
    """Turn what mm* raises on settings that do not fit into a UserError that names `key`.

    Nothing is imported by a name in the settings within the block (`registered_alone`).
    """
    try:
        with registered_alone():
            yield
    except (KeyError, TypeError, AssertionError) as error:
        raise UserError(f"{key}: the model cannot be built with them: {error}") from error
