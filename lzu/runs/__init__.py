"""Train, predict, score and time one run (the `openmmlab` extra; scoring needs pycocotools alone)."""
