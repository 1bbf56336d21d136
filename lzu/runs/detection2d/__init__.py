"""2-D detection on Argoverse-HD with mmdet (5.1)."""
