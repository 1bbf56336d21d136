"""The synthetic world: one 3-D scene generator behind every synthetic dataset."""

from lzu.datasets.synthetic.config import WorldConfig

__all__ = ["WorldConfig"]
