"""The registry of experiments: rows, runs and selections."""

import pytest

from lzu.errors import UserError
from lzu.experiments import registry
from lzu.experiments.registry import (
    BUILT,
    METHOD_LABELS,
    TABLE_1,
    TABLES,
    Cell,
    find_table,
    runs_for,
)
from lzu.experiments.run import METHODS, TASKS
from lzu.results.published import read_published


def test_table_1_has_the_papers_rows_in_its_order(constructed):
    lines = (constructed.published / TABLE_1.published_file).read_text().splitlines()[1:]
    assert len(TABLE_1.rows) == len(lines) == 14
    for row, line in zip(TABLE_1.rows, lines, strict=True):
        assert line.startswith(f"{row.to_scale:g},")
        assert row.label in line
        assert row.from_scale == 1


def test_every_table_finds_its_published_rows(constructed):
    for table in TABLES.values():
        published = read_published(table, constructed.published)
        assert len(published) == len(table.rows)


def test_published_values_are_the_papers(constructed):
    published = read_published(TABLE_1, constructed.published)
    row = next(r for r in TABLE_1.rows if (r.method, r.to_scale) == ("lzu_fixed", 0.5))
    assert published[row.published]["AP"] == 25.2
    assert published[row.published]["AP_S"] == 5.5
    assert published[row.published]["latency_ms"] == 36.4
    assert "end_to_end_ms" not in published[row.published]


def test_every_method_has_one_name():
    assert set(METHOD_LABELS) == set(METHODS)
    assert len(set(METHOD_LABELS.values())) == len(METHODS)
    assert all(task in TASKS and method in METHODS for task, method in BUILT)


def test_rows_are_told_apart_by_their_runs():
    for table in TABLES.values():
        runs = [run for row in table.rows for run in row.runs("demo", (0, 1))]
        assert len({run.path for run in runs}) == len(runs) == 2 * len(table.rows)
        for run in runs:
            assert [row.matches(run) for row in table.rows].count(True) == 1


def test_cells_point_at_their_runs():
    cells = TABLE_1.cells()
    assert len(cells) == 14 * len(TABLE_1.columns)
    cell = Cell(TABLE_1.rows[5], TABLE_1.column("AP"))
    assert cell in cells
    paths = [str(run.path) for run in cell.runs("demo", (0, 2))]
    assert paths == [
        "runs/detection2d/lzu_fixed/1-0.5/seed0",
        "runs/detection2d/lzu_fixed/1-0.5/seed2",
    ]


def test_baseline_is_uniform_at_the_same_scales():
    for row in TABLE_1.rows:
        baseline = TABLE_1.baseline_of(row)
        if row.method == "uniform":
            assert baseline is None
        else:
            assert baseline.method == "uniform"
            assert (baseline.from_scale, baseline.to_scale) == (row.from_scale, row.to_scale)


def test_runs_for_all_that_is_built():
    runs = runs_for("table1", "paper", (0, 1))
    assert len(runs) == 2 * sum(row.built for row in TABLE_1.rows)
    assert {(run.task, run.method) for run in runs} <= BUILT
    assert {run.suite for run in runs} == {"paper"}


def test_runs_for_a_selection():
    runs = runs_for("table1", "demo", (0, 3), {"uniform": (0.25, 0.5), "lzu_fixed": (0.5,)})
    assert [(run.method, run.to_scale, run.seed) for run in runs] == [
        ("uniform", 0.25, 0),
        ("uniform", 0.25, 3),
        ("uniform", 0.5, 0),
        ("uniform", 0.5, 3),
        ("lzu_fixed", 0.5, 0),
        ("lzu_fixed", 0.5, 3),
    ]
    assert runs_for("table1", "demo", (0,), {}) == []


@pytest.mark.parametrize(
    ("table", "seeds", "selection", "message"),
    [
        ("table99", (0,), None, "not a known table"),
        ("table1", (0, 0), None, "repeat"),
        ("table1", (0,), {"zoom": (0.5,)}, "unknown method 'zoom'"),
        ("table1", (0,), {"lds": (0.5,)}, "no row for lds at scale 0.5; its scales: none"),
        ("table1", (0,), {"uniform": (0.3,)}, "no row for uniform at scale 0.3; its scales: 0.25"),
    ],
)
def test_bad_selections_are_named(table, seeds, selection, message):
    with pytest.raises(UserError, match=message):
        runs_for(table, "demo", seeds, selection)


def test_selecting_what_is_not_built_is_an_error(monkeypatch):
    monkeypatch.setattr(registry, "BUILT", frozenset({("detection2d", "uniform")}))
    with pytest.raises(UserError, match="fovea is not built yet"):
        runs_for("table1", "demo", (0,), {"uniform": (0.5,), "fovea": (0.5,)})


def test_rows_beyond_the_paper_are_planned_by_selection_alone():
    assert not [run for run in runs_for("table1", "demo", (0,)) if run.method == "lzu_learned"]
    runs = runs_for("table1", "demo", (0,), {"lzu_learned": (0.5,), "uniform": (0.5,)})
    assert [run.method for run in runs] == ["uniform", "lzu_learned"]


def test_rows_beyond_the_paper_stand_with_their_scale():
    rows = TABLE_1.with_beyond(lambda row: row.to_scale in (0.25, 1))
    assert [row.method for row in rows if row.to_scale == 0.25][-1] == "lzu_learned"
    assert rows[-1].method == "lzu_learned"
    assert [row for row in rows if row.method != "lzu_learned"] == list(TABLE_1.rows)
    assert TABLE_1.with_beyond(lambda row: False) == TABLE_1.rows


def test_unknown_column_and_table():
    with pytest.raises(KeyError, match="mIoU"):
        TABLE_1.column("mIoU")
    assert find_table("table1") is TABLE_1


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda text: text.replace("AP_S", "APS", 1), "no column AP_S"),
        (lambda text: "\n".join(text.splitlines()[:-1]), "0 rows for scale=1, method=LZU, adapt"),
        (lambda text: text + text.splitlines()[1] + "\n", "2 rows for scale=0.25, method=Uniform"),
        (lambda text: text.replace("10.5", "ten", 1), "could not convert"),
        (lambda text: "", "no column"),
    ],
)
def test_broken_published_files_are_named(constructed, tmp_path, edit, message):
    text = (constructed.published / TABLE_1.published_file).read_text()
    path = tmp_path / TABLE_1.published_file
    path.write_text(edit(text))
    with pytest.raises(UserError, match=message) as error:
        read_published(TABLE_1, tmp_path)
    assert str(path) in str(error.value)


def test_missing_published_file_is_named(tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        read_published(TABLE_1, tmp_path)
