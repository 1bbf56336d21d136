"""Where a suite keeps its files: the one place that composes their names."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from lzu.experiments.run import Run
from lzu.experiments.settings import Weights
from lzu.experiments.suite import Suite
from lzu.experiments.task import PriorSpec, StageSpec

LEVEL_ERROR = "level_error.json"
ANALYSIS_FIGURES = (
    "figure2_attraction",
    "figure3_variants",
    "figure5_axis_inverse",
    "figure10_lattices",
)


@dataclass(frozen=True)
class Paths:
    """The files of one suite below `results` (a folder)."""

    suite: Suite
    results: Path = Path("results")

    @property
    def root(self) -> Path:
        """`results/<suite>`: everything that the suite makes."""
        return self.results / self.suite.suite

    @property
    def settings(self) -> Path:
        """The suite's settings as jobs read them; the name follows from the content."""
        digest = hashlib.sha256(self.suite.model_dump_json().encode()).hexdigest()
        return self.root / "settings" / f"{digest[:16]}.json"

    @property
    def measured(self) -> Path:
        """Results kept under version control, one folder a machine."""
        return self.results / "measured" / self.suite.suite

    @property
    def published(self) -> Path:
        """The paper's numbers."""
        return self.results / "published"

    @property
    def made(self) -> Path:
        """Where tables and figures go: what is made of kept results never replaces one's own."""
        return self.root / "cached" if self.suite.mode == "cached" else self.root

    @property
    def tables(self) -> Path:
        """The folder of the tables."""
        return self.made / "tables"

    @property
    def report(self) -> Path:
        """The offline report."""
        return self.made / "report.zip"


@dataclass(frozen=True)
class TaskPaths:
    """The files of one task of a suite; `dataset` is the name of its data."""

    suite: Paths
    task: str
    dataset: str

    @property
    def root(self) -> Path:
        """The suite's folder."""
        return self.suite.root

    @property
    def tables(self) -> Path:
        """The folder of all tables of the suite."""
        return self.suite.tables

    @property
    def figures(self) -> Path:
        """The folder of the task's figures."""
        return self.suite.made / "figures" / self.task

    @property
    def collected(self) -> Path:
        """All results of the task in one long table."""
        return self.suite.made / "collected" / f"{self.task}.csv"

    @property
    def data(self) -> Path:
        """The prepared data."""
        return self.root / "data" / self.dataset

    def annotations(self, split: str) -> Path:
        """The prepared annotations of `split`: train, val, or a part of the training set."""
        return self.data / f"{split}.json"

    def about(self, split: str) -> Path:
        """What is known of the prepared `split`: fingerprint, source, counts. A small file that
        stays the same, byte by byte, when equal data is prepared again."""
        return self.data / f"{split}.about.json"

    def findings(self, split: str) -> Path:
        """The validator's report on `split`."""
        return self.data / f"{split}.findings.json"

    def split_record(self, parts: tuple[str, ...]) -> Path:
        """How the training set was split in two `parts` (see `Task.parts`)."""
        return self.data / f"{parts[0].partition('_')[0]}_split.json"

    def prior(self, spec: PriorSpec) -> Path:
        """The file of a fixed prior."""
        return self.root / "priors" / self.task / spec.split / f"{spec.name}.npz"

    def imported_prior(self, spec: PriorSpec) -> Path:
        """The saliency of others that stands in for a fixed prior, if it was imported; apart,
        because the workflow makes all that lies among the priors."""
        return self.root / "imported" / self.task / spec.split / f"{spec.name}.npz"

    def stage(self, spec: StageSpec) -> Path:
        """The checkpoint of what is trained before runs."""
        folder = self.root / "stages" / self.task / spec.stage / spec.name
        return folder / f"seed{spec.seed}.pth"

    def run(self, run: Run, name: str) -> Path:
        """The file `name` in the folder of `run`."""
        return self.root / run.path / name

    def timing(self, run: Run) -> Path:
        """The timing file of a run's method and scales, shared by its seeds."""
        return self.root / run.timing_path

    def weights(self, weights: Weights) -> Path:
        """The fetched copy of a checkpoint that runs start from."""
        return self.root / "weights" / f"{weights.sha256}.pth"

    def analysis_figures(self) -> list[Path]:
        """The figures of the paper's analysis, 2, 3, 5 and 10."""
        return [self.figures / f"{name}.png" for name in ANALYSIS_FIGURES]

    def zoom_picture(self) -> Path:
        """One frame, zoomed and unzoomed."""
        return self.figures / "zoom_unzoom.png"

    def data_picture(self) -> Path:
        """What the training data looks like, in numbers."""
        return self.figures / "data.png"

    def prior_picture(self, spec: PriorSpec) -> Path:
        """The picture of a prior and of the warp that it gives at its settings' `fwhm`."""
        npz = self.prior(spec)
        return npz.with_name(f"{npz.stem}-fwhm{spec.settings.fwhm:g}.png")

    def cases_picture(self, run: Run) -> Path:
        """The images where a run gains and loses most against uniform (Figure 6)."""
        return self.figures / f"figure6_{flat(run)}.png"

    def accuracy_picture(self, run: Run) -> Path:
        """Where methods are more accurate than uniform, at a run's scales (Figure 11)."""
        return self.figures / f"figure11_{run.from_scale:g}-{run.to_scale:g}.png"

    def stream(self, run: Run, sequence: int | str) -> Path:
        """What `run` saw and found, frame by frame, in a validation sequence (its sid or name)."""
        # A name may hold anything, a path out of this folder among it.
        plain = re.sub(r"[^\w.-]", "_", str(sequence))
        return self.root / "streams" / self.task / f"{flat(run)}_{plain}.npz"

    @property
    def level_error(self) -> Path:
        """The errors of downsampled inverses (Eq. 18)."""
        return self.root / "analysis" / self.task / LEVEL_ERROR

    def kept_level_errors(self) -> dict[str, Path]:
        """Such files under version control, by machine."""
        found = self.suite.measured.glob(f"*/analysis/{self.task}/{LEVEL_ERROR}")
        return {path.parents[2].name: path for path in sorted(found)}


def flat(run: Run) -> str:
    """The run as one part of a file's name."""
    return f"{run.method}_{run.variant}_seed{run.seed}".replace("/", "_")
