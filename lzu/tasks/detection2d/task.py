"""The facts of 2-D object detection: RetinaNet on Argoverse-HD (5.1)."""

from lzu.datasets.argoverse_hd.layout import WHERE, raw_state
from lzu.experiments.task import DatasetFacts, Task
from lzu.tasks.detection2d.metrics import EXTRAS, METRICS, check_extras
from lzu.tasks.detection2d.pictures import PICTURES
from lzu.tasks.detection2d.plan import identity, prior_of, runs, split_rule
from lzu.tasks.detection2d.settings import Detection2d
from lzu.tasks.detection2d.steps import STEPS
from lzu.tasks.detection2d.tables import SIZE_BINS, TABLE_1, TABLE_2, TABLE_6, TASK

DETECTION2D = Task(
    name=TASK,
    title="2-D object detection",
    settings=Detection2d,
    dataset=DatasetFacts("argoverse_hd", "Argoverse-HD", WHERE, raw_state),
    tables=(TABLE_1, TABLE_2, TABLE_6),
    runs=runs,
    metrics=METRICS,
    extras=EXTRAS,
    check_extras=check_extras,
    prior_of=prior_of,
    identity=identity,
    parts=("search_train", "search_val"),
    split_rule=split_rule,
    not_trained=("stream", "upsampling", "search"),
    scope="mmdet",
    pictures=PICTURES,
    bins=(SIZE_BINS,),
    steps=STEPS,
)
