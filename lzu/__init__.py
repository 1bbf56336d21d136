"""Learning to Zoom and Unzoom (LZU): warp images to zoom on what is salient, unwarp the features.

Importing this package imports nothing else. What is below is loaded at first use, so that tables
and figures can be made without PyTorch and the warps without OpenMMLab.
"""

import importlib
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lzu import saliency
    from lzu.core.warp import Warp
    from lzu.module import ZoomUnzoom

try:
    __version__ = version("lzu")
except PackageNotFoundError:
    __version__ = "0+unknown"

__all__ = ["Warp", "ZoomUnzoom", "__version__", "saliency"]

_OBJECTS = {"Warp": "lzu.core.warp", "ZoomUnzoom": "lzu.module"}
# Each subpackage with the pip extra that brings what it imports; None needs torch alone.
_MODULES: dict[str, str | None] = {
    "core": None,
    "saliency": None,
    "kernels": None,
    "datasets": "datasets",
    "experiments": "report",
    "results": "report",
    "report": "report",
    "models": "openmmlab",
    "engine": "openmmlab",
    "tasks": "report",
}


def __getattr__(name: str) -> Any:
    if name in _OBJECTS:
        return getattr(_load(_OBJECTS[name], extra=None), name)
    if name in _MODULES:
        return _load(f"lzu.{name}", extra=_MODULES[name])
    raise AttributeError(f"module 'lzu' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_OBJECTS, *_MODULES})


def _load(module: str, extra: str | None) -> Any:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "lzu":
            raise
        missing = error.name.partition(".")[0]
        wanted = f"lzu[{extra}]" if extra else missing
        raise ImportError(
            f"{module} needs {missing}, which is not installed: pip install '{wanted}'",
            name=error.name,
        ) from error
