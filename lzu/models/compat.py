"""Bridges between versions of the OpenMMLab packages, in one place."""

import importlib.util
import os
import pickle
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from lzu.errors import UserError


@contextmanager
def strict_loading() -> Iterator[None]:
    """Let no checkpoint that mmengine reads within the block run code.

    The maintained fork reads with `weights_only=True`, but allow-lists `getattr`, and reads once
    more without the check what is refused; the frozen mmengine 0.10.7 leaves both to the
    environment. Here everything is read with `weights_only=True`, and nothing is allow-listed.

    A file that holds more than weights and plain values raises UserError.
    """
    import torch
    from mmengine.runner import checkpoint

    def load(file: Any, map_location: Any = None, weights_only: bool | None = None) -> Any:
        try:
            return torch.load(file, map_location=map_location, weights_only=True)
        except pickle.UnpicklingError as error:
            raise UserError(
                f"{file}: not read, because it is damaged or asks for more than weights "
                f"({str(error).splitlines()[0]}); get it again from a source that you trust"
            ) from None

    # for what calls torch.load itself; the two contradict each other
    wanted = {"TORCH_FORCE_WEIGHTS_ONLY_LOAD": "1", "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "0"}
    before = {name: os.environ.get(name) for name in wanted}
    own = getattr(checkpoint, "_safe_torch_load", None)
    os.environ.update(wanted)
    if own is not None:
        checkpoint._safe_torch_load = load
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            os.environ.update({} if value is None else {name: value})
        if own is not None:
            checkpoint._safe_torch_load = own


@contextmanager
def _presented(module: ModuleType, version: str) -> Iterator[None]:
    real = module.__version__
    module.__version__ = version
    try:
        yield
    finally:
        module.__version__ = real


# What mmdet3d's evaluation takes from the toolkit of a data set that is not used here, and whose
# terms (CC BY-NC-SA) are not this project's.
_OF_LYFT = {
    "lyft_dataset_sdk.eval.detection.mAP_evaluation": (
        "Box3D",
        "get_ap",
        "get_class_names",
        "get_ious",
        "group_by_key",
        "wrap_in_box",
    ),
    "lyft_dataset_sdk.lyftdataset": ("LyftDataset",),
    "lyft_dataset_sdk.utils.data_classes": ("Box",),
}


def _not_installed(*args: Any, **kwargs: Any) -> None:
    raise ImportError("lyft-dataset-sdk is needed for Lyft's data, and is not installed")


@contextmanager
def _without_lyft() -> Iterator[None]:
    """Let what asks for lyft-dataset-sdk be imported without it within the block."""
    if importlib.util.find_spec("lyft_dataset_sdk") is not None:
        yield
        return
    standing_in: dict[str, ModuleType] = {}
    for name, members in _OF_LYFT.items():
        parts = name.split(".")
        for end in range(1, len(parts) + 1):
            whole = ".".join(parts[:end])
            standing_in.setdefault(whole, ModuleType(whole))
        vars(standing_in[name]).update(dict.fromkeys(members, _not_installed))
    sys.modules.update(standing_in)
    try:
        yield
    finally:
        for name in standing_in:
            del sys.modules[name]


def import_mmdet3d() -> ModuleType:
    """Import mmdet3d 1.4 with its evaluation, which asks for what is not here.

    Its `__init__` refuses mmcv >= 2.2 and mmdet >= 3.4. The newer ones of the maintained fork work;
    they present the newest accepted versions during this one import. Its evaluation, which its
    registries import sooner or later, asks for lyft-dataset-sdk, whatever the data set. Its
    visualisers ask for open3d and trimesh; mmengine would import them for its own that is named in
    their scope, and nothing here draws with them.
    """
    import mmcv
    import mmdet

    with _presented(mmcv, "2.1.0"), _presented(mmdet, "3.3.0"), _without_lyft():
        import mmdet3d
        import mmdet3d.evaluation
        from mmdet3d.registry import VISBACKENDS, VISUALIZERS
    VISBACKENDS._imported = VISUALIZERS._imported = True
    return mmdet3d
