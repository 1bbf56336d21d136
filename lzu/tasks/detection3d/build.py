"""From a context and a run to the mmdet3d model and datasets."""

from collections.abc import Sequence
from typing import Any

# These register the classes that the configs below name.
import lzu.models.images
import lzu.models.jitter
import lzu.tasks.detection3d.adaptive
import lzu.tasks.detection3d.dataset
import lzu.tasks.detection3d.model
import lzu.tasks.detection3d.transforms  # noqa: F401  (one mark for all names of `lzu`)
from lzu.datasets.nuscenes.classes import CLASSES
from lzu.engine.build import enter_scope, overridden_model, resampler_config, set_frames
from lzu.errors import UserError
from lzu.experiments.context import Context
from lzu.experiments.identity import own_block
from lzu.experiments.run import Run
from lzu.experiments.settings import frame_size
from lzu.tasks.detection3d.bridge import DATASETS
from lzu.tasks.detection3d.data import data_root

LABELS = (
    "gt_bboxes",
    "gt_bboxes_labels",
    "attr_labels",
    "gt_bboxes_3d",
    "gt_labels_3d",
    "centers_2d",
    "depths",
)
METAS = (
    "img_path",
    "img_shape",
    "scale_factor",
    "flip",
    "cam2img",
    "cam2ego",
    "ego2global",
    "timestamp",
    "sample_token",
    "sample_idx",
    "camera",
    "camera_index",
    "box_type_3d",
    "box_mode_3d",
)

REFERENCES: dict[str, tuple[int, ...]] = {"base_depths": (1,), "base_dims": ()}
"""What a coder has of each class -> other numbers of them that mmdet3d takes."""


def model_config(context: Context, run: Run) -> dict[str, Any]:
    """The `model` block of `run`: the shipped one, the suite's overrides, and the resampler."""
    classes = context.settings.dataset.classes

    def adapt(model: Any) -> None:
        model.bbox_head.num_classes = len(classes)
        _choose_references(model, classes)

    block = overridden_model(context, "mmdet3d", adapt)
    _require_references(block, len(classes))
    set_frames(
        context,
        run,
        block,
        detector="LZUMono3DDetector",
        adaptive="LZUAdaptiveMono3DDetector",
        preprocessor="LZUMono3DPreprocessor",
    )
    block["resampler"] = _resampler(context, run)
    return block


def _choose_references(model: Any, classes: Sequence[str]) -> None:
    """Bring a shipped coder's depths and sizes, one for each of nuScenes' ten classes (PGD), into
    the order of the suite's classes: the network's outputs are of these."""
    coder = model.bbox_head.get("bbox_coder", {})
    for key in REFERENCES:
        ten = coder.get(key)
        if ten is not None and len(ten) == len(CLASSES):
            coder[key] = [ten[CLASSES.index(name)] for name in classes]


def _require_references(model: Any, classes: int) -> None:
    """Raise a UserError unless there is one depth and size for each class, or a depth for all."""
    coder = model.bbox_head.get("bbox_coder", {})
    for key, numbers in REFERENCES.items():
        given = coder.get(key)
        if given is not None and len(given) not in {classes, *numbers}:
            raise UserError(
                f"model.bbox_head.bbox_coder.{key}: {len(given)} are given for the {classes} of "
                "dataset.classes; give one for each, in their order"
            )


def _resampler(context: Context, run: Run) -> dict[str, Any]:
    """The resampler's settings; a fixed warp may be one a camera, and of padded frames."""
    block = resampler_config(context, run)
    spec = context.prior_of(run)
    if spec is None:
        return block
    if spec.settings.of_each_camera:
        block["kind"] = "cameras"
    if own_block(context, run)["frame"] == "padded":
        block["kind"] += "_padded"
    return block


def dataset_config(context: Context, run: Run, split: str, flip: float) -> dict[str, Any]:
    """The dataset that serves the run as `split` ("train" or "val").

    Images are at the `from` scale, labels and intrinsics in the network's frame.
    """
    dataset = context.settings.dataset
    native = dataset.native_size
    training = split == "train"
    simulates = training and run.about.follows_frames
    pipeline: list[dict[str, Any]] = [{"type": "LZULoadImage"}]
    if training and flip > 0:
        pipeline.append({"type": "RandomFlip3D", "flip_ratio_bev_horizontal": flip})
    pipeline += [
        {
            "type": "LZUMonoToNetworkFrame",
            "native_size": native,
            "given_size": frame_size(native, run.from_scale),
            "network_size": frame_size(native, run.to_scale),
        },
        *([{"type": "LZUJitterSeed"}] if simulates else ()),
        {
            "type": "Pack3DDetInputs",
            "keys": ("img", *(LABELS if training else ())),
            "meta_keys": (*METAS, *(("jitter_seed",) if simulates else ())),
        },
    ]
    return {
        "type": "LZUMono3DDataset",
        "ann_file": str(context.paths.annotations(run.split(split))),
        "root": str(data_root(context, split)),
        "cameras": dataset.cameras,
        "classes": dataset.classes,
        "pipeline": pipeline,
        "test_mode": not training,
    }


def validation_set(context: Context, run: Run) -> Any:
    """The validation images as the run's detector takes them."""
    enter_scope(context)
    return DATASETS.build(dataset_config(context, run, "val", flip=0.0))
