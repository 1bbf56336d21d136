"""The facts of monocular 3-D detection: FCOS3D on nuScenes (5.3)."""

from lzu.datasets.nuscenes.layout import WHERE, raw_state
from lzu.experiments.task import DatasetFacts, Task
from lzu.tasks.detection3d.metrics import BINS, EXTRAS, METRICS, NAMED, check_extras
from lzu.tasks.detection3d.pictures import PICTURES
from lzu.tasks.detection3d.plan import prior_of, runs
from lzu.tasks.detection3d.settings import Detection3d
from lzu.tasks.detection3d.steps import STEPS
from lzu.tasks.detection3d.tables import CLASSES_TABLE, RECALL_TABLE, TABLE_2_3D, TABLE_5, TASK

DETECTION3D = Task(
    name=TASK,
    title="Monocular 3-D detection",
    settings=Detection3d,
    dataset=DatasetFacts("nuscenes", "nuScenes", WHERE, raw_state),
    tables=(TABLE_5, TABLE_2_3D, CLASSES_TABLE, RECALL_TABLE),
    runs=runs,
    metrics=METRICS,
    extras=EXTRAS,
    check_extras=check_extras,
    prior_of=prior_of,
    not_trained=("upsampling",),
    scope="mmdet3d",
    pictures=PICTURES,
    bins=BINS,
    named=NAMED,
    steps=STEPS,
)
