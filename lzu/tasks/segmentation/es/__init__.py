"""Efficient Segmentation (ES): samples drawn towards semantic boundaries, where a network says."""
