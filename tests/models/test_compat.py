"""The bridges between versions of the OpenMMLab packages."""

import os
import pickle
import subprocess
import sys

import pytest
import torch

pytest.importorskip("mmengine")

from mmengine.model import initialize
from mmengine.runner import checkpoint
from mmengine.runner import load_checkpoint as mmengine_load
from mmengine.utils import digit_version

from lzu.errors import UserError
from lzu.models.compat import import_mmdet3d, strict_loading
from tests.engine.planted import PLANTS, plant

FORCED = ("TORCH_FORCE_WEIGHTS_ONLY_LOAD", "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD")


def ways(path):
    """How mmengine reads a checkpoint for us: by the runner, and as a part's first weights."""
    layer = torch.nn.Linear(2, 2)
    pretrained = {"type": "Pretrained", "checkpoint": str(path)}
    return {
        "runner": lambda: mmengine_load(layer, str(path)),
        "init_cfg": lambda: initialize(layer, pretrained),
        "part of one": lambda: initialize(layer, {**pretrained, "prefix": "backbone"}),
        "itself": lambda: torch.load(path, weights_only=False),
    }


@pytest.mark.parametrize("way", ways(None))
@pytest.mark.parametrize("kind", PLANTS)
def test_nothing_in_a_checkpoint_is_run(tmp_path, way, kind, monkeypatch):
    """Though the caller, the environment or the packages would have it."""
    monkeypatch.setenv(FORCED[1], "1")
    path, proof = plant(tmp_path, kind)
    error = pickle.UnpicklingError if way == "itself" else UserError
    with strict_loading(), pytest.raises(error):
        ways(path)[way]()
    assert not proof.exists()


def test_weights_are_read_and_all_is_as_before_afterwards(tmp_path, monkeypatch):
    monkeypatch.setenv(FORCED[1], "1")
    monkeypatch.delenv(FORCED[0], raising=False)
    own = checkpoint._safe_torch_load
    layer, path = torch.nn.Linear(2, 2), tmp_path / "own.pth"
    expected = {"weight": torch.ones(2, 2), "bias": torch.ones(2)}
    torch.save({"state_dict": expected}, path)
    with strict_loading():
        initialize(layer, {"type": "Pretrained", "checkpoint": str(path)})
    torch.testing.assert_close(dict(layer.state_dict()), expected)
    assert checkpoint._safe_torch_load is own
    assert [os.environ.get(name) for name in FORCED] == [None, "1"]


def test_mmdet3d_imports_beside_the_fork_and_versions_are_put_back():
    mmcv, mmdet = pytest.importorskip("mmcv"), pytest.importorskip("mmdet")
    pytest.importorskip("nuscenes")
    before = mmcv.__version__, mmdet.__version__
    assert import_mmdet3d().__version__.startswith("1.4")
    assert (mmcv.__version__, mmdet.__version__) == before


WITHOUT_LYFT = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "lyft_dataset_sdk":
            raise ModuleNotFoundError(name)

import importlib.util
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *a: None if name.startswith("lyft") else found(name, *a)
sys.meta_path.insert(0, Absent())
from lzu.models.compat import import_mmdet3d

import_mmdet3d()
from mmdet3d.models.detectors import FCOSMono3D
from mmdet3d.registry import METRICS, MODELS

left = [name for name in sys.modules if name.startswith("lyft")]
print(left, METRICS.get("NuScenesMetric").__name__)
try:
    sys.modules["mmdet3d.evaluation.functional.lyft_eval"].get_ap()
except ImportError as error:
    print(error)
"""


def test_mmdet3d_and_its_evaluation_need_no_lyft_dataset_sdk():
    pytest.importorskip("nuscenes")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", WITHOUT_LYFT], capture_output=True, text=True
    )
    lines = done.stdout.splitlines()[-2:]
    assert lines == [
        "[] NuScenesMetric",
        "lyft-dataset-sdk is needed for Lyft's data, and is not installed",
    ], done.stderr


NEEDED = """
import importlib.util
import sys

sys.modules["lyft_dataset_sdk"] = None  # as if it were not installed
try:
    import mmdet3d
except AssertionError as error:
    print("versions:", error)
import mmcv, mmdet
mmcv.__version__, mmdet.__version__ = "2.1.0", "3.3.0"
try:
    import mmdet3d.evaluation
except ImportError as error:
    print("lyft:", error)
"""


def test_the_bridge_to_mmdet3d_is_still_needed():
    """When this fails, the part of `import_mmdet3d` that it names can go."""
    mmcv, mmdet = pytest.importorskip("mmcv"), pytest.importorskip("mmdet")
    pytest.importorskip("nuscenes")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", NEEDED], capture_output=True, text=True
    )
    newer = digit_version(mmcv.__version__) >= digit_version("2.2.0")
    newer |= digit_version(mmdet.__version__) >= digit_version("3.4.0")
    assert ("versions:" in done.stdout) == newer, "mmdet3d takes these versions of mmcv and mmdet"
    assert "lyft:" in done.stdout, "mmdet3d's evaluation asks for lyft-dataset-sdk no more"
