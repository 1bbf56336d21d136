"""Cityscapes: classes, layout, reader, validator, listing, crop, a mini-validation split."""
