"""A mini-validation set: a part of the training set that no model of a search is trained on."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lzu.datasets.cityscapes.prepare import counts, write_prepared
from lzu.errors import UserError
from lzu.files import read_json, write_json

PARTS = ("mini_train", "mini_val")
NEAR = 0.05
"""Share of the wanted number of images by which whole cities may miss it."""
RULE = (
    "whole cities, or if these miss the wanted number of images by more than 5 %, whole sequences; "
    "in the order of the SHA-256 of '<seed> <city>' or '<seed> <city>_<sequence>', the first found "
    "subset whose number of images is nearest to the wanted one (never all)"
)


def split_frames(
    images: Sequence[dict[str, Any]], wanted: int, seed: int, source: str | Path
) -> tuple[str, list[str]]:
    """Choose the groups of frames to validate on.

    Args:
        images: records of a prepared file.
        wanted: number of images.
        seed: of the order; the choice depends on it and on the names, on nothing else.
        source: where they are from, for messages.

    Returns:
        "city" or "sequence", what a group is; and the chosen groups' names, sorted: "{city}" or
        "{city}_{sequence}".

    Raises:
        UserError: fewer than two sequences, or `wanted` is not between 1 and all images but one.
    """
    if not 1 <= wanted < len(images):
        raise UserError(
            f"{source}: {wanted} of {len(images)} images cannot be set aside for validation; "
            "choose a number from 1 to all but one"
        )
    for unit in ("city", "sequence"):
        sizes = Counter(group_of(image, unit) for image in images)
        if len(sizes) < 2:
            continue
        chosen = _nearest(sizes, wanted, seed)
        missed = abs(sum(sizes[name] for name in chosen) - wanted)
        if unit == "sequence" or missed <= NEAR * wanted:
            return unit, sorted(chosen)
    raise UserError(
        f"{source}: all images are of one sequence, and a mini-validation set needs another one: "
        "use a dataset with more sequences"
    )


def group_of(image: dict[str, Any], unit: str) -> str:
    """Name of the city or sequence of a record."""
    return str(image["city"] if unit == "city" else f"{image['city']}_{image['sequence']}")


def _nearest(sizes: Mapping[str, int], wanted: int, seed: int) -> list[str]:
    """The subset of `RULE`, found by the totals that can be reached group by group."""

    def place(name: str) -> str:
        return hashlib.sha256(f"{seed} {name}".encode()).hexdigest()

    whole = sum(sizes.values())
    # Total -> the group that it was first reached with, and the total before.
    reached: dict[int, tuple[str, int]] = {}
    for name in sorted(sizes, key=place):
        for total in [0, *sorted(reached, reverse=True)]:
            grown = total + sizes[name]
            if grown < whole and grown not in reached:
                reached[grown] = (name, total)
        if wanted in reached:
            break
    total = min(reached, key=lambda found: (abs(found - wanted), found))
    chosen = []
    while total:
        name, total = reached[total]
        chosen.append(name)
    return chosen


def write_split(
    listing: Path,
    parts: Mapping[str, tuple[Path, Path]],
    record: Path,
    *,
    images: int | None = None,
    share: float | None = None,
    seed: int,
) -> None:
    """Split a prepared *training* listing in two; write the parts, and what they are.

    Args:
        listing: file of `prepare.prepare`.
        parts: "mini_train" and "mini_val" -> paths of a listing as it is, of the split of that name
            and with a fingerprint of its own, and of its `info` block.
        record: tells rule, seed, unit and the groups that are validated on, by name.
        images: wanted in the mini-validation set (500 in the paper); or
        share: that share of them, between 0 and 1.
        seed: of the choice.

    Raises UserError if the listing is not of the training split; and see `split_frames`.
    """
    if (images is None) == (share is None):
        raise ValueError("give either images or share")
    if sorted(parts) != sorted(PARTS):
        raise ValueError(f"parts must be {PARTS}, not {sorted(parts)}")
    content = read_json(listing)
    info = content["info"]
    if info["split"] != "train":
        raise UserError(
            f"{listing}: the mini-validation set is a part of the training set, and these images "
            f"are of the {info['split']} split; give the training listing"
        )
    wanted = round(share * len(content["images"])) if images is None else images
    unit, groups = split_frames(content["images"], wanted, seed, listing)
    said = {}
    for name in PARTS:
        inside = [
            image
            for image in content["images"]
            if (group_of(image, unit) in groups) == (name == "mini_val")
        ]
        text = "\n".join([info["fingerprint"], name, *(image["id"] for image in inside)])
        own = {"split": name, "fingerprint": hashlib.sha256(text.encode()).hexdigest()}
        kept = {key: info[key] for key in ("dataset", "source", "crop")}
        about = {**kept, **own, **counts(inside)}
        write_prepared({"info": about, "images": inside}, *parts[name])
        said[name] = {"images": len(inside), "fingerprint": own["fingerprint"]}
    write_json(
        record,
        {
            "rule": RULE,
            "seed": seed,
            "wanted": wanted,
            "unit": unit,
            "validated_on": groups,
            "of": {key: info[key] for key in ("dataset", "source", "split", "fingerprint")},
            **said,
        },
    )
