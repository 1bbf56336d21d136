"""Taking GPUs of one machine for one job, so that jobs side by side do not share one."""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from lzu.errors import UserError


@contextmanager
def gpus_for(processes: int, launcher: str = "none") -> Iterator[None]:
    """Hold one GPU a process until the block ends, by CUDA_VISIBLE_DEVICES; nothing on a CPU.

    A scheduler that has set CUDA_VISIBLE_DEVICES has chosen already, and that choice stays; so
    has torchrun's parent (`launcher`). Otherwise a file lock for each device, which the kernel
    frees when the process dies, keeps jobs apart: Snakemake counts GPUs on one machine but does
    not say which job has which. Waits until enough are free.

    Raises UserError if there are fewer GPUs than processes.
    """
    present = _count_gpus()
    if present == 0 or launcher != "none" or "CUDA_VISIBLE_DEVICES" in os.environ:
        yield
        return
    if present < processes:
        raise UserError(f"--processes {processes}: this machine has {present} GPUs; ask for fewer")
    with ExitStack() as locks:
        held: list[int] = []
        while len(held) < processes:
            for device in sorted(set(range(present)) - set(held)):
                if len(held) < processes and _lock(device, locks):
                    held.append(device)
            if len(held) < processes:
                time.sleep(1)
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(map(str, sorted(held)))
        try:
            yield
        finally:
            del os.environ["CUDA_VISIBLE_DEVICES"]


def train_together(processes: int, arguments: list[str]) -> None:
    """Run `lzu` with `arguments` under torchrun, in processes that share each batch.

    Raises UserError or CalledProcessError if they fail.
    """
    with gpus_for(processes):
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
        command += [f"--nproc-per-node={processes}", "-m", "lzu.cli", *arguments]
        subprocess.run([*command, "--launcher", "pytorch"], check=True)


def _count_gpus() -> int:
    # Not by CUDA, which once asked would not see a later CUDA_VISIBLE_DEVICES.
    if shutil.which("nvidia-smi") is None:
        return 0
    listed = subprocess.run(["nvidia-smi", "--list-gpus"], capture_output=True, text=True)
    return sum(line.startswith("GPU ") for line in listed.stdout.splitlines())


def _lock(device: int, locks: ExitStack) -> bool:
    file = (Path(tempfile.gettempdir()) / f"lzu-gpu{device}.lock").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return False
    locks.callback(file.close)
    return True
