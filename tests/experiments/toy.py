"""A toy task and a toy method, which nothing in lzu names: numbers of two classes, told apart.

`TOY` has all that a task needs, so the whole way can be gone without torch: prepare, train,
predict, score, keep. `TOY_ZOOM` is a method with settings of its own; `TOY_WITH_ZOOM` offers it.
"""

import hashlib
import json
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field

from lzu.experiments.context import Context
from lzu.experiments.methods import METHODS, Method
from lzu.experiments.plan import method_runs
from lzu.experiments.run import Run
from lzu.experiments.settings import Model, Positive, Strict, TaskSettings
from lzu.experiments.suite import parse_suite
from lzu.experiments.tables import Column, Row, Table
from lzu.experiments.task import DatasetFacts, Task
from lzu.files import read_json, write_json
from lzu.results.schema import COUNT, PERCENT, closed
from lzu.results.stamps import CHECKPOINT, RECORD, stamp

IMAGES = {"train": 40, "val": 30}
CLASSES = ("low", "high")
THRESHOLD = "threshold"


class Toy(TaskSettings):
    """Telling low numbers from high ones."""

    offered: ClassVar[tuple[str, ...]] = ("uniform", "lzu_fixed")

    model: Model = Model(base="toy::threshold")
    margin: Annotated[float, Field(ge=0)] = Field(0.0, description="added to the threshold")
    shown: Annotated[int, Field(ge=1)] = Field(3, description="numbers in a picture")


TABLE = Table(
    name="toy_table",
    task="toy",
    title="Toy table. Numbers told apart",
    published_file="toy.csv",
    published_dataset="Toy numbers",
    published_device="an abacus",
    headline="accuracy",
    columns=(
        Column("accuracy", "accuracy", published="accuracy"),
        Column("latency_ms", "ms", "timing", "ms", higher_is_better=False),
    ),
    rows=tuple(
        Row("toy_table", "toy", method, 1.0, 0.5, (("method", METHODS[method].label),))
        for method in ("uniform", "lzu_fixed")
    ),
)


def runs(settings: Toy, suite: str) -> Mapping[str, list[Run]]:
    """Every method at its scales fills the one table."""
    return {TABLE.name: method_runs(settings, suite, "toy")}


def check_extras(value: dict[str, Any]) -> str | None:
    """The two classes have all images between them."""
    if "classes" in value and sum(value["classes"].values()) != value["dataset"]["images"]:
        return f"classes: {value['classes']} are not {value['dataset']['images']} images"
    return None


def prepare(context: Context, split: str) -> None:
    """Write the numbers of a split, and what is known of them."""
    drawn = np.random.default_rng(len(split)).normal(size=IMAGES[split]).round(3)
    content = {"numbers": drawn.tolist(), "labels": (drawn > 0).astype(int).tolist()}
    write_json(context.paths.annotations(split), content)
    text = json.dumps(content, sort_keys=True)
    about = {
        "dataset": "toy_numbers",
        "split": split,
        "source": "synthetic",
        "images": IMAGES[split],
        "fingerprint": hashlib.sha256(text.encode()).hexdigest(),
    }
    write_json(context.paths.about(split), about)


def fit(context: Context, run: Run, provenance: dict[str, Any]) -> None:
    """Write the run's weights, one number, and its record, as `lzu.engine.train` does."""
    data = read_json(context.paths.annotations(run.split("train")))
    numbers, labels = np.array(data["numbers"]), np.array(data["labels"])
    threshold = (numbers[labels == 1].mean() + numbers[labels == 0].mean()) / 2
    path = context.paths.run(run, CHECKPOINT)
    path.parent.mkdir(parents=True, exist_ok=True)
    value = float(threshold) + context.settings.margin + 0.05 * run.seed
    # an archive, as torch's are
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(THRESHOLD, repr(value))
    training = {
        "initial_weights": "scratch",
        "iterations": 1,
        "epochs": context.settings.schedule.epochs,
        "duration_s": 0.5,
        "images_per_s": None,
    }
    record = {"stamp": stamp(context, run), "training": training, "provenance": provenance}
    write_json(context.paths.run(run, RECORD), record)


def predict(context: Context, run: Run, threshold: float, workers: int = 0) -> dict[str, Any]:
    """What the run takes the validation numbers for."""
    numbers = read_json(context.paths.annotations(run.split("val")))["numbers"]
    return {"labels": [int(number > threshold) for number in numbers]}


def score(context: Context, run: Run, predictions: dict[str, Any]) -> dict[str, Any]:
    """The share that was right, and how many were taken for each class."""
    truth = read_json(context.paths.annotations(run.split("val")))["labels"]
    found = predictions["labels"]
    right = sum(a == b for a, b in zip(truth, found, strict=True))
    return {
        "metrics": {"accuracy": 100 * right / len(truth)},
        "classes": {name: found.count(k) for k, name in enumerate(CLASSES)},
    }


def raw_state(root: str, split: str) -> dict[str, Any]:
    """There are no raw files."""
    return {"root": root, "images": IMAGES[split]}


TOY = Task(
    name="toy",
    title="Toy classification",
    settings=Toy,
    dataset=DatasetFacts("toy_numbers", "Toy numbers", "they are made up", raw_state),
    tables=(TABLE,),
    runs=runs,
    metrics=closed({"accuracy": PERCENT}),
    extras={"classes": closed({name: COUNT for name in CLASSES})},
    check_extras=check_extras,
    prior_of=lambda settings, run: None,
    not_trained=("shown",),
    scope="toy",
    comparisons=(),
    steps={name: f"{__name__}:{name}" for name in ("prepare", "predict", "score")},
)

TOY_ZOOM = Method("toy_zoom", "Toy zoom", "#000000", "x", "learned", "toy_zoom", drops=("quiet",))


class ToyZoom(Strict):
    """A method that only this toy has."""

    fwhm: Positive = Field(5.0, description="of the kernel, in cells")
    strength: Positive = Field(2.0, description="of the zoom")
    quiet: bool = Field(True, description="whether it says nothing")


class ToyWithZoom(Toy):
    """Telling low numbers from high ones, zoomed."""

    offered: ClassVar[tuple[str, ...]] = (*Toy.offered, "toy_zoom")

    toy_zoom: ToyZoom = ToyZoom()


TOY_WITH_ZOOM = replace(TOY, settings=ToyWithZoom)

BLOCK: dict[str, Any] = {
    "dataset": {"root": "toy"},
    "methods": {
        "uniform": {"scales": [0.5], "learning_rate": 0.1},
        "lzu_fixed": {"scales": [0.5], "learning_rate": 0.1},
    },
    "seeds": [0, 1],
}
ZOOM = {"scales": [0.5], "learning_rate": 0.2, "variants": [{"strength": 3}]}


def toy_context(
    results: Path, block: dict[str, Any] | None = None, task: Task = TOY, **top: Any
) -> Context:
    """The toy task in a suite, below a results folder; `block` has its settings."""
    settings = {"suite": "play", "toy": BLOCK if block is None else block, **top}
    return Context(parse_suite(settings, "toy.yaml", {"toy": task}), task, results)


def make(
    context: Context,
    chosen: list[Run],
    provenance: dict[str, Any],
    predicted: dict[str, Any] | None = None,
) -> list[Path]:
    """Train, predict and score runs on prepared data, as the workflow does; their result files.

    `provenance` is that of the trainings and, without `predicted`, of the predictions.
    """
    from lzu.engine.score import score as score_run

    for run in chosen:
        if run == run.trained:
            fit(context, run, provenance)
        with zipfile.ZipFile(context.paths.run(run.trained, CHECKPOINT)) as archive:
            threshold = float(archive.read(THRESHOLD))
        found = context.task.step("predict")(context, run, threshold)
        known = {
            "stamp": stamp(context, run),
            "fingerprint": read_json(context.paths.about(run.split("val")))["fingerprint"],
            "provenance": provenance if predicted is None else predicted,
        }
        write_json(context.paths.run(run, "predictions.json"), {**known, **found})
        score_run(context, run)
    return [context.paths.run(run, "metrics.json") for run in chosen]


def write_published(folder: Path) -> None:
    """The paper's numbers for the toy table, below a results folder."""
    lines = ["method,accuracy,ms", "Uniform,80,1", '"LZU, fixed",90,1.5']
    (folder / "published").mkdir(parents=True, exist_ok=True)
    (folder / "published" / TABLE.published_file).write_text("\n".join(lines) + "\n")
