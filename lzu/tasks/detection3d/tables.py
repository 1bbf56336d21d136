"""The paper's tables of monocular 3-D detection, 5 and 2 (its 3-D half), and one beyond it."""

from lzu.datasets.nuscenes.classes import CAMERAS, CLASSES
from lzu.experiments.methods import METHODS
from lzu.experiments.tables import Column, Row, Table, upsampling_table

TASK = "detection3d"
DEVICE = "RTX 2080 Ti"
DATASET = "nuScenes"
SCALES = (0.25, 0.5, 0.75, 1.0)
PRIMARY = ("lzu_fixed", 0.5)

ERRORS = ("mATE", "mASE", "mAOE", "mAVE", "mAAE")
"""Of translation, scale, orientation, velocity and attribute, of what is found."""

AP = {name: f"AP_{name}" for name in CLASSES}
"""A class's name -> the metric that is its AP, the mean over the four distances."""

CAMERA = "By camera"
SHORT = {
    "construction_vehicle": "constr.",
    "motorcycle": "motorc.",
    "pedestrian": "pedest.",
    "traffic_cone": "cone",
}
"""Headings of the classes whose names are too long for a column."""

ERRORS_NOTE = (
    "mATE (m), mASE (1 - IoU), mAOE (rad), mAVE (m/s) and mAAE (1 - accuracy), of what is found, "
    "are times 100, as published."
)
CLASSES_NOTE = (
    "All are over the classes of the suite's `dataset.classes`, and of what its `dataset.cameras` "
    "see: published, ten classes and six cameras."
)

TABLE_5 = Table(
    name="table5",
    task=TASK,
    title="Table 5. Monocular 3D object detection on nuScenes",
    published_file="table5_nuscenes_detection3d.csv",
    published_dataset=DATASET,
    published_device=DEVICE,
    headline="NDS",
    primary=PRIMARY,
    columns=(
        Column("NDS", "NDS", published="NDS"),
        Column("mAP", "mAP", published="mAP"),
        *(Column(name, name, published=name, higher_is_better=False) for name in ERRORS),
        Column("latency_ms", "ms", "timing", "latency_ms", higher_is_better=False),
        Column("end_to_end_ms", "ms e2e", "timing", higher_is_better=False),
    ),
    rows=tuple(
        Row(
            table="table5",
            task=TASK,
            method=method,
            from_scale=1.0,
            to_scale=scale,
            published=(("scale", f"{scale:g}"), ("method", METHODS[method].label)),
        )
        for scale in SCALES
        for method in ("uniform", "lzu_fixed")
    ),
    notes=(ERRORS_NOTE, CLASSES_NOTE),
)

TABLE_2_3D = upsampling_table(TASK, "3D", "NDS", DATASET, DEVICE)

CLASSES_TABLE = Table(
    name="detection3d_classes",
    task=TASK,
    title="3D detection by class (beyond the paper)",
    published_file="",
    published_dataset=DATASET,
    published_device=DEVICE,
    headline="mAP",
    primary=PRIMARY,
    columns=(
        Column("mAP", "mAP"),
        *(Column(metric, SHORT.get(name, name)) for name, metric in AP.items()),
    ),
    rows=(),
    notes=(CLASSES_NOTE,),
)

RECALL_TABLE = Table(
    name="detection3d_recall",
    task=TASK,
    title="Recall in 3D by class and by camera (beyond the paper)",
    published_file="",
    published_dataset=DATASET,
    published_device=DEVICE,
    headline="NDS",
    primary=PRIMARY,
    columns=(
        Column("NDS", "NDS"),
        *(Column(f"recall_{name}", SHORT.get(name, name), part="By class") for name in CLASSES),
        *(
            Column(
                f"recall_{name}", name.removeprefix("CAM_").lower().replace("_", " "), part=CAMERA
            )
            for name in CAMERAS
        ),
    ),
    rows=(),
    notes=(
        "Recall of the objects that nuScenes counts: found is what its matching finds within 2 m, "
        "of all detections (at most 500 a sample). By camera: that in which an object is largest.",
        CLASSES_NOTE,
    ),
)
