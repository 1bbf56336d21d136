"""The paper's tables: their rows, columns and runs."""

from dataclasses import replace

import pytest

from lzu.experiments.run import Run
from lzu.experiments.tables import Column, Row, baseline_row
from lzu.tasks import TASKS
from lzu.tasks.detection2d.tables import TABLE_1, TABLE_2, TABLE_6
from tests.experiments.suites import CONFIG, changed, detection

PUBLISHED = CONFIG.parent / "results" / "published"
TABLES = {table.name: table for task in TASKS.values() for table in task.tables}


def test_every_table_has_one_name_and_is_of_its_task():
    found = [(task.name, table) for task in TASKS.values() for table in task.tables]
    assert len(TABLES) == len(found)
    for task, table in found:
        assert {table.task} | {row.task for row in table.rows} == {task}
        # one without published numbers has the rows of the runs that are planned
        names = {table.name} if table.published_file else set()
        assert {row.table for row in table.rows} == names
        assert table.column(table.headline).source == "score"


def test_table_1_has_the_papers_rows_in_its_order():
    lines = (PUBLISHED / TABLE_1.published_file).read_text().splitlines()[1:]
    assert len(TABLE_1.rows) == len(lines) == 14
    for row, line in zip(TABLE_1.rows, lines, strict=True):
        assert line.startswith(f"{row.to_scale:g},")
        assert row.label in line
        assert row.from_scale == 1


def test_rows_are_told_apart_by_their_runs():
    for table in TABLES.values():
        runs = [run for row in table.rows for run in row.runs("demo", (0, 1))]
        assert len({run.path for run in runs}) == len(runs) == 2 * len(table.rows)
        for run in runs:
            assert [row.matches(run) for row in table.rows].count(True) == 1


def test_rows_point_at_their_runs():
    paths = [str(run.path) for run in TABLE_1.rows[5].runs("demo", (0, 2))]
    assert paths == [
        "runs/detection2d/lzu_fixed/1-0.5/seed0",
        "runs/detection2d/lzu_fixed/1-0.5/seed2",
    ]


def test_baseline_is_uniform_at_the_same_scales():
    for table in (TABLE_1, TABLE_2):
        for row in table.rows:
            baseline = baseline_row(row, table.rows)
            if row.method == "uniform":
                assert baseline is None
            else:
                assert baseline is not None
                assert baseline.method == "uniform"
                assert (baseline.from_scale, baseline.to_scale) == (row.from_scale, row.to_scale)
    fovea = next(row for row in TABLE_1.rows if row.method == "fovea")
    assert baseline_row(fovea, [row for row in TABLE_1.rows if row.to_scale != 0.5]) is None


def test_the_declared_comparisons_are_rows():
    for table in TABLES.values():
        if table.primary is not None and table.published_file:
            assert table.primary in [(row.method, row.to_scale) for row in table.rows]


def test_only_table_6_is_of_the_search():
    assert [name for name, table in TABLES.items() if table.searched] == ["table6"]
    assert TABLE_6.searched


def test_rows_beyond_the_paper_stand_with_their_scale():
    runs = [
        Run("demo", "detection2d", "lzu_learned", 1.0, scale, seed)
        for scale in (1.0, 0.25, 0.3)
        for seed in (0, 1)
    ]
    rows = TABLE_1.with_planned(runs)
    assert [row.method for row in rows if row.to_scale == 0.25][-1] == "lzu_learned"
    assert rows[-1].method == "lzu_learned"
    assert [row for row in rows if row.method != "lzu_learned"] == list(TABLE_1.rows)
    assert [row.to_scale for row in rows] == sorted(row.to_scale for row in rows)
    beyond = [row for row in rows if row.method == "lzu_learned"]
    assert [(row.to_scale, row.published) for row in beyond] == [(0.25, ()), (0.3, ()), (1, ())]
    assert TABLE_1.with_planned([]) == TABLE_1.rows
    assert TABLE_1.with_planned(TABLE_1.rows[0].runs("demo", (0, 1))) == TABLE_1.rows


def test_a_variant_is_a_row_of_its_own():
    options = (("uniform_share", "0.1"),)
    run = Run("study", "detection2d", "lzu_adaptive", 1.0, 0.5, 0, options)
    [row] = set(TABLE_1.with_planned([run])) - set(TABLE_1.rows)
    assert row == Row("table1", "detection2d", "lzu_adaptive", 1.0, 0.5, (), options)


def test_a_grid_has_the_papers_rows_alone():
    """Upsampling and the search are laid out by scale and by point: other rows have no place."""
    run = Run("demo", "detection2d", "lzu_learned", 0.5, 0.5, 0)
    assert TABLE_2.with_planned([run]) == TABLE_2.rows


def test_every_planned_run_of_a_suite_is_a_row_of_its_table(smoke):
    context = detection(changed(smoke, "detection2d.methods.uniform.scales", [0.25, 0.3, 0.5]))
    for table in context.tables:
        rows = table.with_planned(context.plan[table.name])
        for run in context.plan[table.name]:
            assert [row.matches(run) for row in rows].count(True) == 1


def test_unknown_column():
    with pytest.raises(KeyError, match="mIoU"):
        TABLE_1.column("mIoU")


def test_columns_stand_in_the_parts_that_they_name():
    plain = Column("a", "A"), Column("d", "D")
    parts = Column("b", "B", part="one"), Column("c", "C", part="one")
    table = replace(TABLE_1, columns=(plain[0], *parts, plain[1]))
    assert table.parts == {"": plain, "one": parts}
    assert TABLE_1.parts == {"": TABLE_1.columns}
    assert TABLE_1.is_published
    assert not replace(TABLE_1, published_file="").is_published
