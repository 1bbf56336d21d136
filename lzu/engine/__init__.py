"""Train, predict, score and time runs of any task (the `openmmlab` extra)."""
