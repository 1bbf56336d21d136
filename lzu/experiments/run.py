"""The identity of one trained model and its metrics."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

from lzu.errors import UserError

TASKS = ("detection2d", "segmentation", "detection3d")
METHODS = (
    "uniform",
    "lzu_fixed",
    "lzu_adaptive",
    "lzu_adaptive_no_cascade",
    "lzu_learned",
    "fovea",
    "lds",
    "es",
)
FROM_PRIOR = frozenset({"lzu_fixed", "fovea"})
"""Methods whose saliency is the dataset's prior."""
ADAPTIVE = frozenset({"lzu_adaptive", "lzu_adaptive_no_cascade"})
"""Methods whose saliency comes from the previous frame, so that frames are seen in order."""

SEARCH = ("split", "search")
"""The option of Table 6's runs: trained and scored on two parts of the training set."""


@dataclass(frozen=True, order=True)
class Run:
    """One trained model and its metrics.

    `from_scale` is the image given and `to_scale` what the network sees, both as fractions of the
    native size. `options` are (name, value) pairs, sorted by name, that set this run apart from
    the suite's settings, as in Table 6's search.

    Models are trained on images of native size alone: a run from another scale evaluates the
    weights of `trained` on other images, as the paper's Table 2 does.
    """

    suite: str
    task: str
    method: str
    from_scale: float
    to_scale: float
    seed: int
    options: tuple[tuple[str, str], ...] = ()

    @property
    def variant(self) -> str:
        """All but suite, task, method and seed, as a path: `1-0.5` or `1-0.5/amplitude=5`."""
        scales = f"{self.from_scale:g}-{self.to_scale:g}"
        options = ",".join(f"{name}={value}" for name, value in self.options)
        return f"{scales}/{options}" if options else scales

    @property
    def path(self) -> PurePosixPath:
        """The run's folder, relative to `results/<suite>/`."""
        return PurePosixPath("runs", self.task, self.method, self.variant, f"seed{self.seed}")

    @property
    def timing_path(self) -> PurePosixPath:
        """The timing file shared by all seeds, relative to `results/<suite>/`."""
        return PurePosixPath("timing", self.task, self.method, f"{self.variant}.json")

    @property
    def trained(self) -> "Run":
        """The run whose weights this one evaluates; itself, if its images are of native size."""
        return replace(self, from_scale=1.0)

    def split(self, part: str) -> str:
        """The name of the data that serves as `part`, "train" or "val"."""
        return f"search_{part}" if SEARCH in self.options else part

    def as_dict(self) -> dict[str, Any]:
        """The run as the `run` block of a metrics file."""
        return {
            "suite": self.suite,
            "task": self.task,
            "method": self.method,
            "from": self.from_scale,
            "to": self.to_scale,
            "seed": self.seed,
            "options": dict(self.options),
        }


def parse_variant(variant: str) -> tuple[float, float, tuple[tuple[str, str], ...]]:
    """(from, to, options) of a run's `variant`.

    >>> parse_variant("1-0.5/amplitude=5,fwhm=10")
    (1.0, 0.5, (('amplitude', '5'), ('fwhm', '10')))
    """
    scales, _, options = variant.partition("/")
    given, seen = map(float, scales.split("-"))
    return given, seen, parse_options(text for text in options.split(",") if text)


def parse_options(texts: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """A run's options of "name=value" texts, sorted by name.

    Raises UserError for a text that is not of that form.
    """
    pairs = [text.partition("=") for text in texts]
    for name, _, value in pairs:
        if not name or not value:
            raise UserError(f"--option: {name or value!r} is not of the form NAME=VALUE")
    return tuple(sorted((name, value) for name, _, value in pairs))
