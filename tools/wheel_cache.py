"""Compiled wheels, kept between clones where nobody else can put or change one."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from console import SetupError

RECORD = "SHA256SUMS"


def cache_root(environ: Mapping[str, str] = os.environ) -> Path:
    """Where wheels are kept between clones: $LZU_CACHE, or lzu in the user's cache directory."""
    if own := environ.get("LZU_CACHE"):
        return Path(own)
    return Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lzu"


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds an exclusive lock on a file; says so when it has to wait.

    Raises SetupError if the file is a link: what it leads to is not ours to open.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise SetupError(f"{path} cannot be locked ({error.strerror}): remove it") from None
    with os.fdopen(descriptor, "r+"):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"waiting for another set-up ({path})", flush=True)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_private(path: Path) -> None:
    """Raises SetupError unless only this user (or root) can change what is at `path`."""
    state = path.stat()
    if state.st_uid not in (os.geteuid(), 0):
        whose = f"belongs to user {state.st_uid}"
    elif state.st_mode & 0o022:
        whose = f"can be written by others (mode {state.st_mode & 0o7777:o})"
    else:
        return
    raise SetupError(
        f"{path} {whose}, so nothing is installed from it: chmod go-w it if it is yours and all "
        "that is in it is known, or set LZU_CACHE to a folder of your own"
    )


def make_private(folder: Path) -> None:
    """Makes a cache folder two below the cache's root, and the root, for this user alone.

    Raises SetupError if one is there that others can write to.
    """
    root = folder.parent.parent
    root.parent.mkdir(parents=True, exist_ok=True)
    for part in (root, folder.parent, folder):
        part.mkdir(mode=0o700, exist_ok=True)
        check_private(part)


def recorded_wheel(folder: Path) -> Path | None:
    """The wheel that `cached_wheel` kept in `folder`, if one is there.

    Raises SetupError if it is not the file that was kept, or others can write to it.
    """
    record = folder / RECORD
    if not record.exists():
        return None
    check_private(record)
    found = re.fullmatch(r"([0-9a-f]{64})  ([^/\s]+\.whl)\n", record.read_text(errors="replace"))
    wheel = folder / found.group(2) if found else None
    if wheel is None or not wheel.is_file() or digest(wheel) != found.group(1):
        raise SetupError(
            f"{wheel or record} is not what was kept there (its SHA-256 is not that of {RECORD}): "
            f"remove {folder}, and it is built again"
        )
    check_private(wheel)
    return wheel


def cached_wheel(folder: Path, build: Callable[[Path], Path]) -> tuple[Path, bool]:
    """The wheel in `folder` and whether it was there already; `build(scratch)` makes it if not.

    Several processes may ask at once: one builds, the others wait and find it. A wheel counts only
    with its digest, which is written last; any other that lies there is not used.
    """
    make_private(folder)
    with locked(folder.with_name(folder.name + ".lock")):
        if wheel := recorded_wheel(folder):
            return wheel, True
        for stray in sorted(folder.glob("*.whl")):
            print(f"{stray} has no recorded digest and is not used", flush=True)
        with tempfile.TemporaryDirectory(prefix="lzu-mmcv-") as scratch:
            built = build(Path(scratch))
            kept = folder / built.name
            for name, content in (
                (built.name, built.read_bytes()),
                (RECORD, f"{digest(built)}  {built.name}\n".encode()),
            ):
                partial = folder / (name + ".partial")
                partial.unlink(missing_ok=True)
                with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as f:
                    f.write(content)
                os.replace(partial, folder / name)
        return kept, False
