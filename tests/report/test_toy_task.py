"""A task and a method that exist in this file alone go through the whole report.

Whatever the report knew of a real task, method, table, metric or scale would fail here.
"""

import csv
from typing import ClassVar

import numpy as np
import pytest

from lzu.experiments.context import Context
from lzu.experiments.methods import METHODS, Method
from lzu.experiments.run import Run
from lzu.experiments.settings import TaskSettings
from lzu.experiments.suite import parse_suite
from lzu.experiments.tables import Column, Row, Table
from lzu.experiments.task import Bins, DatasetFacts, Task, Unit
from lzu.report.compare.comparison import compare
from lzu.report.figures.tradeoff import tradeoff_figure
from lzu.report.make import collect_task, make_figures, make_tables, show
from lzu.report.products import products
from lzu.results.bins import bins_schema
from lzu.results.collect import read_collected
from lzu.results.schema import PERCENT, closed

SQUINT = Method("squint", "Squinting", "#123456", "*", "none")
SEEDS = range(5)
IMAGES, GROUPS = 40, 4


class ToySettings(TaskSettings):
    """Nothing of its own."""

    offered: ClassVar[tuple[str, ...]] = ("uniform", "squint")


TABLE = Table(
    name="toy_table",
    task="toy",
    title="Table 0. Cats and dogs",
    published_file="toy.csv",
    published_dataset="Pets",
    published_device="abacus",
    headline="accuracy",
    primary=("squint", 0.25),
    columns=(
        Column("accuracy", "acc.", published="acc"),
        Column("latency_ms", "ms", "timing", published="time", higher_is_better=False),
        Column("end_to_end_ms", "ms e2e", "timing", higher_is_better=False),
        Column("gmac", "GMAC", "timing", higher_is_better=False),
    ),
    rows=tuple(
        Row("toy_table", "toy", method, 1.0, 0.25, published=(("who", method),))
        for method in ("uniform", "squint")
    ),
)

BEYOND = Table(
    name="toy_beyond",
    task="toy",
    title="Cats and dogs, halved",
    published_file="",
    published_dataset="Pets",
    published_device="abacus",
    headline="accuracy",
    columns=(
        Column("accuracy", "acc."),
        Column("gain", "gain %", "improvement"),
        Column("cats", "cats", part="Species"),
    ),
    rows=(),
)
AGES = Bins(
    name="age_bins",
    metric="spotted",
    label="pets spotted",
    count="pets",
    quantity="age",
    axis="age of the pet",
    units=(Unit("years", "ages", "from", "months", factor=12),),
)


def toy_runs(settings, suite):
    """Every method at every scale and seed."""
    runs = [
        Run(suite, "toy", method, 1.0, scale, seed)
        for method, own in settings.methods.items()
        for scale in own.scales
        for seed in settings.seeds_of(method, scale)
    ]
    return {"toy_table": runs, "toy_beyond": runs}


TOY = Task(
    name="toy",
    title="cats and dogs",
    settings=ToySettings,
    dataset=DatasetFacts("pets", "Pets", "nowhere", lambda root, split: None),
    tables=(TABLE, BEYOND),
    runs=toy_runs,
    metrics=closed({"accuracy": PERCENT, "cats": PERCENT}),
    extras={"ages": bins_schema("from", "spotted", "pets")},
    prior_of=lambda settings, run: None,
    steps={},
    scope="none",
    scale_label=lambda scale: f"{round(64 * scale)} px",
    comparisons=("iso_latency", "iso_flops"),
    bins=(AGES,),
)


def accuracies(run):
    """The accuracy of invented guesses, and without each group of images, in percent."""
    generator = np.random.default_rng(run.seed)
    labels = generator.integers(0, 2, IMAGES)
    wrong = generator.random(IMAGES) < (0.1 if run.method == "squint" else 0.5)
    right = (labels ^ wrong) == labels
    group = np.arange(IMAGES) % GROUPS
    left_out = [100 * float(right[group != g].mean()) for g in range(GROUPS)]
    return 100 * float(right.mean()), left_out


@pytest.fixture
def context(tmp_path, monkeypatch, constructed):
    """The toy's suite with kept results; uniform at a second scale, which the paper has not."""
    monkeypatch.setitem(METHODS, SQUINT.name, SQUINT)
    settings = {
        "suite": "pets",
        "mode": "cached",
        "toy": {
            "dataset": {"root": "x"},
            "model": {"base": "none::none"},
            "methods": {
                "uniform": {"scales": [0.25, 0.5], "learning_rate": 1},
                "squint": {"scales": [0.25], "learning_rate": 1},
            },
            "seeds": list(SEEDS),
        },
    }
    context = Context(parse_suite(settings, "toy.yaml", {"toy": TOY}), TOY, tmp_path)
    published = tmp_path / "published" / "toy.csv"
    published.parent.mkdir()
    published.write_text("who,acc,time\nuniform,50,1\nsquint,75,2\n")
    for run in context.runs:
        score, left_out = accuracies(run)
        metrics = constructed.metrics_of(run, {"accuracy": score, "cats": score / 2})
        metrics["ages"] = {"from": [0, 2], "spotted": [score, None], "pets": [IMAGES, 0]}
        metrics["jackknife"] = {
            "unit": "image",
            "groups": [[int(i) for i in range(g, IMAGES, GROUPS)] for g in range(GROUPS)],
            "metrics": {"accuracy": left_out},
        }
        folder = context.paths.suite.measured / "constructed"
        constructed.write_json(folder / run.path / "metrics.json", metrics)
        base = [40 * run.to_scale + extra for extra in np.linspace(0, 1, 9)]
        timing = constructed.timing_of(run, base, [0.5 * (run.method == "squint")] * 9)
        timing["shapes"]["gmac"] = run.to_scale
        constructed.write_json(folder / run.timing_path, timing)
    return context


def test_a_toy_task_goes_from_files_to_tables_and_figures(context, capsys):
    for step in (collect_task, make_tables, make_figures):
        step(context)
    assert all(product.path.stat().st_size > 0 for product in products(context))
    assert {p.path.name for p in products(context) if p.path.suffix == ".txt"} == {
        "toy_table.txt",
        "toy_beyond.txt",
        "toy_iso_latency.txt",
        "toy_iso_flops.txt",
    }
    text = (context.paths.tables / "toy_table.txt").read_text()
    lines = [line.split() for line in text.splitlines()]
    published = next(line for line in lines if line[:3] == ["16", "px", "Squinting"])
    assert published[3:] == ["published", "75.0", "2.0", "–", "–"]
    flat = " ".join(text.split())
    assert "Squinting against Uniform at 16 px (declared): win (5 seeds), acc. +" in flat
    assert "published +25.0; adds 0.50 ms" in flat
    assert "tested alone: Squinting at 16 px" in flat
    assert "validation sequences (jackknife) together" in flat
    # a row beyond the paper, of a planned run
    assert ["32", "px", "Uniform", "published", "–", "–", "–", "–"] in lines
    with (context.paths.tables / "toy_table.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    expected = np.mean([accuracies(run)[0] for run in context.runs if run.method == "squint"])
    squint = next(row for row in rows if row["method"] == "squint")
    assert float(squint["accuracy_measured"]) == pytest.approx(expected)
    assert (squint["seeds"], squint["accuracy_difference"]) == ("0 1 2 3 4", "")
    show([context])
    assert capsys.readouterr().out.startswith("Table 0. Cats and dogs")


def test_its_table_beyond_the_paper_has_what_was_measured_alone(context):
    for step in (collect_task, make_tables):
        step(context)
    text = (context.paths.tables / "toy_beyond.txt").read_text()
    assert text.startswith("Cats and dogs, halved: measured on synthetic data")
    assert "published" not in text
    assert "toy_beyond_paired.csv" in text
    first, species = text.split("Species:")
    means = {
        method: np.mean([accuracies(r)[0] for r in context.runs if r.method == method])
        for method in ("uniform", "squint")
    }
    lines = [line.split() for line in first.splitlines()]
    squint = next(line for line in lines if line[:3] == ["16", "px", "Squinting"])
    gain = 100 * (means["squint"] / means["uniform"] - 1)
    assert [cell.split("±")[0] for cell in squint[3:]] == [f"{means['squint']:.1f}", f"{gain:.1f}"]
    assert next(line for line in lines if line[:3] == ["16", "px", "Uniform"])[-1] == "–"
    assert f"{means['squint'] / 2:.1f}" in species
    latex = (context.paths.tables / "toy_beyond.tex").read_text()
    assert latex.count(r"\begin{table}") == 3
    assert r"\label{tab:toy_beyond-pets-1}" in latex


def test_its_bins_are_written_under_its_own_names(context):
    for step in (collect_task, make_tables):
        step(context)
    with (context.paths.tables / "toy_age_bins.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert {(row["unit"], row["lower"], row["upper"], row["pets"]) for row in rows} == {
        ("years", "0", "2", str(IMAGES)),
        ("years", "2", "inf", "0"),
    }


def test_its_figure_has_its_method_and_scales(context):
    collect_task(context)
    frame = read_collected(context.paths.collected)
    published = context.paths.suite.published
    report = compare(TABLE, TOY, "pets", frame, published, context.plan["toy_table"])
    figure = tradeoff_figure(report)
    left, right, counted = figure.axes
    [legend] = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [
        "Uniform",
        "Squinting",
        "Pareto front",
    ]
    assert {text.get_text() for text in right.texts} == {"16 px", "32 px"}
    assert right.get_ylabel() == "acc."
    assert "abacus" in left.get_xlabel()
    assert "GMAC" in counted.get_xlabel()
    drawn = [line for line in right.lines if line.get_marker() == "*"]
    assert {line.get_color() for line in drawn} == {"#123456"}
