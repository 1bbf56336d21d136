"""Where a suite keeps its files: the one place that composes their names."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from lzu.experiments.config import Prior, Suite, Weights
from lzu.experiments.run import Run

LEVEL_ERROR = Path("analysis") / "level_error.json"
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
    def collected(self) -> Path:
        """All results in one long table."""
        return self.root / "collected.csv"

    @property
    def tables(self) -> Path:
        """The folder of the tables."""
        return self.root / "tables"

    @property
    def figures(self) -> Path:
        """The folder of the figures."""
        return self.root / "figures"

    def annotations(self, split: str) -> Path:
        """The validated COCO file of `split`: train, val, or search_train and search_val."""
        return self.root / "data" / "argoverse_hd" / f"{split}.json"

    def findings(self, split: str) -> Path:
        """The validator's report on `split`."""
        return self.root / "data" / "argoverse_hd" / f"{split}.findings.json"

    @property
    def search_split(self) -> Path:
        """How the training set was split for the search."""
        return self.root / "data" / "argoverse_hd" / "search_split.json"

    def prior(self, settings: Prior, split: str = "train") -> Path:
        """The fixed saliency of the boxes of `split`, made with `settings`."""
        rows, columns = settings.lattice
        name = f"{rows}x{columns}-a{settings.amplitude:g}-b{settings.bandwidth:g}"
        folder = self.root / "priors" / "detection2d"
        return (folder if split == "train" else folder / split) / f"{name}.npz"

    def run(self, run: Run, name: str) -> Path:
        """The file `name` in the folder of `run`."""
        return self.root / run.path / name

    def timing(self, run: Run) -> Path:
        """The timing file of a run's method and scales, shared by its seeds."""
        return self.root / run.timing_path

    def weights(self, weights: Weights) -> Path:
        """The fetched copy of a checkpoint that runs start from."""
        return self.root / "weights" / f"{weights.sha256}.pth"

    def prior_picture(self, settings: Prior) -> Path:
        """The picture of a prior and of the warp that it gives at `settings.fwhm`."""
        npz = self.prior(settings)
        return npz.with_name(f"{npz.stem}-fwhm{settings.fwhm:g}.png")

    @property
    def zoom_picture(self) -> Path:
        """One frame, zoomed and unzoomed."""
        return self.figures / "zoom_unzoom.png"

    @property
    def box_statistics(self) -> Path:
        """How large the training boxes are, and where."""
        return self.figures / "box_statistics.png"

    def cases_picture(self, run: Run) -> Path:
        """The images where a run gains and loses most against uniform (Figure 6)."""
        return self.figures / f"figure6_{_flat(run)}.png"

    def stream(self, run: Run, sequence: int | str) -> Path:
        """What `run` saw and found, frame by frame, in a validation sequence (its sid or name)."""
        return self.root / "streams" / f"{_flat(run)}_{sequence}.npz"

    @property
    def level_error(self) -> Path:
        """The errors of downsampled inverses (Eq. 18)."""
        return self.root / LEVEL_ERROR

    def kept_level_errors(self) -> list[Path]:
        """Such files under version control, one a machine."""
        return sorted(self.measured.glob(f"*/{LEVEL_ERROR}"))

    @property
    def analysis_figures(self) -> dict[str, Path]:
        """Name -> the PNG file of each figure of the analysis."""
        return {name: self.figures / f"{name}.png" for name in ANALYSIS_FIGURES}


def _flat(run: Run) -> str:
    """The run as one part of a file's name."""
    return f"{run.task}_{run.method}_{run.variant}_seed{run.seed}".replace("/", "_")
