"""The paper's tables of semantic segmentation, 3 and 4, and one beyond the paper."""

from lzu.datasets.cityscapes.classes import CLASSES
from lzu.experiments.methods import METHODS
from lzu.experiments.tables import Column, Key, Row, Table
from lzu.experiments.task import Bins, Unit

TASK = "segmentation"
DEVICE = "RTX 2080 Ti"
DATASET = "Cityscapes"
CROP = 1024
"""Height and width of the paper's crop: a scale is a fraction of it."""
SCALES = (0.0625, 0.125, 0.25, 0.5)
PRIMARY = ("lzu_fixed", 0.25)

SHORT = {"traffic light": "light", "traffic sign": "sign"}
"""Headings of the classes whose names are too long for a column."""
PARTS = {
    "Flat, construction": CLASSES[:5],
    "Object, nature": CLASSES[5:10],
    "Sky, human": CLASSES[10:13],
    "Vehicle": CLASSES[13:],
}
"""Groups of classes, in the published order, that stand below each other in Table 3."""

SCALE_NOTE = (
    f"A scale is the network's input in pixels of the paper's {CROP}x{CROP} crop, and so a "
    f"fraction of the crop: {CROP // 4} is a quarter of its height and width, whatever its size. "
    "Of a 256x256 crop, the network of the row 256 sees 64x64 pixels."
)
UNZOOM_NOTE = (
    "LZU unzooms the backbone's output, before the pyramid pooling, unless `unzoom_at` in the "
    "suite file says otherwise; the paper does not say where."
)

GMAC_NOTE = (
    "GMAC: 10^9 multiply-accumulates of one image, of the whole method: the network, and what the "
    "method adds."
)


def scale_label(scale: float) -> str:
    """A scale as the paper writes it: the network's input in pixels of a crop of 1024x1024."""
    return f"{scale * CROP:g}"


def iou(name: str) -> str:
    """The metric of a class: "IoU_traffic_light"."""
    return f"IoU_{name.replace(' ', '_')}"


def _class_column(name: str, part: str) -> Column:
    return Column(iou(name), SHORT.get(name, name), published=name.replace(" ", "_"), part=part)


TABLE_3 = Table(
    name="table3",
    task=TASK,
    title="Table 3. Semantic segmentation on Cityscapes",
    published_file="table3_cityscapes_segmentation.csv",
    published_dataset=DATASET,
    published_device=DEVICE,
    headline="mIoU",
    primary=PRIMARY,
    columns=(
        Column("mIoU", "mIoU", published="mIoU"),
        *(_class_column(name, part) for part, names in PARTS.items() for name in names),
        Column("latency_ms", "ms", "timing", "latency_ms", higher_is_better=False),
        Column("end_to_end_ms", "ms e2e", "timing", higher_is_better=False),
        Column("gmac", "GMAC", "timing", higher_is_better=False, decimals=3),
    ),
    rows=tuple(
        Row(
            table="table3",
            task=TASK,
            method=method,
            from_scale=1.0,
            to_scale=scale,
            published=(("crop_size", scale_label(scale)), ("method", METHODS[method].label)),
        )
        for scale in SCALES
        for method in ("uniform", "lzu_fixed")
    ),
    notes=(SCALE_NOTE, UNZOOM_NOTE, GMAC_NOTE),
)

PRIOR_WORK = {
    "uniform": "Uniform (ours)",
    "es": "ES",
    "lds": "LDS",
    "lzu_fixed": "LZU, fixed",
}
"""Method -> as Table 4 of the paper names it."""
THEIRS = "Uniform (theirs)"
"""What ES and LDS are compared with there."""


def _prior_work(method: str, scale: float) -> Key:
    return ("method", method), ("resolution", scale_label(scale))


TABLE_4 = Table(
    name="table4",
    task=TASK,
    title="Table 4. LZU beside ES and LDS on Cityscapes",
    published_file="table4_cityscapes_prior_work.csv",
    published_dataset=DATASET,
    published_device=DEVICE,
    headline="mIoU",
    primary=PRIMARY,
    columns=(
        Column("mIoU", "mIoU", published="mIoU"),
        Column(
            metric="improvement",
            label="% of Uniform",
            source="improvement",
            published="relative_improvement_percent",
        ),
    ),
    rows=tuple(
        Row(
            table="table4",
            task=TASK,
            method=method,
            from_scale=1.0,
            to_scale=scale,
            published=_prior_work(theirs, scale),
            published_baseline=_prior_work(THEIRS, scale) if method in ("es", "lds") else (),
        )
        for scale in SCALES[:3]
        for method, theirs in PRIOR_WORK.items()
    ),
    notes=(
        "% of Uniform: 100 (m - u) / u, the improvement of the mIoU m relative to the mIoU u of "
        "Uniform at the same scale and of the same suite. Uniform itself has none.",
        "Published: ES and LDS are compared with a Uniform of theirs, of mIoU 29, 40 and 54 at 64, "
        "128 and 256; LZU's, and all that are measured, are compared with the Uniform of this "
        "table.",
        "The published +2.9 % of LZU, fixed at 256 is +2.8 % from the published mIoUs, 55.1 "
        "and 53.6.",
        SCALE_NOTE,
        UNZOOM_NOTE,
    ),
)

SPACES = Table(
    name="segmentation_spaces",
    task=TASK,
    title="Segmentation in other spaces and at boundaries (beyond the paper)",
    published_file="",
    published_dataset=DATASET,
    published_device=DEVICE,
    headline="mIoU",
    primary=PRIMARY,
    columns=(
        Column("mIoU", "mIoU"),
        Column("mIoU_network", "network"),
        Column("mIoU_warped", "warped"),
        Column("mIoU_intrinsic", "intrinsic"),
        Column("boundary_F", "boundary F"),
    ),
    rows=(),
    notes=(
        "mIoU: of the whole crop. network: of prediction and labels sampled on the uniform grid of "
        "the network's size. warped: of both sampled where the method samples the image. "
        "intrinsic: of labels sampled there and sent back to the whole crop by the method's own "
        "way, the most that a network without fault could have. boundary F: F-score of the "
        "boundaries between classes.",
        SCALE_NOTE,
        UNZOOM_NOTE,
    ),
)

DISTANCE_BINS = Bins(
    name="distance_bins",
    metric="mIoU",
    label="mIoU",
    count="pixels",
    quantity="distance from a boundary",
    axis="distance from the nearest boundary between classes",
    units=(Unit("sides", "distance_bins", "lower", "% of the crop's shorter side", factor=100),),
)
"""mIoU of the pixels that are so far from a boundary of the labels."""
