"""GPUs are shared out before anything can have fixed which ones are seen."""

import os
import subprocess
import sys
import threading

import pytest

from lzu.engine import devices
from lzu.errors import UserError

VISIBLE_GPUS = devices.visible_gpus
BATCH_SYSTEMS = ("SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID", "JOB_ID")

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
    for name in ("CUDA_VISIBLE_DEVICES", *BATCH_SYSTEMS):
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


@pytest.mark.parametrize("batch", BATCH_SYSTEMS)
def test_a_batch_system_s_choice_stays(monkeypatch, batch):
    monkeypatch.setattr(devices, "visible_gpus", VISIBLE_GPUS)
    monkeypatch.setattr(devices.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(devices.metadata, "version", lambda name: "2.13.0")
    monkeypatch.setattr(devices, "_physical_names", lambda devices: {d: d for d in devices})
    monkeypatch.setenv(batch, "7")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5")
    with devices.gpus_for(1):
        assert chosen() == "5"


@pytest.mark.parametrize(
    ("given", "usable"),
    [
        ("0,2", ["0", "2"]),
        (" 0, 1", ["0", "1"]),
        ("-1", []),
        ("", []),
        ("NoDevFiles", []),
        ("1,-1,0", ["1"]),
        ("GPU-ab12,MIG-34", ["GPU-ab12", "MIG-34"]),
    ],
)
def test_what_is_no_device_ends_the_list(monkeypatch, given, usable):
    monkeypatch.setattr(devices.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(devices.metadata, "version", lambda name: "2.13.0")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
    assert VISIBLE_GPUS() == usable


HOLDS_ONE = """
import sys
from lzu.engine import devices

devices.visible_gpus = lambda: sys.argv[1].split(",")
with devices.gpus_for(1):
    print(devices.os.environ["CUDA_VISIBLE_DEVICES"], flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("batch", BATCH_SYSTEMS)
def test_jobs_within_one_allocation_get_different_gpus(batch, tmp_path):
    env = {**os.environ, batch: "7", "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", HOLDS_ONE, "2,3,6"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "env": env}
    jobs = [subprocess.Popen(command, **pipes) for _ in range(3)]
    try:
        taken = [job.stdout.readline().strip() for job in jobs]
        assert sorted(taken) == ["2", "3", "6"]
    finally:
        for job in jobs:
            job.communicate("")


def test_allocations_that_number_from_0_do_not_wait_for_each_other(monkeypatch, tmp_path):
    """Each sees its own GPU alone, as number 0; the driver tells them apart."""
    nvidia_smi = tmp_path / "nvidia-smi"
    nvidia_smi.write_text('#!/bin/sh\necho "0, $ITS_GPU"\n')
    nvidia_smi.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(devices, "visible_gpus", lambda: ["0"])
    monkeypatch.setenv("ITS_GPU", "GPU-aaaa")
    with devices.gpus_for(1):
        monkeypatch.setenv("ITS_GPU", "GPU-bbbb")
        with devices.gpus_for(1):
            assert chosen() == "0"
        names = sorted(path.name for path in (tmp_path / f"lzu-{os.getuid()}").iterdir())
    assert names == ["gpuGPU-aaaa.lock", "gpuGPU-bbbb.lock"]


def test_a_planted_link_is_neither_followed_nor_emptied(tmp_path):
    mine = tmp_path / "mine"
    mine.write_text("precious")
    folder = tmp_path / f"lzu-{os.getuid()}"
    folder.mkdir(mode=0o700)
    (folder / "gpu0.lock").symlink_to(mine)
    with pytest.raises(UserError, match=r"gpu0\.lock: no lock"), devices.gpus_for(1):
        pass
    assert mine.read_text() == "precious"


def test_what_lies_in_a_lock_file_stays(tmp_path):
    folder = tmp_path / f"lzu-{os.getuid()}"
    folder.mkdir(mode=0o700)
    (folder / "gpu0.lock").write_text("kept")
    with devices.gpus_for(1):
        assert chosen() == "0"
    assert (folder / "gpu0.lock").read_text() == "kept"


@pytest.mark.parametrize("kind", ["link", "open to others", "a file"])
def test_a_folder_that_others_can_write_to_holds_no_locks(tmp_path, kind):
    folder = tmp_path / f"lzu-{os.getuid()}"
    if kind == "link":
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        folder.symlink_to(tmp_path / "elsewhere")
    elif kind == "a file":
        folder.touch()
    else:
        folder.mkdir()
        folder.chmod(0o777)
    with pytest.raises(UserError, match="no folder of this user's alone"), devices.gpus_for(1):
        pass
    assert not (tmp_path / "elsewhere").exists() or not any((tmp_path / "elsewhere").iterdir())


def test_nothing_is_taken_without_gpus(monkeypatch):
    monkeypatch.setattr(devices, "visible_gpus", list)
    with devices.gpus_for(1):
        assert chosen() is None


@pytest.mark.parametrize("verb", ["train", "predict", "time"])
def test_neither_torch_nor_mm_is_loaded_before(request, verb):
    config = request.config.rootpath / "config" / "smoke.yaml"
    of_run = [] if verb == "time" else ["--method", "uniform", "--to", "0.5"]
    words = ["--config", str(config), "--task", "detection2d", *of_run]
    command = [sys.executable, "-c", ENTERED, verb, *words]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stderr.strip() == "lzu: entered with []"
