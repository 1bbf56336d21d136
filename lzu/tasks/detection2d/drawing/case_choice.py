"""The images where a method gains and loses most against uniform, by a rule (Figure 6).

An image's gain is its AP (see `lzu.tasks.detection2d.scoring.image_scores`) with the method minus
that with uniform, both of one seed. Images with fewer than `LEAST_BOXES` boxes to find do not take
part, because there a single box decides; nor do those with none, which have no AP. Success cases
are the images of the largest gains, failure cases those of the largest losses; of equal ones that
with the lower image id. All images' numbers are written beside the picture, so that the choice can
be checked.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lzu.errors import UserError
from lzu.files import write_text
from lzu.tasks.detection2d.scoring.image_scores import Found, Truth, image_aps

LEAST_BOXES = 3
"""Boxes that an image must have to be picked."""


@dataclass(frozen=True)
class ImageScore:
    """An image's AP in percent with uniform and with the method; None without a box to find."""

    image: int
    name: str
    boxes: int
    uniform: float | None
    method: float | None

    @property
    def gain(self) -> float | None:
        """The method's AP minus uniform's."""
        if self.uniform is None or self.method is None:
            return None
        return self.method - self.uniform


@dataclass(frozen=True)
class Cases:
    """The picked images: `gains` with the largest first, `losses` likewise."""

    gains: tuple[ImageScore, ...]
    losses: tuple[ImageScore, ...]


def score_images(
    names: Mapping[int, str],
    truths: Mapping[int, Truth],
    uniform: Mapping[int, Found],
    method: Mapping[int, Found],
) -> list[ImageScore]:
    """Score every image, by image id. `names` are the files' names, of all images."""
    images = sorted(names)
    true = [truths[image] for image in images]
    before, after = (image_aps([one[i] for i in images], true) for one in (uniform, method))
    return [
        ImageScore(image, names[image], truths[image].count, *scores)
        for image, *scores in zip(images, before, after, strict=True)
    ]


def pick_cases(scores: Sequence[ImageScore], count: int, least_boxes: int = LEAST_BOXES) -> Cases:
    """Pick the `count` largest gains and the `count` largest losses.

    No image is in both: of too few, gains get theirs first. With few images, a "gain" may be
    negative or a "loss" positive; their numbers say so.

    Raises:
        UserError: no image has enough boxes.
    """
    taking_part = [s for s in scores if s.gain is not None and s.boxes >= least_boxes]
    if not taking_part:
        raise UserError(
            f"no validation image has {least_boxes} boxes or more, so none can be picked; "
            "lower --least-boxes"
        )
    best = sorted(taking_part, key=lambda s: (-s.gain, s.image))
    gains = best[: min(count, (len(best) + 1) // 2)]
    rest = sorted(best[len(gains) :], key=lambda s: (s.gain, s.image))
    return Cases(tuple(gains), tuple(rest[:count]))


def write_scores(
    path: Path,
    scores: Sequence[ImageScore],
    cases: Cases,
    method: str,
    least_boxes: int = LEAST_BOXES,
) -> None:
    """Write a CSV file with a line for each image, and which were picked as what."""
    picked = {s.image: f"gain {n}" for n, s in enumerate(cases.gains, start=1)}
    picked |= {s.image: f"loss {n}" for n, s in enumerate(cases.losses, start=1)}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["image_id", "file", "boxes", "takes_part", "AP_uniform", f"AP_{method}", "gain", "picked"]
    )
    for s in scores:
        takes_part = s.gain is not None and s.boxes >= least_boxes
        values = ["" if v is None else f"{v:.4f}" for v in (s.uniform, s.method, s.gain)]
        row = [s.image, s.name, s.boxes, int(takes_part), *values, picked.get(s.image, "")]
        writer.writerow(row)
    write_text(path, text.getvalue())
