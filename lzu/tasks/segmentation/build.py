"""From a context and a run to the mmseg model and datasets."""

from collections.abc import Iterator
from typing import Any

# These register the classes that the configs below name.
import lzu.tasks.segmentation.images
import lzu.tasks.segmentation.model
import lzu.tasks.segmentation.selection  # noqa: F401  (one mark for all names of `lzu`)
from lzu.datasets.cityscapes.classes import CLASSES
from lzu.engine.build import enter_scope, overridden_model, resampler_config
from lzu.errors import UserError
from lzu.experiments.context import Context
from lzu.experiments.identity import own_block
from lzu.experiments.run import Run
from lzu.experiments.settings import frame_size
from lzu.files import read_json

HEADS = ("decode_head", "auxiliary_head")


def model_config(context: Context, run: Run) -> dict[str, Any]:
    """The `model` block of `run`: the shipped one, the suite's overrides, and the sampler."""
    settings = context.settings
    block = overridden_model(context, "mmseg", _with_init_cfg)
    _require_whole(block)
    for head in _heads(block):
        head["num_classes"] = len(CLASSES)
        _weight_classes(head, _weights(context, run))
    frame = settings.dataset.crop
    block["type"] = "LZUEncoderDecoder"
    block["frame_size"] = frame
    block["network_size"] = frame_size(frame, run.to_scale)
    preprocessor = {key: block["data_preprocessor"][key] for key in ("mean", "std", "bgr_to_rgb")}
    block["data_preprocessor"] = {"type": "LZUSegPreprocessor", **preprocessor}
    block["sampler"] = _sampler(context, run)
    block["unzoom_at"] = own_block(context, run).get("unzoom_at", "backbone")
    return block


def _with_init_cfg(model: Any) -> None:
    """Let what mmseg has a key of its own for be an init_cfg like any other."""
    source = model.pop("pretrained", None)
    if source is not None:
        model.backbone.init_cfg = {"type": "Pretrained", "checkpoint": source}


def _sampler(context: Context, run: Run) -> dict[str, Any]:
    """The settings of the run's sampler; see `lzu.tasks.segmentation.samplers.build_sampler`."""
    own = own_block(context, run)
    if run.method == "lds":
        return {"kind": "lds", **own}
    spec = context.stage_of(run)
    if spec is not None:
        used = ("lattice", "widen_factor", "back_projection")
        weights = str(context.paths.stage(spec))
        return {"kind": "es", "weights": weights, **{key: own[key] for key in used}}
    found = resampler_config(context, run)
    found.pop("unzoom_at", None)
    return found


def _require_whole(block: dict[str, Any]) -> None:
    """Raise UserError for a config that looks at an image in pieces."""
    mode = (block.get("test_cfg") or {}).get("mode", "whole")
    if mode != "whole":
        raise UserError(
            f"model.overrides.test_cfg.mode: {mode!r} looks at pieces of the network's input, "
            "which is small; set it to whole"
        )


def _heads(block: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name in HEADS:
        head = block.get(name)
        yield from head if isinstance(head, list) else [] if head is None else [head]


def _weights(context: Context, run: Run) -> list[float] | None:
    """The weight of every class in the loss, of mean 1; None: all alike.

    A class that no training pixel has gets none, as it has no loss.
    """
    power = context.settings.schedule.class_weighting
    if power == 0:
        return None
    pixels = read_json(context.paths.about(context.trains_on(run)))["class_pixels"]
    weights = [float(pixels[name]) ** -power if pixels[name] else 0.0 for name in CLASSES]
    mean = sum(weights) / max(1, sum(weight > 0 for weight in weights))
    return [weight / mean for weight in weights]


def _weight_classes(head: dict[str, Any], weights: list[float] | None) -> None:
    if weights is None:
        return
    losses = head["loss_decode"]
    for loss in losses if isinstance(losses, list) else [losses]:
        if loss["type"] != "CrossEntropyLoss":
            raise UserError(
                f"schedule.class_weighting: {loss['type']} takes no weights of classes; set it to "
                "0, or use CrossEntropyLoss"
            )
        loss["class_weight"] = weights


def dataset_config(context: Context, run: Run, split: str, flip: float) -> dict[str, Any]:
    """The dataset that serves the run as `split` ("train" or "val"): images and labels of the whole
    crop, 8 bits."""
    name = context.trains_on(run) if split == "train" else run.split(split)
    photometric = split == "train" and context.settings.schedule.photometric
    return listing_config(context, name, flip=flip, photometric=photometric)


def listing_config(
    context: Context, name: str, *, flip: float = 0.0, photometric: bool = False
) -> dict[str, Any]:
    """The dataset of a prepared listing, with these augmentations."""
    dataset = context.settings.dataset
    pipeline: list[dict[str, Any]] = [{"type": "LZULoadCrop", "crop": dataset.crop}]
    if flip > 0:
        pipeline.append({"type": "RandomFlip", "prob": flip})
    if photometric:
        pipeline.append({"type": "PhotoMetricDistortion"})
    pipeline.append({"type": "PackSegInputs", "meta_keys": ("frame_id", "img_path")})
    return {
        "type": "LZUCityscapes",
        "ann_file": str(context.paths.annotations(name)),
        "data_prefix": {"img": dataset.root},
        "pipeline": pipeline,
        "test_mode": not photometric and flip == 0,
    }


def listed(context: Context, name: str) -> Any:
    """The images of a prepared listing as the segmenters take them."""
    from mmseg.registry import DATASETS

    enter_scope(context)
    return DATASETS.build(listing_config(context, name))
