"""Scores of class maps: intersection over union, boundaries, uncertainty over cities or sequences.

NumPy and OpenCV alone.
"""
