"""Where the cells of mm*'s feature maps sit: the offsets that unzoom needs."""

from collections.abc import Sequence
from typing import Any

from torch import nn

from lzu.core.lattice import content_region
from lzu.errors import UserError
from lzu.module import Offsets

# Measured by their tests: cell i of each level sits at pixel stride * i. Of an FPN that is the
# backbone's own path; the coarser level that is added to it, enlarged by nearest neighbours, lies
# half a cell of the finer one before that on average, in the uniform detector as well.
BACKBONES = ("ResNet", "ResNeXt", "ResNetV1c")
NECKS = ("NoneType", "FPN")


def cell_offsets(
    given: Any, backbone: nn.Module, neck: nn.Module | None, size: tuple[int, int], levels: int
) -> Offsets:
    """Return where the cells of a detector's `levels` sit, as in `lzu.ZoomUnzoom.unzoom`.

    Args:
        given: the setting: a number, or a list of one for each level, or of two (y, x). None if
            there is none: then those of `BACKBONES` and `NECKS` are known.
        backbone, neck: of the detector.
        size: (height, width) of the network's frame in pixels.
        levels: how many the neck gives.

    Raises:
        UserError: nothing is given and the cells' places are not known, or no offsets are given.
    """
    if given is None:
        _require_known(backbone, neck)
        return 0.0
    by_level = [given] * levels if isinstance(given, (int, float)) else given
    if not isinstance(by_level, Sequence) or len(by_level) != levels:
        raise UserError(
            f"model.overrides.offsets: expected a number, or a list of one for each of the "
            f"{levels} levels, got {given!r}"
        )
    for offset in by_level:
        try:
            content_region(size, 1, offset)
        except (TypeError, ValueError) as error:
            raise UserError(f"model.overrides.offsets: {error}") from None
    return list(by_level)


def _require_known(backbone: nn.Module, neck: nn.Module | None) -> None:
    mend = (
        "give model.overrides.offsets, the pixel at which cell 0 of the levels sits: a number, or "
        "a list of one for each level; README says how to find it"
    )
    for key, part, known in (("backbone", backbone, BACKBONES), ("neck", neck, NECKS)):
        name = type(part).__name__
        if name not in known:
            raise UserError(f"model.{key}.type: where cells of {name} sit is not known; {mend}")
    if getattr(backbone, "avg_down", False):
        raise UserError(f"model.backbone.avg_down: 2x2 pooling moves the cells; {mend}")
