"""Which boxes of a prepared file are objects to learn, and which are something else.

Every box of the data is in the file; what it counts for differs:

- A *crowd* (COCO's iscrowd) is a region with many objects that are not boxed one by one. It is no
  object: training has no such target and the prior is not made of it. In scoring, as in COCO, it
  need not be found, and what is detected within it is no mistake.
- A *subpixel* box is less than a pixel wide or high, in native pixels. mmdet trains on none, and
  the prior is made of none. Scoring counts it as any other, as COCO's does: what is hard to see is
  to be found all the same.

All others are *objects*, whatever scale they are then seen at: at 0.25x, one of 3 native pixels is
narrower than a pixel and still a target.
"""

from collections.abc import Iterable, Sequence
from typing import Any

SMALLEST_SIDE = 1
"""Of an object, in native pixels."""


def is_crowd(record: dict[str, Any]) -> bool:
    """Whether a record's box is a crowd."""
    return bool(record.get("iscrowd", 0))


def is_subpixel(box: Sequence[float]) -> bool:
    """Whether a box [left, top, width, height] is too thin to be trained on."""
    return min(box[2], box[3]) < SMALLEST_SIDE


def objects(records: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The records of a prepared file that are objects, in their order."""
    return [r for r in records if not is_crowd(r) and not is_subpixel(r["bbox"])]


def counts(records: Iterable[dict[str, Any]]) -> dict[str, int]:
    """How many boxes are no objects; a subpixel crowd is a crowd."""
    crowds = subpixel = 0
    for record in records:
        crowds += is_crowd(record)
        subpixel += not is_crowd(record) and is_subpixel(record["bbox"])
    return {"crowd_boxes": crowds, "subpixel_boxes": subpixel}
