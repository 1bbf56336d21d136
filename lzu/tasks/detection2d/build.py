"""From a context and a run to the mmdet model and datasets."""

import copy
from typing import Any

from mmengine.config import Config

# These register the classes that the configs below name.
import lzu.models.images
import lzu.models.jitter
import lzu.tasks.detection2d.adaptive
import lzu.tasks.detection2d.model  # noqa: F401  (one mark for all names of `lzu`)
from lzu.datasets.argoverse_hd.classes import CLASSES
from lzu.engine.build import enter_scope, previous_detections, resampler_config, shipped_config
from lzu.experiments.context import Context
from lzu.experiments.run import Run
from lzu.experiments.settings import frame_size
from lzu.models.frames import Frames
from lzu.tasks.detection2d.fovea.detector import as_fovea


def model_config(context: Context, run: Run) -> dict[str, Any]:
    """The `model` block of `run`: the shipped one, the suite's overrides, and the resampler."""
    settings = context.settings
    base = shipped_config(settings.model.base, "mmdet")
    model = Config({"model": base.model})
    model.merge_from_dict({"model": {"bbox_head": {"num_classes": len(CLASSES)}}})
    if settings.model.initial_weights is not None:
        model.merge_from_dict({"model": {"backbone": {"init_cfg": None}}})
    # mmengine merges in place, and must not write into the suite's settings
    model.merge_from_dict({"model": copy.deepcopy(settings.model.overrides)})
    block = model.model
    native = settings.dataset.native_size
    network = frame_size(native, run.to_scale)
    block["type"] = "LZUSingleStageDetector"
    block["native_size"] = native
    block["given_size"] = frame_size(native, run.from_scale)
    block["network_size"] = network
    padded = Frames(native, native, network).padded
    block["data_preprocessor"].update(type="LZUDetDataPreprocessor", padded_size=padded)
    block["resampler"] = resampler_config(context, run)
    if run.about.follows_frames:
        block["type"] = "LZUAdaptiveDetector"
        block.update(previous_detections(context, run))
    elif run.method == "fovea":
        as_fovea(block)
    return block


def dataset_config(context: Context, run: Run, split: str, flip: float) -> dict[str, Any]:
    """The mmdet dataset that serves the run as `split` ("train" or "val").

    Images are at the `from` scale, labels in the network's frame.
    """
    dataset = context.settings.dataset
    native = dataset.native_size
    given = frame_size(native, run.from_scale)
    pipeline: list[dict[str, Any]] = [{"type": "LZULoadImage"}]
    if split == "train":
        pipeline.append({"type": "LoadAnnotations", "with_bbox": True})
    if given != native:
        pipeline.append({"type": "Resize", "scale": given[::-1], "keep_ratio": False})
    if flip > 0:
        pipeline.append({"type": "RandomFlip", "prob": flip})
    pipeline.append(
        {
            "type": "LZUToNetworkFrame",
            "given_size": given,
            "network_size": frame_size(native, run.to_scale),
        }
    )
    meta = ("img_id", "img_path", "ori_shape", "img_shape", "scale_factor")
    if split == "train" and run.about.follows_frames:
        pipeline.append({"type": "LZUJitterSeed"})
        meta += ("jitter_seed",)
    pipeline.append({"type": "PackDetInputs", "meta_keys": meta})
    return {
        "type": "CocoDataset",
        "ann_file": str(context.paths.annotations(run.split(split))),
        "data_prefix": {"img": dataset.root},
        "metainfo": {"classes": CLASSES},
        "pipeline": pipeline,
        "test_mode": split != "train",
    }


def validation_set(context: Context, run: Run) -> Any:
    """The validation images as the run's detector takes them."""
    from mmdet.registry import DATASETS

    enter_scope(context)
    return DATASETS.build(dataset_config(context, run, "val", flip=0.0))
