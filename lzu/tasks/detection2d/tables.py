"""The paper's tables of 2-D detection: 1, 2 (its 2-D half) and 6."""

from lzu.experiments.methods import BASELINE, METHODS
from lzu.experiments.run import SEARCH, Options
from lzu.experiments.tables import Column, Row, Table, upsampling_table
from lzu.experiments.task import Bins, Unit

TASK = "detection2d"
DEVICE = "RTX 2080 Ti"
DATASET = "Argoverse-HD"

TABLE_1_METHODS = {
    0.25: ("uniform", "lzu_fixed", "lzu_adaptive"),
    0.5: ("uniform", "fovea", "lzu_fixed", "lzu_adaptive", "lzu_adaptive_no_cascade"),
    0.75: ("uniform", "lzu_fixed", "lzu_adaptive"),
    1.0: ("uniform", "lzu_fixed", "lzu_adaptive"),
}

TABLE_1 = Table(
    name="table1",
    task=TASK,
    title="Table 1. 2D object detection on Argoverse-HD",
    published_file="table1_argoverse_hd_detection.csv",
    published_dataset=DATASET,
    published_device=DEVICE,
    headline="AP",
    primary=("lzu_fixed", 0.5),
    columns=(
        Column("AP", "AP", published="AP"),
        Column("AP50", "AP50", published="AP50"),
        Column("AP75", "AP75", published="AP75"),
        Column("AP_S", "AP_S", published="AP_S"),
        Column("AP_M", "AP_M", published="AP_M"),
        Column("AP_L", "AP_L", published="AP_L"),
        Column("latency_ms", "ms", "timing", "latency_ms", higher_is_better=False),
        Column("end_to_end_ms", "ms e2e", "timing", higher_is_better=False),
    ),
    rows=tuple(
        Row(
            table="table1",
            task=TASK,
            method=method,
            from_scale=1.0,
            to_scale=scale,
            published=(("scale", f"{scale:g}"), ("method", METHODS[method].label)),
        )
        for scale, methods in TABLE_1_METHODS.items()
        for method in methods
    ),
)

TABLE_2 = upsampling_table(TASK, "2D", "AP", DATASET, DEVICE)

SIZE_BINS = Bins(
    name="size_bins",
    metric="AP",
    label="AP",
    count="boxes",
    quantity="object size",
    axis="√area of the object",
    units=(
        Unit("px", "size_bins", "lower_px", "native pixels"),
        # Heights compare with images of another resolution, pixels do not.
        Unit(
            name="heights",
            key="size_bins_relative",
            lower="lower",
            label="% of the image's height",
            sign="/H",
            factor=100,
        ),
    ),
)
"""AP by the square root of a box's area, whatever the scale that a network sees."""

AMPLITUDES = (1.0, 5.0, 10.0, 50.0, 100.0)
FWHMS = (4.0, 10.0, 16.0, 22.0)
SEARCHED = ("lzu_fixed", "lzu_adaptive")


def _searched_row(method: str, own: Options = ()) -> Row:
    name = method.removeprefix("lzu_")
    return Row("table6", TASK, method, 1.0, 0.5, (("saliency", name), *own), (*own, SEARCH))


TABLE_6 = Table(
    name="table6",
    task=TASK,
    title="Table 6. AP at 0.5x over amplitude and fwhm",
    published_file="table6_saliency_grid_search.csv",
    published_dataset="Argoverse-HD, on a split of its training set",
    published_device=DEVICE,
    headline="AP",
    columns=(Column("AP", "AP", published="AP"),),
    rows=(
        _searched_row(BASELINE.name),
        *(
            _searched_row(method, (("amplitude", f"{amplitude:g}"), ("fwhm", f"{fwhm:g}")))
            for method in SEARCHED
            for amplitude in AMPLITUDES
            for fwhm in FWHMS
        ),
    ),
    layout="search",
    notes=(
        "Trained and scored on two parts of the training set, split by sequence (see the file "
        "search_split.json). The paper's split is unreleased; its parts have no location in "
        "common, which ours may have.",
    ),
)
