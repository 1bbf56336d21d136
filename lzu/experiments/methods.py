"""The methods: one row each, from which everything else that differs between them is derived.

A new method is a row here, its name in the lists of the tasks that offer it, and, if it has
settings of its own, a block of them in these tasks' settings. Its choices, label, colour, what it
needs of the data, its identity and its resampler follow.
"""

from dataclasses import dataclass
from typing import Literal

Saliency = Literal["none", "prior", "previous", "learned", "own"]


@dataclass(frozen=True)
class Method:
    """What sets a method apart.

    Attributes:
        name: in settings, paths and result files.
        label: in tables and legends, as the paper writes it.
        colour, marker: in figures (Okabe and Ito's palette, safe for the colour-blind).
        saliency: what the warp is made from: "none" (no warp), "prior" (of the training set),
            "previous" (what was found in the frame before, so that frames are followed in their
            order), "learned" (by a network, from the image), or "own" (the task that offers the
            method says what; nothing of its prior's settings).
        block: the settings block of its own, in tasks that have one of this name (None: it has
            none). Where it has an `fwhm`, that is the kernel's width; else the prior's is.
        cascades: whether the last epochs of its training see the model's own detections.
        drops: keys of the block, of tasks that have them, that do not bear on it.
    """

    name: str
    label: str
    colour: str
    marker: str
    saliency: Saliency
    block: str | None = None
    cascades: bool = False
    drops: tuple[str, ...] = ()

    @property
    def needs_prior(self) -> bool:
        """Whether it zooms by the data set's prior."""
        return self.saliency == "prior"

    @property
    def follows_frames(self) -> bool:
        """Whether frames must come in their order."""
        return self.saliency == "previous"


_ROWS = (
    Method("uniform", "Uniform", "#555555", "o", "none"),
    Method("lzu_fixed", "LZU, fixed", "#0072b2", "s", "prior", "fixed"),
    Method("lzu_adaptive", "LZU, adaptive", "#d55e00", "^", "previous", "adaptive", cascades=True),
    Method(
        name="lzu_adaptive_no_cascade",
        label="LZU, adaptive w/o cascade sal.",
        colour="#cc79a7",
        marker="v",
        saliency="previous",
        block="adaptive",
        drops=("cascade_from_epoch",),
    ),
    Method("lzu_learned", "LZU, learned", "#009e73", "P", "learned", "learned"),
    Method("fovea", "FOVEA", "#e69f00", "D", "prior", "fovea"),
    Method("lds", "LDS", "#56b4e9", "X", "own", "lds"),
    Method("es", "ES", "#9a7d0a", "p", "own", "es"),
)
METHODS: dict[str, Method] = {row.name: row for row in _ROWS}
BASELINE = METHODS["uniform"]
"""What all others are compared with."""
