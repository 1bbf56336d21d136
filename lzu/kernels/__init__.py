"""Triton kernels for GPUs: the PyTorch path of `lzu.Warp` and `lzu.saliency`, fused.

=======================  ========  ================================================================
function                 launches  in place of
=======================  ========  ================================================================
`boxes_to_saliency`      1         `lzu.saliency.from_boxes`
`separable_nodes`        1         `lzu.core.mapping.separable_nodes`
`box_nodes`              1         both of these
`zoom`                   1         `Warp.zoom` of a separable warp
`unzoom`                 1         `Warp.unzoom` of a separable warp, for up to eight feature maps
`nonseparable_inverse`   2         `Warp.unzoom_grid` of a nonseparable warp
=======================  ========  ================================================================

The PyTorch path is the reference; it differentiates and runs anywhere. These functions have no
gradient and say so. They take float32 coordinates, and images and features in float32, float16 or
bfloat16, contiguous or channels last, on CUDA. No function waits for the GPU or looks at values,
so all can be captured in a CUDA graph, once each has run before with the same sizes and types:
the first run compiles, and copies constants to the GPU.

Triton is imported at the first use of a function. With TRITON_INTERPRET=1 in the environment
before that, its interpreter runs the kernels on CPU tensors, slowly: for tests.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lzu.kernels.boxes import box_nodes, boxes_to_saliency
    from lzu.kernels.nodes import separable_nodes
    from lzu.kernels.nonseparable import nonseparable_inverse
    from lzu.kernels.resample import unzoom, zoom

__all__ = [
    "box_nodes",
    "boxes_to_saliency",
    "nonseparable_inverse",
    "separable_nodes",
    "unzoom",
    "zoom",
]

_FUNCTIONS = {
    "box_nodes": "lzu.kernels.boxes",
    "boxes_to_saliency": "lzu.kernels.boxes",
    "nonseparable_inverse": "lzu.kernels.nonseparable",
    "separable_nodes": "lzu.kernels.nodes",
    "unzoom": "lzu.kernels.resample",
    "zoom": "lzu.kernels.resample",
}


def __getattr__(name: str) -> Any:
    if name not in _FUNCTIONS:
        raise AttributeError(f"module 'lzu.kernels' has no attribute {name!r}")
    try:
        module = importlib.import_module(_FUNCTIONS[name])
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "triton":
            raise
        raise ImportError(
            f"lzu.kernels.{name} needs triton, which is not installed: pip install triton",
            name=error.name,
        ) from error
    return getattr(module, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_FUNCTIONS})
