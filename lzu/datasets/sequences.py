"""The order of a video's frames."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from lzu.errors import UserError

_STAMP = re.compile(r"_(\d+)\.\w+$")


def frame_order(images: Sequence[Mapping[str, Any]], source: str | Path) -> list[list[int]]:
    """The image ids of each sequence, in the order of time.

    Args:
        images: records of a prepared annotation file, with id, file_name, sid (sequence) and fid
            (the number of the frame within it). They may be listed in any order: `fid` is theirs.
        source: where they are from, for messages.

    Returns:
        One list of image ids for each sequence, by ascending sid, in each by ascending fid.

    Raises:
        UserError: a frame without sid or fid, a repeated fid, a fid missing between the first
            and the last of its sequence, or fids in another order than the time stamps in the
            images' names. "The frame before" would mean something else there.
    """
    frames: dict[int, dict[int, int]] = defaultdict(dict)
    names = {image["id"]: image.get("file_name", "") for image in images}
    for image in images:
        if "sid" not in image or "fid" not in image:
            raise UserError(
                f"{source}: image {image['id']} has no sid or no fid, so its place in a video is "
                "unknown; prepare the dataset again from annotations that have them"
            )
        sequence, frame = frames[image["sid"]], image["fid"]
        if frame in sequence:
            raise UserError(
                f"{source}: sequence {image['sid']} repeats fid {frame} (images {sequence[frame]} "
                f"and {image['id']}); a frame has one number of its own: correct the annotations"
            )
        sequence[frame] = image["id"]
    order = []
    for sid, sequence in sorted(frames.items()):
        numbers = sorted(sequence)
        for before, after in pairwise(numbers):
            if after != before + 1:
                missing = f"{before + 1}" + (f" to {after - 1}" if after > before + 2 else "")
                raise UserError(
                    f"{source}: sequence {sid} lacks fid {missing}, and methods that look at the "
                    "previous frame need every one; get the missing frames, number the frames "
                    "without gaps, or split the sequence there (another sid)"
                )
        if wrong := out_of_order({fid: names[image] for fid, image in sequence.items()}):
            before, after = wrong
            raise UserError(
                f"{source}: in sequence {sid}, fid {after} ({names[sequence[after]]}) is not "
                f"later than fid {before} ({names[sequence[before]]}) by the time in their names; "
                "number the frames in the order of time"
            )
        order.append([sequence[number] for number in numbers])
    return order


def out_of_order(names: Mapping[int, str]) -> tuple[int, int] | None:
    """The first two neighbouring fids whose images' time stamps do not rise, if there are such.

    Args:
        names: image name by fid. A time stamp is the number after the last underscore, as in
            Argoverse; names without one tell nothing.

    >>> out_of_order({0: "front_100.jpg", 1: "front_300.jpg", 2: "front_200.jpg"})
    (1, 2)
    """
    for before, after in pairwise(sorted(names)):
        stamps = [_STAMP.search(names[fid]) for fid in (before, after)]
        if all(stamps) and int(stamps[0][1]) >= int(stamps[1][1]):
            return before, after
    return None


def side_by_side(sequences: Sequence[Sequence[int]], lanes: int) -> Iterator[list[int]]:
    """Batches of at most `lanes` frames, each sequence's in order and no two of one in a batch.

    A lane goes through one sequence, then takes the next that has not been begun. Which frames come
    before a frame of the same sequence does not depend on `lanes`.

    >>> list(side_by_side([[0, 1, 2], [3], [4, 5]], lanes=2))
    [[0, 3], [1, 4], [2, 5]]
    """
    if lanes < 1:
        raise ValueError(f"lanes must be at least 1, got {lanes}")
    waiting = iter(sequences)
    running: list[Iterator[int]] = []
    while True:
        batch = []
        for lane in range(lanes):
            if lane == len(running):
                running.append(iter(()))
            while (frame := next(running[lane], None)) is None:
                if (following := next(waiting, None)) is None:
                    break
                running[lane] = iter(following)
            if frame is not None:
                batch.append(frame)
        if not batch:
            return
        yield batch
