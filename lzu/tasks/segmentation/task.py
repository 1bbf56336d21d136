"""The facts of semantic segmentation: PSPNet on Cityscapes (5.2)."""

from lzu.datasets.cityscapes.layout import WHERE, raw_state
from lzu.experiments.task import DatasetFacts, Task
from lzu.tasks.segmentation.metrics import EXTRAS, METRICS, check_extras
from lzu.tasks.segmentation.pictures import PICTURES
from lzu.tasks.segmentation.plan import PARTS, prior_of, runs, split_rule, stage_of, trains_on
from lzu.tasks.segmentation.settings import Segmentation
from lzu.tasks.segmentation.steps import STEPS
from lzu.tasks.segmentation.tables import (
    DISTANCE_BINS,
    SPACES,
    TABLE_3,
    TABLE_4,
    TASK,
    scale_label,
)

SEGMENTATION = Task(
    name=TASK,
    title="Semantic segmentation",
    settings=Segmentation,
    dataset=DatasetFacts("cityscapes", "Cityscapes", WHERE, raw_state),
    tables=(TABLE_3, TABLE_4, SPACES),
    runs=runs,
    metrics=METRICS,
    extras=EXTRAS,
    check_extras=check_extras,
    scale_label=scale_label,
    prior_of=prior_of,
    parts=PARTS,
    split_rule=split_rule,
    trains_on=trains_on,
    stage_of=stage_of,
    scope="mmseg",
    pictures=PICTURES,
    comparisons=("iso_latency", "iso_flops"),
    bins=(DISTANCE_BINS,),
    steps=STEPS,
)
