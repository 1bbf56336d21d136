"""Class names and identifiers shared by the readers and the synthetic world."""

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

TRAIN_IDS: dict[str, int] = {
    "road": 0,
    "sidewalk": 1,
    "building": 2,
    "wall": 3,
    "fence": 4,
    "pole": 5,
    "traffic light": 6,
    "traffic sign": 7,
    "vegetation": 8,
    "terrain": 9,
    "sky": 10,
    "person": 11,
    "rider": 12,
    "car": 13,
    "truck": 14,
    "bus": 15,
    "train": 16,
    "motorcycle": 17,
    "bicycle": 18,
}
"""Cityscapes' 19 evaluated classes and their trainIds."""


def coco_mapping() -> list[int]:
    """Argoverse-HD's `coco_mapping`: for each of COCO's 80 classes our id, or `COCO_UNMAPPED`."""
    mapping = [COCO_UNMAPPED] * 80
    for category, index in enumerate(COCO_INDICES):
        mapping[index] = category
    return mapping
