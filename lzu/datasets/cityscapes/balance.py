"""How the pixels of the real Cityscapes are spread over its classes."""

TRAIN_SHARES = {
    "road": 36.9, "sidewalk": 6.1, "building": 22.8, "wall": 0.66, "fence": 0.88, "pole": 1.23,
    "traffic light": 0.21, "traffic sign": 0.55, "vegetation": 15.9, "terrain": 1.16, "sky": 4.0,
    "person": 1.22, "rider": 0.135, "car": 7.0, "truck": 0.27, "bus": 0.235, "train": 0.233,
    "motorcycle": 0.099, "bicycle": 0.41,
}  # fmt: skip
"""Percent of the counted pixels of the whole images of the training set, roughly."""
