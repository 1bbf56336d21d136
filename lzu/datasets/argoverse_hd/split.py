"""Splitting a training set into two parts by whole sequences, as a hyperparameter search needs."""

import hashlib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lzu.datasets.argoverse_hd.coco import write_prepared
from lzu.datasets.objects import counts
from lzu.errors import UserError
from lzu.files import read_json, write_json

RULE = (
    "whole sequences, ordered by the SHA-256 of '<seed> <sequence folder>'; the first of them are "
    "for validation, as many as bring its images nearest to the share (at least one, never all)"
)


def split_sequences(
    images: list[dict[str, Any]], seq_dirs: list[str], share: float, seed: int, source: str | Path
) -> tuple[list[int], list[int]]:
    """Ids (sid) of the sequences to train and to validate on, ascending.

    Args:
        images: records of a prepared annotation file, with sid.
        seq_dirs: folder of each sid. The order of sequences follows from these names and the seed
            alone: not from the order in the file, nor from a generator of random numbers.
        share: of the images that are for validation, between 0 and 1; met to the nearest sequence.
        seed: of the order.
        source: where they are from, for messages.

    Raises:
        UserError: fewer than two sequences have images, or a share out of range.
    """
    if not 0 < share < 1:
        raise UserError(
            f"detection2d.search.validation_share: {share:g} is not between 0 and 1; 0.2 gives "
            "an 80/20 split"
        )
    counts = Counter(image["sid"] for image in images)
    if len(counts) < 2:
        raise UserError(
            f"{source}: {len(counts)} sequence(s) with images, but a split by sequence needs two; "
            "leave out detection2d.search, or use a dataset with more sequences"
        )

    def place(sid: int) -> str:
        return hashlib.sha256(f"{seed} {seq_dirs[sid]}".encode()).hexdigest()

    order = sorted(counts, key=place)
    wanted, taken, best = share * len(images), 0, (float("inf"), 0)
    for number, sid in enumerate(order[:-1], start=1):
        taken += counts[sid]
        best = min(best, (abs(taken - wanted), number))
    return sorted(order[best[1] :]), sorted(order[: best[1]])


def write_split(
    annotations: Path,
    parts: Mapping[str, tuple[Path, Path]],
    record: Path,
    *,
    share: float,
    seed: int,
) -> None:
    """Split a prepared *training* file; write the parts, and what they are.

    `parts` maps "train" and "val" to the paths of a COCO file as `annotations` is, of splits
    "search_train" and "search_val", each with a fingerprint of its own, and of its `info` block.
    `record` tells rule, seed, share and the sequences by name.

    Raises UserError if the annotations are not of the training split; and see `split_sequences`.
    """
    content = read_json(annotations)
    info = content["info"]
    if info["split"] != "train":
        raise UserError(
            f"{annotations}: the search splits the training set, and these are of the "
            f"{info['split']} split; give the training annotations"
        )
    sequences = split_sequences(content["images"], content["seq_dirs"], share, seed, annotations)
    said = {}
    for name, sids in zip(("train", "val"), sequences, strict=True):
        part = _part(content, f"search_{name}", set(sids))
        write_prepared(part, *parts[name])
        said[name] = {
            "images": part["info"]["images"],
            "annotations": part["info"]["annotations"],
            "fingerprint": part["info"]["fingerprint"],
            "sequences": [content["seq_dirs"][sid] for sid in sids],
        }
    write_json(
        record,
        {
            "rule": RULE,
            "seed": seed,
            "validation_share": share,
            "of": {key: info[key] for key in ("dataset", "source", "split", "fingerprint")},
            **said,
        },
    )


def _part(content: dict[str, Any], split: str, sids: set[int]) -> dict[str, Any]:
    images = [image for image in content["images"] if image["sid"] in sids]
    ids = {image["id"] for image in images}
    annotations = [one for one in content["annotations"] if one["image_id"] in ids]
    info = content["info"]
    names = sorted(content["seq_dirs"][sid] for sid in sids)
    text = "\n".join([info["fingerprint"], split, *names])
    own = {
        "split": split,
        "images": len(images),
        "annotations": len(annotations),
        **counts(annotations),
        "fingerprint": hashlib.sha256(text.encode()).hexdigest(),
    }
    kept = {key: info[key] for key in ("dataset", "source")}
    return {**content, "info": {**kept, **own}, "images": images, "annotations": annotations}
