"""The table of methods, and a method that is a row, a block and a name in a task's list."""

from typing import Any

import pytest

from lzu.errors import UserError
from lzu.experiments.identity import own_block, training_identity
from lzu.experiments.methods import BASELINE, METHODS
from lzu.tasks import TASKS
from tests.experiments.suites import changed
from tests.experiments.toy import BLOCK, TOY_WITH_ZOOM, TOY_ZOOM, ZOOM, toy_context


def test_every_method_has_one_name_label_colour_and_marker():
    assert all(name == method.name for name, method in METHODS.items())
    for attribute in ("label", "colour", "marker"):
        values = [getattr(method, attribute) for method in METHODS.values()]
        assert len(set(values)) == len(METHODS), attribute
    assert BASELINE.name == "uniform"
    assert BASELINE.saliency == "none"


def test_every_method_is_offered_by_a_task_that_has_its_block():
    offered = {(task.name, name) for task in TASKS.values() for name in task.settings.offered}
    assert {name for _, name in offered} == set(METHODS)
    for name, method in METHODS.items():
        fields = [TASKS[task].settings.model_fields for task, one in offered if one == name]
        blocks = [field[method.block].default for field in fields if method.block in field]
        keys = {key for block in blocks for key in type(block).model_fields}
        assert set(method.drops) <= keys


def test_what_a_method_needs_follows_from_its_saliency():
    needs = {name: (m.needs_prior, m.follows_frames) for name, m in METHODS.items()}
    assert needs == {
        "uniform": (False, False),
        "lzu_fixed": (True, False),
        "lzu_adaptive": (False, True),
        "lzu_adaptive_no_cascade": (False, True),
        "lzu_learned": (False, False),
        "fovea": (True, False),
        "lds": (False, False),
        "es": (False, False),
    }


@pytest.fixture
def zoomed(monkeypatch, tmp_path):
    """The toy task that offers the toy method too, with given settings."""
    monkeypatch.setitem(METHODS, TOY_ZOOM.name, TOY_ZOOM)

    def context(path: str = "methods.toy_zoom", value: Any = ZOOM) -> Any:
        block = changed(BLOCK, "methods.toy_zoom", ZOOM)
        return toy_context(tmp_path, changed(block, path, value), TOY_WITH_ZOOM)

    return context


def test_a_new_method_is_a_row_and_a_block(zoomed):
    context = zoomed()
    own = [run for run in context.runs if run.method == "toy_zoom"]
    assert [(run.variant, run.seed) for run in own] == [
        ("1-0.5", 0), ("1-0.5", 1), ("1-0.5/strength=3", 0), ("1-0.5/strength=3", 1)
    ]  # fmt: skip
    assert [own_block(context, run)["strength"] for run in own] == [2, 2, 3, 3]
    assert all("quiet" not in own_block(context, run) for run in own)
    [table] = context.tables
    rows = [row for row in table.with_planned(own) if row not in table.rows]
    assert [(row.label, row.options) for row in rows] == [
        ("Toy zoom", ()), ("Toy zoom", (("strength", "3"),))
    ]  # fmt: skip
    paths = {str(context.paths.run(run, "metrics.json")) for run in own}
    assert len(paths) == len(own)
    assert all("/runs/toy/toy_zoom/" in path for path in paths)


@pytest.mark.parametrize(
    ("path", "value", "stale"),
    [
        ("toy_zoom.strength", 4, {"1-0.5"}),
        ("toy_zoom.fwhm", 4, {"1-0.5", "1-0.5/strength=3"}),
        ("toy_zoom.quiet", False, set()),
        ("prior.fwhm", 4, set()),
        ("prior.lattice", [9, 9], {"1-0.5", "1-0.5/strength=3"}),
    ],
)
def test_a_new_method_s_identity_follows_from_its_row(zoomed, path, value, stale):
    before, after = zoomed(), zoomed(path, value)
    found = {
        run.variant
        for run in before.runs
        if run.method == "toy_zoom"
        and training_identity(before, run) != training_identity(after, run)
    }
    assert found == stale
    if path.startswith("toy_zoom"):
        others = [run for run in before.runs if run.method != "toy_zoom"]
        assert all(training_identity(before, r) == training_identity(after, r) for r in others)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("toy_zoom.speed", 4, r"toy\.toy_zoom\.speed: there is no such key"),
        (
            "methods.toy_zoom.variants",
            [{"quiet": 1}],
            r"methods\.toy_zoom\.variants: 'quiet' is no setting of this method; choose from "
            r"fwhm, strength",
        ),
        (
            "methods.toy_zoom.variants",
            [{"strength": -1}],
            r"methods\.toy_zoom\.variants: strength: .*greater than 0 \(given: -1\)",
        ),
    ],
)
def test_a_new_method_s_settings_are_checked(zoomed, path, value, said):
    with pytest.raises(UserError, match=said):
        zoomed(path, value)


def test_a_method_is_offered_by_its_tasks_alone(monkeypatch, tmp_path):
    monkeypatch.setitem(METHODS, TOY_ZOOM.name, TOY_ZOOM)
    block = changed(BLOCK, "methods.toy_zoom", ZOOM)
    with pytest.raises(UserError, match=r"toy\.methods\.toy_zoom: no method of this task"):
        toy_context(tmp_path, block)
