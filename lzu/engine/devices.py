"""Taking GPUs of one machine for one job, so that jobs side by side do not share one.

Nothing here imports torch or mm*: they fix the visible devices as soon as they ask for them.
"""

import fcntl
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import metadata
from pathlib import Path

from lzu.errors import UserError


@contextmanager
def gpus_for(processes: int, launcher: str = "none") -> Iterator[None]:
    """Hold one GPU a process until the block ends, by CUDA_VISIBLE_DEVICES; nothing on a CPU.

    Slurm has chosen already, and so has torchrun's parent (`launcher`). Otherwise a file lock for
    each device, which the kernel frees when the process dies, keeps jobs apart: Snakemake counts
    GPUs on one machine but does not say which job has which. Waits until enough are free.

    Raises UserError if there are fewer GPUs than processes.
    """
    if launcher != "none" or "SLURM_JOB_ID" in os.environ:
        yield
        return
    devices = visible_gpus()
    if not devices:
        if processes > 1:
            raise UserError(f"--processes {processes}: no GPU can be used here; leave it at 1")
        yield
        return
    if len(devices) < processes:
        raise UserError(f"--processes {processes}: {len(devices)} GPUs can be used; ask for fewer")
    before = os.environ.get("CUDA_VISIBLE_DEVICES")
    with ExitStack() as locks:
        held = _try_locks(devices, processes, locks)
        while len(held) < processes:
            # All or none, or two jobs could wait for each other's for ever.
            locks.close()
            time.sleep(random.uniform(0.5, 2))
            held = _try_locks(devices, processes, locks)
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(held)
        try:
            yield
        finally:
            if before is None:
                del os.environ["CUDA_VISIBLE_DEVICES"]
            else:
                os.environ["CUDA_VISIBLE_DEVICES"] = before


def visible_gpus() -> list[str]:
    """The GPUs that this process may use: those in CUDA_VISIBLE_DEVICES, else all; none with a
    build of torch for the CPU."""
    if shutil.which("nvidia-smi") is None or "+cpu" in metadata.version("torch"):
        return []
    if "CUDA_VISIBLE_DEVICES" in os.environ:
        return [d for d in os.environ["CUDA_VISIBLE_DEVICES"].split(",") if d.strip()]
    listed = subprocess.run(["nvidia-smi", "--list-gpus"], capture_output=True, text=True)
    count = sum(line.startswith("GPU ") for line in listed.stdout.splitlines())
    return [str(device) for device in range(count)]


def train_together(processes: int, arguments: list[str]) -> None:
    """Run `lzu` with `arguments` under torchrun, in processes that share each batch.

    Raises CalledProcessError if they fail.
    """
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += [f"--nproc-per-node={processes}", "-m", "lzu.cli", *arguments]
    subprocess.run([*command, "--launcher", "pytorch"], check=True)


def _try_locks(devices: list[str], count: int, locks: ExitStack) -> list[str]:
    held: list[str] = []
    for device in devices:
        if len(held) < count and _lock(device, locks):
            held.append(device)
    return held


def _lock(device: str, locks: ExitStack) -> bool:
    name = f"lzu-{os.getuid()}-gpu{device.replace('/', '_')}.lock"
    file = (Path(tempfile.gettempdir()) / name).open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return False
    locks.callback(file.close)
    return True
