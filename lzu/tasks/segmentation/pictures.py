"""The pictures of segmentation that a suite makes, and of which runs."""

from lzu.experiments.task import Picture

PICTURES: tuple[Picture, ...] = ()
