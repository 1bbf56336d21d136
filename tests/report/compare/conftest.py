"""Tables of constructed result files, and parts of them."""

import json

import pytest


@pytest.fixture
def compared(constructed, planned):
    def make(files, **options):
        return constructed.compare(constructed.collect(*files), **({"planned": planned} | options))

    return make


def row_of(report, method, scale):
    return next(r for r in report.rows if (r.row.method, r.row.to_scale) == (method, scale))


def pair_of(report, method, scale, metric="AP"):
    key = (method, scale, metric)
    return next(p for p in report.paired if (p.row.method, p.row.to_scale, p.column.metric) == key)


def edit_json(path, change):
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))
