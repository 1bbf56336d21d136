"""The identity of one trained model and its metrics."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

from lzu.errors import UserError
from lzu.experiments.methods import BASELINE, METHODS, Method

SEARCH = ("split", "search")
"""The option of a search's runs: trained and scored on two parts of the training set."""

Options = tuple[tuple[str, str], ...]


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
    options: Options = ()

    @property
    def about(self) -> Method:
        """The row of the run's method."""
        return METHODS[self.method]

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

    @property
    def baseline(self) -> "Run":
        """The baseline's run at the scales and seed of this one."""
        return replace(self, method=BASELINE.name, options=())

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


def parse_variant(variant: str) -> tuple[float, float, Options]:
    """(from, to, options) of a run's `variant`.

    >>> parse_variant("1-0.5/amplitude=5,fwhm=10")
    (1.0, 0.5, (('amplitude', '5'), ('fwhm', '10')))
    """
    scales, _, options = variant.partition("/")
    given, seen = map(float, scales.split("-"))
    return given, seen, parse_options(text for text in options.split(",") if text)


def parse_options(texts: Iterable[str]) -> Options:
    """A run's options of "name=value" texts, sorted by name.

    Raises UserError for a text that is not of that form.
    """
    pairs = [text.partition("=") for text in texts]
    for name, _, value in pairs:
        if not name or not value:
            raise UserError(f"--option: {name or value!r} is not of the form NAME=VALUE")
    return tuple(sorted((name, value) for name, _, value in pairs))
