"""The paper's numbers, found by row; broken files are named."""

import pytest

from lzu.errors import UserError
from lzu.results.published import read_published
from lzu.tasks import TASKS
from lzu.tasks.detection2d.tables import TABLE_1
from tests.experiments.toy import TABLE, write_published


def test_every_table_finds_its_published_rows(constructed):
    for task in TASKS.values():
        for table in task.tables:
            published = read_published(table, constructed.published)
            keys = {key for row in table.rows for key in (row.published, row.published_baseline)}
            assert set(published) == keys - {()}


def test_published_values_are_the_papers(constructed):
    published = read_published(TABLE_1, constructed.published)
    row = next(r for r in TABLE_1.rows if (r.method, r.to_scale) == ("lzu_fixed", 0.5))
    assert published[row.published]["AP"] == 25.2
    assert published[row.published]["AP_S"] == 5.5
    assert published[row.published]["latency_ms"] == 36.4
    assert "end_to_end_ms" not in published[row.published]


def test_any_table_s_numbers_are_read(tmp_path):
    write_published(tmp_path)
    found = read_published(TABLE, tmp_path / "published")
    assert found[("method", "LZU, fixed"),] == {"accuracy": 90, "latency_ms": 1.5}


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
