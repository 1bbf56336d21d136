"""Taking GPUs of one machine for one job, so that jobs side by side do not share one.

Nothing here imports torch or mm*: they fix the visible devices as soon as they ask for them.
"""

import fcntl
import itertools
import os
import random
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib import metadata
from pathlib import Path

from lzu.errors import UserError


@contextmanager
def gpus_for(processes: int, launcher: str = "none") -> Iterator[None]:
    """Hold one GPU a process until the block ends, by CUDA_VISIBLE_DEVICES; nothing on a CPU.

    A file lock for each device, which the kernel frees when the process dies, keeps jobs apart:
    Snakemake counts GPUs on one machine, or in one allocation of a batch system, but does not say
    which job has which. Waits until enough are free. A batch system's own choice stands: what it
    leaves in CUDA_VISIBLE_DEVICES is all that there is to take. torchrun's parent has chosen
    already (`launcher`).

    Raises UserError if there are fewer GPUs than processes, or locks cannot be kept safely.
    """
    if launcher != "none":
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
    names = _physical_names(devices)
    before = os.environ.get("CUDA_VISIBLE_DEVICES")
    with ExitStack() as locks:
        held = _try_locks(names, processes, locks)
        while len(held) < processes:
            # All or none, or two jobs could wait for each other's for ever.
            locks.close()
            time.sleep(random.uniform(0.5, 2))
            held = _try_locks(names, processes, locks)
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
        given = (device.strip() for device in os.environ["CUDA_VISIBLE_DEVICES"].split(","))
        # CUDA stops at the first that is none: -1, NoDevFiles, void.
        usable = re.compile(r"\d+|GPU-.+|MIG-.+").fullmatch
        return list(itertools.takewhile(usable, given))
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


def _try_locks(names: dict[str, str], count: int, locks: ExitStack) -> list[str]:
    """The devices, at most `count`, whose locks could be taken; `names` are the physical ones."""
    held: list[str] = []
    for device, name in names.items():
        if len(held) < count and _lock(name, locks):
            held.append(device)
    return held


def _physical_names(devices: list[str]) -> dict[str, str]:
    """Device -> what it is called on the whole machine: its UUID, or itself if that is not known.

    Batch systems that hide the GPUs of others number each allocation's from 0.
    """
    command = ["nvidia-smi", "--query-gpu=index,uuid", "--format=csv,noheader"]
    if shutil.which(command[0]) is None:
        return {device: device for device in devices}
    listed = subprocess.run(command, capture_output=True, text=True).stdout
    rows = (line.split(", ") for line in listed.splitlines() if ", " in line)
    known = {index.strip(): uuid.strip() for index, uuid in rows}
    return {device: known.get(device, device) for device in devices}


def _lock(device: str, locks: ExitStack) -> bool:
    path = _lock_folder() / f"gpu{device.replace('/', '_')}.lock"
    try:
        # Neither followed nor emptied: what lies there need not be ours.
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise UserError(
            f"{path}: no lock for a GPU can be kept there ({error.strerror}); remove it"
        ) from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return False
    locks.callback(os.close, file)
    return True


def _lock_folder() -> Path:
    """This user's own folder in the shared temporary one; UserError if others could write to it."""
    folder = Path(tempfile.gettempdir()) / f"lzu-{os.getuid()}"
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    state = folder.lstat()
    own = stat.S_ISDIR(state.st_mode) and state.st_uid == os.getuid()
    if not own or state.st_mode & 0o077:
        raise UserError(
            f"{folder}: GPUs are locked in there, and it is no folder of this user's alone (mode "
            "700); remove it, or set TMPDIR to another folder on every job of this machine"
        )
    return folder
