"""Argoverse-HD: layout, reader, validator, conversion to COCO, a split by sequence."""
