"""The folder of a training that is under way: one owner, and nothing of another training in it."""

import fcntl
import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lzu.errors import UserError
from lzu.files import write_text


@contextmanager
def training_session(folder: Path, stamp: str) -> Iterator[None]:
    """Own `folder` while a training writes its checkpoints there; remove it if that succeeds.

    What an interrupted training left is kept if its `stamp` is the same, and cleared if it was of
    other settings or data. After a failure or a kill the folder stays, to go on from.

    Raises UserError if another process is training in it.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock_path = folder.with_name(f"{folder.name}.lock")
    with lock_path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                f"{folder}: another process trains this run; wait for it, or stop it"
            ) from None
        mark = folder / "stamp"
        if folder.exists() and not (mark.is_file() and mark.read_bytes() == stamp.encode()):
            shutil.rmtree(folder)
        folder.mkdir(exist_ok=True)
        for unfinished in folder.glob(".*.partial*"):
            unfinished.unlink()
        write_text(mark, stamp)
        yield
        # First the stamp: a kill while the folder goes must not leave half of one to resume from.
        mark.unlink()
        logging.shutdown()
        # On NFS, files that are still open keep their folder; the results are complete without.
        shutil.rmtree(folder, ignore_errors=True)
    lock_path.unlink(missing_ok=True)
