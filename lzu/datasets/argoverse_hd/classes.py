"""Argoverse-HD's classes, and their places among those of COCO."""

CLASSES: tuple[str, ...] = (
    "person",
    "bicycle",
    "car",
    "motorcycle",
    "bus",
    "truck",
    "traffic_light",
    "stop_sign",
)
"""Argoverse-HD's classes; the index is the category id."""

COCO_INDICES: tuple[int, ...] = (0, 1, 2, 3, 5, 7, 9, 11)
"""Index of each of `CLASSES` among the 80 classes of COCO detection."""

COCO_UNMAPPED = 80
"""Argoverse-HD's mark for a COCO class that it does not have."""


def coco_mapping() -> list[int]:
    """Argoverse-HD's `coco_mapping`: for each of COCO's 80 classes our id, or `COCO_UNMAPPED`."""
    mapping = [COCO_UNMAPPED] * 80
    for category, index in enumerate(COCO_INDICES):
        mapping[index] = category
    return mapping
