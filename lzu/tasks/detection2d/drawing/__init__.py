"""Pictures of detection: images won and lost, videos followed, a frame and its boxes."""
