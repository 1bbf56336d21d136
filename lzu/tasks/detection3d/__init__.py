"""Monocular 3-D detection: FCOS3D on nuScenes."""
