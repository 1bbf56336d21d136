"""The images where a method gains and loses most against uniform, by a rule (Figure 6).

An image's gain is its score with the method minus that with uniform, both of one seed. Images that
have fewer than `LEAST` things to find (boxes, classes) do not take part, because there a single one
decides; nor do those without a score. Success cases are the images of the largest gains, failure
cases those of the largest losses; of equal ones that with the lower image id. All images' numbers
are written beside the picture, so that the choice can be checked.
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lzu.errors import UserError
from lzu.files import write_text

LEAST = 3
"""Things to find that an image must have to be picked."""


@dataclass(frozen=True)
class Measure:
    """What images are compared by: a `metric` ("AP"), and what is `counted` in them ("boxes")."""

    metric: str
    counted: str


@dataclass(frozen=True)
class ImageScore:
    """An image's score in percent with uniform and with the method; None if it has none.

    `name` is its file's; `count` is how many things are to be found in it.
    """

    image: int | str
    name: str
    count: int
    uniform: float | None
    method: float | None

    @property
    def gain(self) -> float | None:
        """The method's score minus uniform's."""
        if self.uniform is None or self.method is None:
            return None
        return self.method - self.uniform


@dataclass(frozen=True)
class Cases:
    """The picked images: `gains` with the largest first, `losses` likewise."""

    gains: tuple[ImageScore, ...]
    losses: tuple[ImageScore, ...]


def pick_cases(
    scores: Sequence[ImageScore], count: int, measure: Measure, least: int = LEAST
) -> Cases:
    """Pick the `count` largest gains and the `count` largest losses.

    No image is in both: of too few, gains get theirs first. With few images, a "gain" may be
    negative or a "loss" positive; their numbers say so.

    Raises:
        UserError: no image has enough things to find.
    """
    taking_part = [s for s in scores if s.gain is not None and s.count >= least]
    if not taking_part:
        raise UserError(
            f"no validation image has {least} {measure.counted} or more, so none can be picked; "
            "lower --least"
        )
    best = sorted(taking_part, key=lambda s: (-s.gain, s.image))
    gains = best[: min(count, (len(best) + 1) // 2)]
    rest = sorted(best[len(gains) :], key=lambda s: (s.gain, s.image))
    return Cases(tuple(gains), tuple(rest[:count]))


def title_of(score: ImageScore, measure: Measure) -> str:
    """What stands beside a case."""
    assert score.gain is not None
    kind = "success" if score.gain > 0 else "failure" if score.gain < 0 else "no difference"
    return (
        f"{kind}: image {score.image}\n"
        f"{measure.metric} {score.uniform:.1f} to {score.method:.1f} ({score.gain:+.1f})"
    )


def write_scores(
    path: Path,
    scores: Sequence[ImageScore],
    cases: Cases,
    method: str,
    measure: Measure,
    least: int = LEAST,
) -> None:
    """Write a CSV file with a line for each image, and which were picked as what."""
    picked = {s.image: f"gain {n}" for n, s in enumerate(cases.gains, start=1)}
    picked |= {s.image: f"loss {n}" for n, s in enumerate(cases.losses, start=1)}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    metrics = [f"{measure.metric}_{name}" for name in ("uniform", method)]
    writer.writerow(["image_id", "file", measure.counted, "takes_part", *metrics, "gain", "picked"])
    for s in scores:
        takes_part = s.gain is not None and s.count >= least
        values = ["" if v is None else f"{v:.4f}" for v in (s.uniform, s.method, s.gain)]
        row = [s.image, s.name, s.count, int(takes_part), *values, picked.get(s.image, "")]
        writer.writerow(row)
    write_text(path, text.getvalue())
