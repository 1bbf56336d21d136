"""Pictures of 3-D detection: images won and lost, also from above, an image and its boxes."""
