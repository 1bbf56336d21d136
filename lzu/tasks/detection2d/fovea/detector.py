"""FOVEA (Thavamani et al., ICCV 2021): zoom the image, detect in it, unwarp the boxes.

The baseline of Table 1 whose code was never released for RetinaNet. Beside LZU with the same
saliency it differs in one thing: backbone, neck and head all work in the zoomed frame, so that
boxes are unwarped where LZU unzooms features.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mmdet.registry import MODELS
from torch import Tensor, nn

from lzu.errors import UserError
from lzu.module import ZoomUnzoom
from lzu.tasks.detection2d.fovea.frame import ZoomedFeatures, ZoomedFrame
from lzu.tasks.detection2d.fovea.head import FOVEAHeadMixin
from lzu.tasks.detection2d.model import ResampledSingleStageDetector

HEADS = {"RetinaHead": "FOVEARetinaHead"}


def as_fovea(model: dict[str, Any]) -> dict[str, Any]:
    """Turn the `model` block of an `LZUSingleStageDetector` with a warp into FOVEA's, in place.

    Raises UserError if there is no FOVEA head for its head.
    """
    head = model["bbox_head"]["type"]
    if head not in HEADS and head not in HEADS.values():
        raise UserError(
            f"model.overrides: fovea has no head in place of bbox_head.type {head}; "
            f"there is one for: {', '.join(HEADS)}"
        )
    model["type"] = "LZUFOVEADetector"
    model["bbox_head"]["type"] = HEADS.get(head, head)
    return model


@dataclass(frozen=True)
class StayZoomed:
    """In place of an unzoom: leave features as they are, and say which frame they are in."""

    frame: ZoomedFrame

    def __call__(self, features: Sequence[Tensor], strides: Sequence[int]) -> ZoomedFeatures:
        return ZoomedFeatures(features, self.frame)


class FOVEAResampler(nn.Module):
    """Zooms images, and leaves features in the zoomed frame.

    `lens` zooms to the network's frame; it may hold any saliency, fixed, learned or adaptive.
    """

    def __init__(self, lens: ZoomUnzoom) -> None:
        super().__init__()
        self.lens = lens

    def forward(self, images: Tensor, *inputs: Any) -> tuple[Tensor, StayZoomed]:
        """Zoom (B, 3, H, W) images; `inputs` go to an adaptive saliency."""
        zoomed, warp = self.lens.zoom(images, *inputs)
        return zoomed, StayZoomed(ZoomedFrame(warp, self.lens.size))


@MODELS.register_module(name="LZUFOVEADetector")
class FOVEADetector(ResampledSingleStageDetector):
    """An anchor-based single-stage detector of mmdet under FOVEA.

    Takes what `LZUSingleStageDetector` takes, with a resampler that has a warp, and a head such as
    `FOVEARetinaHead`. Parameter names are those of the plain detector, so its checkpoints load.
    Labels are in the uniform network frame; detections in the native one.

    Raises:
        UserError: the head does not know of the warp, or the resampler has none.
    """

    # Boxes are unwarped, not cells: where the cells sit does not matter.
    unzooms = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not isinstance(self.bbox_head, FOVEAHeadMixin):
            raise UserError(
                f"model.bbox_head.type: {type(self.bbox_head).__name__} would take zoomed features "
                f"for uniform ones; FOVEA needs one of: {', '.join(HEADS.values())}"
            )
        if not isinstance(getattr(self.resampler, "lens", None), ZoomUnzoom):
            raise UserError("model.resampler.kind: FOVEA needs a warp, such as that of kind: warp")
        self.resampler = FOVEAResampler(self.resampler.lens)

    def extract_feat(self, batch_inputs: Tensor, *inputs: Any) -> ZoomedFeatures:
        """Zoom, backbone and neck: features of the zoomed images, one a level."""
        network_input, stay = self.zoom(batch_inputs, *inputs)
        return stay(self.pyramid(network_input), self.strides)
