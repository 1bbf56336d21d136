"""The tasks: a folder and a line here each."""

from lzu.experiments.task import Task
from lzu.tasks.detection2d.task import DETECTION2D
from lzu.tasks.detection3d.task import DETECTION3D
from lzu.tasks.segmentation.task import SEGMENTATION

TASKS: dict[str, Task] = {task.name: task for task in (DETECTION2D, SEGMENTATION, DETECTION3D)}
