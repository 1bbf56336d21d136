"""Cityscapes' classes: the ids that its label images hold, and the trainIds that count.

The table states the public definition of the dataset (`_gtFine_labelIds.png` holds ids,
`_gtFine_labelTrainIds.png` trainIds, `_gtFine_color.png` colours).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

IGNORE = 255
"""trainId of what does not count: neither learnt nor scored."""


@dataclass(frozen=True)
class Label:
    """A class of the dataset.

    Attributes:
        name: its name.
        id: value in `labelIds`; -1 (255 in an image of 8 bits) stands for license plates.
        train_id: value in `labelTrainIds`, 0 to 18 or `IGNORE`.
        category: group of classes.
        has_instances: whether single objects are told apart.
        ignore_in_eval: whether the official evaluation leaves its pixels out.
        colour: (red, green, blue).
    """

    name: str
    id: int
    train_id: int
    category: str
    has_instances: bool
    ignore_in_eval: bool
    colour: tuple[int, int, int]


LABELS: tuple[Label, ...] = (
    Label("unlabeled", 0, 255, "void", False, True, (0, 0, 0)),
    Label("ego vehicle", 1, 255, "void", False, True, (0, 0, 0)),
    Label("rectification border", 2, 255, "void", False, True, (0, 0, 0)),
    Label("out of roi", 3, 255, "void", False, True, (0, 0, 0)),
    Label("static", 4, 255, "void", False, True, (0, 0, 0)),
    Label("dynamic", 5, 255, "void", False, True, (111, 74, 0)),
    Label("ground", 6, 255, "void", False, True, (81, 0, 81)),
    Label("road", 7, 0, "flat", False, False, (128, 64, 128)),
    Label("sidewalk", 8, 1, "flat", False, False, (244, 35, 232)),
    Label("parking", 9, 255, "flat", False, True, (250, 170, 160)),
    Label("rail track", 10, 255, "flat", False, True, (230, 150, 140)),
    Label("building", 11, 2, "construction", False, False, (70, 70, 70)),
    Label("wall", 12, 3, "construction", False, False, (102, 102, 156)),
    Label("fence", 13, 4, "construction", False, False, (190, 153, 153)),
    Label("guard rail", 14, 255, "construction", False, True, (180, 165, 180)),
    Label("bridge", 15, 255, "construction", False, True, (150, 100, 100)),
    Label("tunnel", 16, 255, "construction", False, True, (150, 120, 90)),
    Label("pole", 17, 5, "object", False, False, (153, 153, 153)),
    Label("polegroup", 18, 255, "object", False, True, (153, 153, 153)),
    Label("traffic light", 19, 6, "object", False, False, (250, 170, 30)),
    Label("traffic sign", 20, 7, "object", False, False, (220, 220, 0)),
    Label("vegetation", 21, 8, "nature", False, False, (107, 142, 35)),
    Label("terrain", 22, 9, "nature", False, False, (152, 251, 152)),
    Label("sky", 23, 10, "sky", False, False, (70, 130, 180)),
    Label("person", 24, 11, "human", True, False, (220, 20, 60)),
    Label("rider", 25, 12, "human", True, False, (255, 0, 0)),
    Label("car", 26, 13, "vehicle", True, False, (0, 0, 142)),
    Label("truck", 27, 14, "vehicle", True, False, (0, 0, 70)),
    Label("bus", 28, 15, "vehicle", True, False, (0, 60, 100)),
    Label("caravan", 29, 255, "vehicle", True, True, (0, 0, 90)),
    Label("trailer", 30, 255, "vehicle", True, True, (0, 0, 110)),
    Label("train", 31, 16, "vehicle", True, False, (0, 80, 100)),
    Label("motorcycle", 32, 17, "vehicle", True, False, (0, 0, 230)),
    Label("bicycle", 33, 18, "vehicle", True, False, (119, 11, 32)),
    Label("license plate", -1, 255, "vehicle", False, True, (0, 0, 142)),
)

IDS: dict[str, int] = {label.name: label.id for label in LABELS}
"""Name -> id."""

_COUNTED = sorted((la for la in LABELS if la.train_id != IGNORE), key=lambda la: la.train_id)

CLASSES: tuple[str, ...] = tuple(label.name for label in _COUNTED)
"""Names of the 19 evaluated classes; the index is the trainId."""

CLASS_IDS: tuple[int, ...] = tuple(label.id for label in _COUNTED)
"""Id of each of `CLASSES`: what the official evaluation wants predictions to hold."""

UNKNOWN = 254
"""In a table of this module: of a value that no label image may hold."""


def _table(values: dict[int, int]) -> NDArray[np.uint8]:
    table = np.full(256, UNKNOWN, np.uint8)
    for value, becomes in values.items():
        table[value % 256] = becomes
    table.flags.writeable = False
    return table


TO_TRAIN_ID = _table({label.id: label.train_id for label in LABELS})
"""(256,) id, as 8 bits hold it -> trainId; `UNKNOWN` for the values that are no id."""

TRAIN_ID_VALUES = _table({train_id: train_id for train_id in (*range(len(CLASSES)), IGNORE)})
"""(256,) the values that a label image of trainIds may hold, each to itself; else `UNKNOWN`."""

COLOURS: NDArray[np.uint8] = np.zeros((256, 3), np.uint8)
"""(256, 3) red, green and blue of an id, as 8 bits hold it."""
for _label in LABELS:
    COLOURS[_label.id % 256] = _label.colour
COLOURS.flags.writeable = False

TRAIN_ID_COLOURS: NDArray[np.uint8] = np.zeros((256, 3), np.uint8)
"""(256, 3) red, green and blue of a trainId; black of what does not count."""
TRAIN_ID_COLOURS[: len(CLASSES)] = [label.colour for label in _COUNTED]
TRAIN_ID_COLOURS.flags.writeable = False
