"""Invented result files of semantic segmentation, and the reports of them, without torch."""

import numpy as np

from lzu.datasets.cityscapes.classes import CLASSES
from lzu.experiments.run import Run
from lzu.experiments.settings import TaskSettings
from lzu.experiments.task import DatasetFacts, Task
from lzu.report.compare.comparison import compare
from lzu.results.collect import collect
from lzu.results.published import read_published
from lzu.tasks.segmentation.metrics import EXTRAS, METRICS, check_extras
from lzu.tasks.segmentation.tables import (
    DISTANCE_BINS,
    SPACES,
    TABLE_3,
    TABLE_4,
    TASK,
    iou,
    scale_label,
)

FACTS = Task(
    name=TASK,
    title="Semantic segmentation",
    settings=TaskSettings,
    dataset=DatasetFacts("cityscapes", "Cityscapes", "nowhere", lambda root, split: None),
    tables=(TABLE_3, TABLE_4, SPACES),
    runs=lambda settings, suite: {},
    metrics=METRICS,
    prior_of=lambda settings, run: None,
    steps={},
    scope="none",
    extras=EXTRAS,
    check_extras=check_extras,
    scale_label=scale_label,
    comparisons=("iso_latency", "iso_flops"),
    bins=(DISTANCE_BINS,),
)

GAINS = {"uniform": 0.0, "es": 0.4, "lds": 1.2, "lzu_fixed": 1.5, "lzu_learned": 2.1}
GMACS = {"uniform": 0.0, "es": 0.006, "lds": 0.011, "lzu_fixed": 0.0, "lzu_learned": 0.004}
ADDED_MS = {"uniform": 0.0, "es": 3.1, "lds": 2.2, "lzu_fixed": 1.1, "lzu_learned": 1.7}
GROUPS, ABSENT = 6, "train"
LOWER = [0, 1 / 256, 2 / 256, 4 / 256, 8 / 256, 16 / 256, 32 / 256]
PIXELS = [900_000, 700_000, 1_200_000, 1_900_000, 2_400_000, 2_100_000, 54_321]


def planned(scales=(0.0625, 0.125, 0.25), seeds=(0, 1, 2), methods=tuple(GAINS)):
    """The runs of methods at scales."""
    return [
        Run("demo", TASK, method, 1.0, scale, seed)
        for method in methods
        for scale in scales
        for seed in seeds
    ]


def metrics(run, published):
    """Every metric of a run: of the published classes, a method's gain and a seed's noise."""
    noise = np.random.default_rng([run.seed, *run.method.encode()]).normal(0, 0.8, len(CLASSES))
    values: dict[str, float | None] = {}
    for name, shift in zip(CLASSES, noise, strict=True):
        value = published[iou(name)] + GAINS[run.method] + shift
        values[iou(name)] = None if name == ABSENT else float(np.clip(value, 0, 100))
    mean = float(np.mean([value for value in values.values() if value is not None]))
    values |= {"mIoU": mean, "mIoU_network": mean + 4, "mIoU_warped": mean + 3}
    return values | {"mIoU_intrinsic": 99 - 20 * 0.0625 / run.to_scale, "boundary_F": mean / 2}


def bins(mean):
    """Invented mean IoUs that rise with the distance."""
    values = [mean * (0.5 + 0.1 * place) for place in range(len(LOWER))]
    return {"lower": LOWER, "mIoU": values, "pixels": PIXELS}


def write_files(constructed, folder, runs, gmac=True):
    """The runs' metrics files and timing files."""
    table = read_published(TABLE_3, constructed.published)
    rows = {row.to_scale: table[row.published] for row in TABLE_3.rows if row.method == "uniform"}
    scored, timed = [], {}
    for run in runs:
        values = metrics(run, rows[run.to_scale])
        content = constructed.metrics_of(run, values)
        content["distance_bins"] = bins(values["mIoU"])
        spread = np.random.default_rng([run.seed]).normal(0, 0.5, GROUPS)
        left_out = {"mIoU": [values["mIoU"] + float(one) for one in spread]}
        groups = [[f"sequence{group}"] for group in range(GROUPS)]
        content["jackknife"] = {"unit": "sequence", "groups": groups, "metrics": left_out}
        scored.append(constructed.write_json(folder / run.path / "metrics.json", content))
        base = [20 + 60 * run.to_scale + extra for extra in np.linspace(0, 1, 9)]
        timing = constructed.timing_of(run, base, [ADDED_MS[run.method]] * 9)
        if gmac:
            timing["shapes"]["gmac"] = 3 * run.to_scale**2 + GMACS[run.method]
        path = folder / run.timing_path
        timed[path] = constructed.write_json(path, timing)
    return scored, list(timed.values())


def report_of(constructed, folder, table=TABLE_3, runs=None, **options):
    """A table's report of invented files."""
    runs = planned() if runs is None else runs
    frame = collect(FACTS, *write_files(constructed, folder, runs, **options))
    shown = [run for run in runs if table is not TABLE_4 or run.method != "lzu_learned"]
    return compare(table, FACTS, "demo", frame, constructed.published, shown)
