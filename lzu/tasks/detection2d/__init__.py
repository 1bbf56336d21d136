"""2-D object detection: RetinaNet on Argoverse-HD (5.1)."""
