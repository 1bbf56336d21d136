"""Writes the synthetic world in the layout of Argoverse-HD."""

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
from functools import partial
from pathlib import Path
from typing import Any

import cv2

from lzu.datasets.argoverse_hd.classes import CLASSES, COCO_INDICES, coco_mapping
from lzu.datasets.argoverse_hd.layout import (
    ANNOTATION_FOLDER,
    IMAGE_FOLDER,
    MARKERS,
    SEALS,
    WORLD_SCHEMA,
    annotation_path,
    is_synthetic,
)
from lzu.datasets.synthetic.config import SPLITS, WorldConfig
from lzu.datasets.synthetic.ownership import CAMERA, is_leftover, refuse_foreign, sequence_name
from lzu.datasets.synthetic.render import make_stage, render
from lzu.errors import UserError
from lzu.files import write_text


def generator_version() -> str:
    """Hash of the generator's source: worlds of different versions are not comparable."""
    digest = hashlib.sha256()
    folder = Path(__file__).parent
    for path in sorted([*folder.glob("*.py"), folder.parent / "argoverse_hd" / "classes.py"]):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _identity(split: str) -> dict[str, str]:
    """What every mark has, by which a root is known for ours."""
    return {"schema": WORLD_SCHEMA, "format": "argoverse_hd", "split": split}


def provenance(world: WorldConfig, split: str) -> dict[str, Any]:
    """What the mark of a split holds: how to make the same data again."""
    return {
        **_identity(split),
        "config": world.of_split(split),
        "generator_version": generator_version(),
        "opencv": cv2.__version__,
    }


def write_argoverse_hd(
    root: str | os.PathLike[str],
    world: WorldConfig,
    jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
    splits: Sequence[str] = SPLITS,
) -> Path:
    """Write splits of `world` below `root`; returns `root`.

    A split is written beside `root` and moved there at its end; its mark comes last, so that one
    that was interrupted is made again. A split that is there already, of the settings that it
    depends on, is left alone, except that a missing mark is written again; another one is replaced.

    Args:
        root: folder that is to hold `Argoverse-1.1`, `Argoverse-HD` and a mark for each split.
        world: what to make.
        jobs: number of processes; the bytes do not depend on it.
        progress: called with the number of sequences done and their total, split by split.
        splits: which ones.

    Raises:
        UserError: `root` holds something else than a synthetic world, or what is to be replaced
            there is not ours, or lies behind a link. `root` itself may be a link.
    """
    if jobs < 1:
        raise ValueError(f"jobs must be at least 1, not {jobs}")
    root = Path(root)
    for split in splits:
        _write_split(root, world, split, jobs, progress)
    return root


def _write_split(
    root: Path,
    world: WorldConfig,
    split: str,
    jobs: int,
    progress: Callable[[int, int], None] | None,
) -> None:
    marker = provenance(world, split)
    text = json.dumps(marker, indent=1, sort_keys=True) + "\n"
    mark, seal = root / MARKERS[split], root / SEALS[split]
    if _holds(root, seal, marker):
        if not mark.exists():
            write_text(mark, text)
        return
    refuse_foreign(root, split)
    _clear_leftovers(root)
    root.parent.mkdir(parents=True, exist_ok=True)
    # The last part is drawn: in containers, other writers may have this name and number.
    beginning = f".{root.name}.{_host()}.{os.getpid()}.{split}."
    temporary = Path(tempfile.mkdtemp(".partial", beginning, root.parent))
    try:
        _write(temporary, world, split, jobs, progress)
        root.mkdir(exist_ok=True)
        refuse_foreign(root, split)
        # From here on until its mark is there the split is not whole, and the seal says so; but the
        # folder is known for ours, or a killed writer could not be followed by another.
        write_text(seal, json.dumps({**_identity(split), "unfinished": True}) + "\n")
        mark.unlink(missing_ok=True)
        images, annotations = Path(IMAGE_FOLDER) / split, annotation_path("", split)
        for part in (images, annotations):
            (root / part).parent.mkdir(parents=True, exist_ok=True)
        if (root / images).exists():
            shutil.rmtree(root / images)
        (temporary / images).rename(root / images)
        (temporary / annotations).replace(root / annotations)
        for path in (seal, mark):
            write_text(path, text)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _holds(root: Path, seal: Path, marker: dict[str, Any]) -> bool:
    """Whether `root` holds the split of `marker`; refuses folders that we did not make."""
    if not root.exists():
        return False
    if not root.is_dir():
        raise UserError(f"{root} is a file: give a folder for the synthetic world")
    if any(root.iterdir()) and not is_synthetic(root):
        raise UserError(
            f"{root} is not empty and has no {' or '.join(SEALS.values())} of ours, so it is no "
            "synthetic world: give another folder, or remove this one"
        )
    try:
        return bool(json.loads(seal.read_text()) == marker)
    except (OSError, ValueError, RecursionError):
        return False


def _host() -> str:
    return socket.gethostname().replace(".", "-")


def _clear_leftovers(root: Path) -> None:
    """Remove what killed writers of the same root have left on this machine."""
    left = re.compile(
        rf"\.{re.escape(root.name)}\.{re.escape(_host())}\.(\d+)\.(train|val)\.\w+\.partial"
    )
    for path in root.parent.glob(".*.partial"):
        found = left.fullmatch(path.name)
        if found and not _alive(int(found[1])) and is_leftover(path, found[2]):
            shutil.rmtree(path, ignore_errors=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True


def _write(
    root: Path,
    world: WorldConfig,
    split: str,
    jobs: int,
    progress: Callable[[int, int], None] | None,
) -> None:
    tasks = [(split, index) for index in range(world.sequences(split))]
    work = partial(_write_sequence, root, world)
    results: list[list[dict[str, Any]]] = []

    def collect(outputs: Any) -> None:
        for done, frames in enumerate(outputs, 1):
            results.append(frames)
            if progress is not None:
                progress(done, len(tasks))

    if jobs == 1 or len(tasks) < 2:
        collect(map(work, tasks))
    else:
        # Spawned, because a caller may have threads (PyTorch's, OpenCV's) that do not survive a
        # fork.
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(min(jobs, len(tasks)), mp_context=context) as pool:
            collect(pool.map(work, tasks))
    folder = root / ANNOTATION_FOLDER
    folder.mkdir(parents=True)
    (root / IMAGE_FOLDER / split).mkdir(parents=True, exist_ok=True)
    text = json.dumps(_annotations(world, split, results), separators=(",", ":"))
    (folder / f"{split}.json").write_text(text)


def _write_sequence(root: Path, world: WorldConfig, task: tuple[str, int]) -> list[dict[str, Any]]:
    """Write the images of one sequence; its frames as {name, boxes: [(category, track, ltwh)]}."""
    split, index = task
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        folder = root / IMAGE_FOLDER / split / sequence_name(split, index) / CAMERA
        folder.mkdir(parents=True)
        stage = make_stage(world, split, index)
        frames = []
        for number in range(world.frames(split)):
            frame = render(stage, number)
            stamp = 315_970_000_000_000_000 + round(number * world.interval_s(split) * 1e9)
            name = f"{CAMERA}_{stamp}.jpg"
            options = [cv2.IMWRITE_JPEG_QUALITY, world.jpeg_quality]
            done, data = cv2.imencode(".jpg", frame.image, options)
            if not done:
                raise RuntimeError(f"OpenCV could not encode {folder / name}")
            (folder / name).write_bytes(data)
            boxes = []
            for box in frame.boxes:
                left, top = round(box.left, 2), round(box.top, 2)
                size = (round(box.right - left, 2), round(box.bottom - top, 2))
                boxes.append((box.category, box.track, (left, top, *size)))
            frames.append({"name": name, "boxes": boxes})
        return frames
    finally:
        cv2.setNumThreads(threads)


def _annotations(
    world: WorldConfig, split: str, sequences: list[list[dict[str, Any]]]
) -> dict[str, Any]:
    images, annotations = [], []
    tracks: dict[tuple[int, int], int] = {}
    for sid, frames in enumerate(sequences):
        for fid, frame in enumerate(frames):
            image = {"id": len(images), "sid": sid, "fid": fid, "name": frame["name"]}
            images.append(image | {"width": world.width, "height": world.height})
            for category, actor, box in frame["boxes"]:
                annotations.append(
                    {
                        "id": len(annotations),
                        "image_id": image["id"],
                        "category_id": category,
                        "bbox": list(box),
                        "area": round(box[2] * box[3], 4),
                        "iscrowd": 0,
                        "track": tracks.setdefault((sid, actor), len(tracks)),
                    }
                )
    names = [sequence_name(split, index) for index in range(len(sequences))]
    return {
        "categories": [{"id": k, "name": name} for k, name in enumerate(CLASSES)],
        "images": images,
        "annotations": annotations,
        "sequences": names,
        "seq_dirs": [f"{split}/{name}/{CAMERA}" for name in names],
        "coco_subset": list(COCO_INDICES),
        "coco_mapping": coco_mapping(),
    }
