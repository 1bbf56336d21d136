"""The identity of one trained model and its metrics."""

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

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


@dataclass(frozen=True, order=True)
class Run:
    """One trained model and its metrics.

    `from_scale` is the image given and `to_scale` what the network sees, both as fractions of the
    native size. `options` are (name, value) pairs, sorted by name, that set this run apart from
    the suite's settings, as in Table 6's search.
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
