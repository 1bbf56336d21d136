"""From a suite and a run to the mm* config, model and datasets."""

import copy
import functools
import hashlib
from pathlib import Path
from typing import Any

import mmdet
from mmengine.config import Config
from mmengine.registry import init_default_scope

# These register the classes that the configs below name.
import lzu.engine.progress
import lzu.models.draws
import lzu.tasks.detection2d.adaptive
import lzu.tasks.detection2d.jitter
import lzu.tasks.detection2d.model  # noqa: F401  (one mark for all names of `lzu`)
from lzu.datasets.argoverse_hd.classes import CLASSES
from lzu.errors import UserError
from lzu.experiments.config import Suite, frame_size
from lzu.experiments.identity import saliency_settings, training_identity
from lzu.experiments.paths import Paths
from lzu.experiments.run import ADAPTIVE, FROM_PRIOR, Run
from lzu.files import read_json
from lzu.models.frames import Frames
from lzu.results.prior import load_prior
from lzu.results.provenance import config_hash
from lzu.tasks.detection2d.fovea.detector import as_fovea


def shipped_config(name: str) -> Config:
    """Load a config that ships inside an mm* package, named `package::path`.

    mmengine's own resolution asks for a distribution called `mmdet`, which the maintained fork
    is not, so the file is found beside the imported package.
    """
    package, _, relative = name.partition("::")
    if package != "mmdet" or not relative:
        raise UserError(f"model.base: {name!r} is not of the form mmdet::folder/file.py")
    path = Path(mmdet.__file__).parent / ".mim" / "configs" / relative
    if not path.is_file():
        raise UserError(f"model.base: mmdet ships no config {relative!r} (looked for {path})")
    return Config.fromfile(path)


def model_config(suite: Suite, run: Run, paths: Paths) -> dict[str, Any]:
    """The `model` block of `run`: the shipped one, the suite's overrides, and the resampler."""
    task = suite.detection2d
    base = shipped_config(task.model.base)
    model = Config({"model": base.model})
    model.merge_from_dict({"model": {"bbox_head": {"num_classes": len(CLASSES)}}})
    if task.model.initial_weights is not None:
        model.merge_from_dict({"model": {"backbone": {"init_cfg": None}}})
    # mmengine merges in place, and must not write into the suite's settings
    model.merge_from_dict({"model": copy.deepcopy(task.model.overrides)})
    block = model.model
    native = task.dataset.native_size
    network = frame_size(native, run.to_scale)
    block["type"] = "LZUSingleStageDetector"
    block["native_size"] = native
    block["given_size"] = frame_size(native, run.from_scale)
    block["network_size"] = network
    padded = Frames(native, native, network).padded
    block["data_preprocessor"].update(type="LZUDetDataPreprocessor", padded_size=padded)
    block["resampler"] = resampler_config(suite, run, paths)
    if run.method in ADAPTIVE:
        adaptive = task.adaptive
        block["type"] = "LZUAdaptiveDetector"
        block["score_threshold"] = adaptive.score_threshold
        block["max_detections"] = adaptive.max_detections
        block["jitter"] = (adaptive.jitter_x, adaptive.jitter_y)
    elif run.method == "fovea":
        as_fovea(block)
    return block


def resampler_config(suite: Suite, run: Run, paths: Paths) -> dict[str, Any]:
    """The settings of the run's resampler; see `lzu.models.resamplers.build_resampler`."""
    task = suite.detection2d
    prior, adaptive = saliency_settings(task, run)
    if run.method == "uniform":
        return {"kind": "uniform"}
    if run.method in FROM_PRIOR:
        fwhm = task.fovea.fwhm if run.method == "fovea" else prior.fwhm
        path = paths.prior(prior, run.split("train"))
        return {"kind": "warp", "prior": str(path), "fwhm": fwhm}
    lattice = {"lattice": prior.lattice}
    if run.method in ADAPTIVE:
        own = {name: getattr(adaptive, name) for name in ("fwhm", "amplitude", "bandwidth")}
        return {"kind": "boxes", **lattice, **own}
    if run.method == "lzu_learned":
        return {"kind": "learned", **lattice, **task.learned.model_dump()}
    raise UserError(f"method {run.method!r} cannot be trained yet for 2-D detection")


def dataset_config(suite: Suite, run: Run, paths: Paths, split: str, flip: float) -> dict[str, Any]:
    """The mmdet dataset that serves the run as `split` ("train" or "val").

    Images are at the `from` scale, labels in the network's frame.
    """
    task = suite.detection2d
    native = task.dataset.native_size
    given = frame_size(native, run.from_scale)
    pipeline: list[dict[str, Any]] = [{"type": "LoadImageFromFile"}]
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
    if split == "train" and run.method in ADAPTIVE:
        pipeline.append({"type": "LZUJitterSeed"})
        meta += ("jitter_seed",)
    pipeline.append({"type": "PackDetInputs", "meta_keys": meta})
    return {
        "type": "CocoDataset",
        "ann_file": str(paths.annotations(run.split(split))),
        "data_prefix": {"img": task.dataset.root},
        "metainfo": {"classes": CLASSES},
        "pipeline": pipeline,
        "test_mode": split != "train",
    }


@functools.cache
def annotation_info(path: Path) -> dict[str, Any]:
    """The `info` block of a prepared annotation file, read once a process (it can be large)."""
    return read_json(path)["info"]


def run_stamp(suite: Suite, run: Run, paths: Paths) -> str:
    """A hash of all that the run's weights depend on: settings, training data and prior.

    A run shares it with the one of which it evaluates the weights.
    """
    prior = resampler_config(suite, run, paths).get("prior")
    return config_hash(
        {
            **training_identity(suite, run),
            "data": annotation_info(paths.annotations(run.split("train")))["fingerprint"],
            "saliency": prior and hashlib.sha256(load_prior(prior).saliency.tobytes()).hexdigest(),
        }
    )


def enter_mmdet() -> None:
    """Make mmdet's registries the default ones of this process."""
    init_default_scope("mmdet")
