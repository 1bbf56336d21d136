import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lzu.datasets.synthetic import WorldConfig
from lzu.datasets.synthetic.argoverse_writer import write_argoverse_hd

TINY = WorldConfig(
    width=320,
    height=200,
    seed=3,
    train_sequences=2,
    val_sequences=1,
    frames_per_sequence=3,
    frame_interval_s=1.0,
)


@pytest.fixture(scope="session")
def tiny_world() -> WorldConfig:
    return TINY


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny synthetic dataset that tests must not change."""
    return write_argoverse_hd(tmp_path_factory.mktemp("data") / "world", TINY)


@pytest.fixture
def root(written: Path, tmp_path: Path) -> Path:
    """A copy of the tiny dataset to break."""
    return Path(shutil.copytree(written, tmp_path / "world"))


@pytest.fixture
def edit(root: Path) -> Callable[[Callable[[dict[str, Any]], None]], Path]:
    """Change the training annotations of `root` by a function; returns their path."""
    path = root / "Argoverse-HD/annotations/train.json"

    def change(function: Callable[[dict[str, Any]], None]) -> Path:
        data = json.loads(path.read_text())
        function(data)
        path.write_text(json.dumps(data))
        return path

    return change
