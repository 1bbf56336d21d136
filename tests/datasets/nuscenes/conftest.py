import copy
import json
from pathlib import Path

import pytest

from lzu.datasets.nuscenes.prepare import prepare
from tests.datasets.nuscenes import maker

SIZE = (90, 160)


@pytest.fixture(scope="session")
def made():
    """Tables that no test may change."""
    return maker.tables()


@pytest.fixture(scope="session")
def whole(made, tmp_path_factory) -> Path:
    """A data set of three scenes, with images of the real size; no test may change it."""
    return maker.write(tmp_path_factory.mktemp("nuscenes") / "whole", made)


@pytest.fixture(scope="session")
def prepared(whole, tmp_path_factory) -> Path:
    """The prepared file of its training split."""
    folder = tmp_path_factory.mktemp("prepared")
    prepare(whole, maker.VERSION, "train", folder / "train.json", folder / "about.json")
    return folder / "train.json"


@pytest.fixture(scope="session")
def devkit(whole):
    """The devkit's own reader of it."""
    from nuscenes import NuScenes

    return NuScenes(maker.VERSION, str(whole), verbose=False)


@pytest.fixture(scope="session")
def small_made():
    return maker.tables(1, samples=3, objects=12, size=SIZE)


@pytest.fixture
def small(small_made, tmp_path):
    """A data set with small images, and its tables, to break: (root, tables, write again)."""
    tables, root = copy.deepcopy(small_made), tmp_path / "nuscenes"
    maker.write(root, tables)

    def again(*names):
        for name in names:
            path = root / maker.VERSION / f"{name}.json"
            path.write_text(json.dumps(tables[name]))

    return root, tables, again
