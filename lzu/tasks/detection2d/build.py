"""From a context and a run to the mmdet model and datasets."""

from typing import Any

# These register the classes that the configs below name.
import lzu.models.images
import lzu.models.jitter
import lzu.tasks.detection2d.adaptive
import lzu.tasks.detection2d.model  # noqa: F401  (one mark for all names of `lzu`)
from lzu.datasets.argoverse_hd.classes import CLASSES
from lzu.engine.build import enter_scope, overridden_model, resampler_config, set_frames
from lzu.experiments.context import Context
from lzu.experiments.run import Run
from lzu.experiments.settings import frame_size
from lzu.tasks.detection2d.fovea.detector import as_fovea


def model_config(context: Context, run: Run) -> dict[str, Any]:
    """The `model` block of `run`: the shipped one, the suite's overrides, and the resampler."""
    block = overridden_model(context, "mmdet", _of_our_classes)
    set_frames(
        context,
        run,
        block,
        detector="LZUSingleStageDetector",
        adaptive="LZUAdaptiveDetector",
        preprocessor="LZUDetDataPreprocessor",
    )
    block["resampler"] = resampler_config(context, run)
    if run.method == "fovea":
        as_fovea(block)
    return block


def _of_our_classes(model: Any) -> None:
    model.bbox_head.num_classes = len(CLASSES)


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
