"""The settings of learned saliency, which tasks share."""

from typing import Annotated

from pydantic import AfterValidator, Field

from lzu.experiments.settings import Positive, Strict


def _refuse_other_sides(value: int) -> int:
    if value % 4 != 1:
        nearest = round((value - 1) / 4) * 4 + 1
        raise ValueError(f"must be a multiple of 4 plus 1; the nearest is {nearest}")
    return value


LowResolution = Annotated[int, Field(ge=5), AfterValidator(_refuse_other_sides)]


class Learned(Strict):
    """Saliency that a small network learns with the model (see lzu.saliency.LearnedSaliency).

    Not in the paper. The lattice is the prior's.
    """

    fwhm: Positive = Field(10.0, description="of the attraction kernel, in cells")
    floor: Annotated[float, Field(gt=0, le=1)] = Field(
        0.3, description="the constant's share of saliency"
    )
    input_size: tuple[LowResolution, LowResolution] = Field(
        (65, 105),
        description="height, width in pixels of what its network sees, multiples of 4 plus 1",
    )
    channels: Annotated[int, Field(ge=16, multiple_of=16)] = Field(32, description="of its network")
