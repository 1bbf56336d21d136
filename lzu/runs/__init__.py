"""Train, predict, score and time one run (the `openmmlab` extra; to score, numpy alone)."""
