"""GPUs are shared out before anything can have fixed which ones are seen."""

import os
import subprocess
import sys
import threading

import pytest

from lzu.engine import devices
from lzu.errors import UserError

ENTERED = """
import sys
from lzu.errors import UserError
from lzu.engine import devices

def entered(*arguments):
    loaded = {"torch", "mmengine", "mmcv", "mmdet"} & set(sys.modules)
    raise UserError(f"entered with {sorted(loaded)}")

devices.gpus_for = entered
from lzu.cli import main

sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(autouse=True)
def two_gpus(monkeypatch, tmp_path):
    monkeypatch.setattr(devices, "visible_gpus", lambda: ["0", "1"])
    monkeypatch.setattr(devices.tempfile, "gettempdir", lambda: str(tmp_path))
    for name in ("CUDA_VISIBLE_DEVICES", "SLURM_JOB_ID"):
        monkeypatch.delenv(name, raising=False)


def chosen():
    return os.environ.get("CUDA_VISIBLE_DEVICES")


def test_jobs_side_by_side_get_different_gpus():
    with devices.gpus_for(1):
        assert chosen() == "0"
        with devices.gpus_for(1):
            assert chosen() == "1"
        assert chosen() == "0"
    assert chosen() is None


def test_a_job_waits_until_enough_are_free():
    seen = []

    def wants_both():
        with devices.gpus_for(2):
            seen.append(chosen())

    thread = threading.Thread(target=wants_both)
    with devices.gpus_for(1):
        thread.start()
        thread.join(timeout=0.3)
        assert seen == []
    thread.join(timeout=20)
    assert seen == ["0,1"]


def test_more_than_there_are_is_an_error():
    with pytest.raises(UserError, match="2 GPUs can be used"), devices.gpus_for(3):
        pass


def test_slurm_s_choice_stays(monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5")
    with devices.gpus_for(1):
        assert chosen() == "5"


def test_nothing_is_taken_without_gpus(monkeypatch):
    monkeypatch.setattr(devices, "visible_gpus", list)
    with devices.gpus_for(1):
        assert chosen() is None


@pytest.mark.parametrize("verb", ["train", "predict", "time"])
def test_neither_torch_nor_mm_is_loaded_before(request, verb):
    config = request.config.rootpath / "config" / "smoke.yaml"
    of_run = [] if verb == "time" else ["--method", "uniform", "--to", "0.5"]
    command = [sys.executable, "-c", ENTERED, verb, "--config", str(config), *of_run]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stderr.strip() == "lzu: entered with []"
