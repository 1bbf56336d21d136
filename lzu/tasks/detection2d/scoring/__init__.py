"""COCO average precision of detections: matching, sizes, uncertainty over sequences."""
