"""Writing the splits of a synthetic world below a root, in any dataset's layout: repeatable, in
processes, all or nothing, and deleting nothing but what it wrote."""

import hashlib
import json
import multiprocessing
import os
import re
import shutil
import socket
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2

from lzu.datasets.marks import MARKERS, SEALS, identity, is_synthetic
from lzu.datasets.synthetic.config import SPLITS, WorldConfig
from lzu.datasets.synthetic.ownership import Part, is_leftover, refuse_foreign
from lzu.errors import UserError
from lzu.files import write_text

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class WorldFormat:
    """A dataset's layout, as a world is written in it.

    Attributes:
        name: of the layout, in the marks.
        parts: split -> what it consists of below the root.
        write_sequence: (folder, world, split, index) -> writes a sequence's files below `folder`,
            and returns what `finish` needs of it; runs in other processes, so a function of a
            module.
        finish: (folder, world, split, what the sequences returned, in order) -> writes what is of
            the whole split; every part must then be there.
        source: the file of the module that it is defined in.
    """

    name: str
    parts: Callable[[str], tuple[Part, ...]]
    write_sequence: Callable[[Path, WorldConfig, str, int], Any]
    finish: Callable[[Path, WorldConfig, str, list[Any]], None]
    source: str


def generator_version(form: WorldFormat) -> str:
    """Hash of the generator's source: worlds of different versions are not comparable."""
    digest = hashlib.sha256()
    folder = Path(__file__).parent
    common = [path for path in folder.glob("*.py") if not path.name.endswith("_writer.py")]
    classes = folder.parent.glob("*/classes.py")
    for path in sorted([*common, *classes, Path(form.source)]):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def provenance(form: WorldFormat, world: WorldConfig, split: str) -> dict[str, Any]:
    """What the mark of a split holds: how to make the same data again."""
    return {
        **identity(form.name, split),
        "config": world.of_split(split),
        "generator_version": generator_version(form),
        "opencv": cv2.__version__,
    }


def write_world(
    form: WorldFormat,
    root: str | os.PathLike[str],
    world: WorldConfig,
    jobs: int = 1,
    progress: Progress | None = None,
    splits: Sequence[str] = SPLITS,
) -> Path:
    """Write splits of `world` below `root`; returns `root`.

    A split is written beside `root` and moved there at its end; its mark comes last, so that one
    that was interrupted is made again. A split that is there already, of the settings that it
    depends on, is left alone, except that a missing mark is written again; another one is replaced.

    Args:
        form: the layout.
        root: folder that is to hold its parts and a mark for each split.
        world: what to make.
        jobs: number of processes; the bytes do not depend on it.
        progress: called with the number of sequences done and their total, split by split.
        splits: which ones.

    Raises:
        UserError: `root` holds something else than a synthetic world of this layout, or what is to
            be replaced there is not ours, or lies behind a link. `root` itself may be a link.
    """
    if jobs < 1:
        raise ValueError(f"jobs must be at least 1, not {jobs}")
    root = Path(root)
    for split in splits:
        _write_split(form, root, world, split, jobs, progress)
    return root


def _write_split(
    form: WorldFormat,
    root: Path,
    world: WorldConfig,
    split: str,
    jobs: int,
    progress: Progress | None,
) -> None:
    marker, parts = provenance(form, world, split), form.parts(split)
    text = json.dumps(marker, indent=1, sort_keys=True) + "\n"
    mark, seal = root / MARKERS[split], root / SEALS[split]
    if _holds(form, root, seal, marker):
        if not mark.exists():
            write_text(mark, text)
        return
    refuse_foreign(root, parts, split)
    _clear_leftovers(form, root)
    root.parent.mkdir(parents=True, exist_ok=True)
    # The last part is drawn: in containers, other writers may have this name and number.
    beginning = f".{root.name}.{_host()}.{os.getpid()}.{split}."
    temporary = Path(tempfile.mkdtemp(".partial", beginning, root.parent))
    try:
        _make(form, temporary, world, split, jobs, progress)
        root.mkdir(exist_ok=True)
        refuse_foreign(root, parts, split)
        # From here on until its mark is there the split is not whole, and the seal says so; but the
        # folder is known for ours, or a killed writer could not be followed by another.
        write_text(seal, json.dumps({**identity(form.name, split), "unfinished": True}) + "\n")
        mark.unlink(missing_ok=True)
        for part in parts:
            (root / part.path).parent.mkdir(parents=True, exist_ok=True)
        for part in parts:
            if part.levels is not None and (root / part.path).exists():
                shutil.rmtree(root / part.path)
            (temporary / part.path).replace(root / part.path)
        for path in (seal, mark):
            write_text(path, text)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _holds(form: WorldFormat, root: Path, seal: Path, marker: dict[str, Any]) -> bool:
    """Whether `root` holds the split of `marker`; refuses folders that we did not make."""
    if not root.exists():
        return False
    if not root.is_dir():
        raise UserError(f"{root} is a file: give a folder for the synthetic world")
    if any(root.iterdir()) and not is_synthetic(root, form.name):
        raise UserError(
            f"{root} is not empty and has no {' or '.join(SEALS.values())} of ours, so it is no "
            f"synthetic world of the format {form.name}: give another folder, or remove this one"
        )
    try:
        return bool(json.loads(seal.read_text()) == marker)
    except (OSError, ValueError, RecursionError):
        return False


def _host() -> str:
    return socket.gethostname().replace(".", "-")


def _clear_leftovers(form: WorldFormat, root: Path) -> None:
    """Remove what killed writers of the same root have left on this machine."""
    left = re.compile(
        rf"\.{re.escape(root.name)}\.{re.escape(_host())}\.(\d+)\.(train|val)\.\w+\.partial"
    )
    for path in root.parent.glob(".*.partial"):
        found = left.fullmatch(path.name)
        if found and not _alive(int(found[1])) and is_leftover(path, form.parts(found[2])):
            shutil.rmtree(path, ignore_errors=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True


def _make(
    form: WorldFormat,
    folder: Path,
    world: WorldConfig,
    split: str,
    jobs: int,
    progress: Progress | None,
) -> None:
    """Write all parts of a split below a new folder."""
    count = world.sequences(split)
    work = partial(_one_sequence, form.write_sequence, folder, world, split)
    results: list[Any] = []

    def collect(outputs: Any) -> None:
        for done, result in enumerate(outputs, 1):
            results.append(result)
            if progress is not None:
                progress(done, count)

    if jobs == 1 or count < 2:
        collect(map(work, range(count)))
    else:
        # Spawned, because a caller may have threads (PyTorch's, OpenCV's) that do not survive a
        # fork.
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(min(jobs, count), mp_context=context) as pool:
            collect(pool.map(work, range(count)))
    for part in form.parts(split):
        if part.levels is not None:
            (folder / part.path).mkdir(parents=True, exist_ok=True)
    form.finish(folder, world, split, results)


def _one_sequence(
    write_sequence: Callable[[Path, WorldConfig, str, int], Any],
    folder: Path,
    world: WorldConfig,
    split: str,
    index: int,
) -> Any:
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        return write_sequence(folder, world, split, index)
    finally:
        cv2.setNumThreads(threads)


def write_encoded(path: Path, image: Any, options: Sequence[int]) -> None:
    """Write an image in the format of the path's ending, with OpenCV's options."""
    done, data = cv2.imencode(path.suffix, image, list(options))
    if not done:
        raise RuntimeError(f"OpenCV could not encode {path}")
    path.write_bytes(data)
