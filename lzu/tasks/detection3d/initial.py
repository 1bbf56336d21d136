"""What a 3-D detector starts from."""

from pathlib import Path

from torch import nn

from lzu.engine.weights import load_whole, read_state


def fit_weights(model: nn.Module, path: Path) -> None:
    """Load a whole detector of the suite's classes; UserError if it does not fit."""
    load_whole(model, read_state(path), path)
