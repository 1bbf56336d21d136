"""Bridges between versions of the OpenMMLab packages, in one place."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType


@contextmanager
def safe_resume() -> Iterator[None]:
    """Let mmengine's own checkpoints load with `weights_only=True` within the block.

    torch >= 2.6 refuses the log buffers that mmengine puts into a checkpoint unless their classes
    are allow-listed. The frozen mmengine 0.10.7 does not list them, and the maintained fork then
    loads without the check. Only for checkpoints that this project wrote.
    """
    import numpy as np
    import torch
    from mmengine.logging.history_buffer import HistoryBuffer

    multiarray = (getattr(np, "_core", None) or np.core).multiarray
    scalar_types = [type(np.dtype(t)) for t in ("float32", "float64", "int64", "int32")]
    listed = [HistoryBuffer, np.ndarray, np.dtype, *scalar_types]
    # A buffer holds its own methods, which pickle as getattr.
    listed += [multiarray._reconstruct, multiarray.scalar, getattr]
    with torch.serialization.safe_globals(listed):
        yield


@contextmanager
def _presented(module: ModuleType, version: str) -> Iterator[None]:
    real = module.__version__
    module.__version__ = version
    try:
        yield
    finally:
        module.__version__ = real


def import_mmdet3d() -> ModuleType:
    """Import mmdet3d 1.4, whose `__init__` refuses mmcv >= 2.2 and mmdet >= 3.4.

    The newer ones of the maintained fork work; they present the newest accepted versions during
    this one import.
    """
    import mmcv
    import mmdet

    with _presented(mmcv, "2.1.0"), _presented(mmdet, "3.3.0"):
        import mmdet3d
    return mmdet3d
