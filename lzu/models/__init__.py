"""Thin adapters that put the warps into OpenMMLab models (the `openmmlab` extra)."""
