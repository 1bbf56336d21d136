"""Pictures of segmentation: a crop, its classes, images won and lost, accuracy by place."""
