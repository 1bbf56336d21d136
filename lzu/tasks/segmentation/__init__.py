"""Semantic segmentation: PSPNet on Cityscapes (5.2)."""
