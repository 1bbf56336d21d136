"""Eq. 18's table: every reading beside the paper's numbers, and which comes nearest."""

import csv
import json

import pytest

from lzu.errors import UserError
from lzu.report.tables.level_error import (
    level_error_grid,
    notes,
    read_published_errors,
    readings_of,
    write_level_error_table,
)
from lzu.results.schema import read_level_error
from tests.constructed import provenance

# of a suite's defaults
PARAMETERS = {
    "native_size": [1200, 1920],
    "lattice": [31, 51],
    "amplitude": 1.0,
    "bandwidth": 64.0,
}
PUBLISHED = {2: 0.0274, 4: 0.0065, 8: 0.0028}


def reading(separable, finest, cells, errors):
    """A reading whose mean errors in pixels of the image are invented, and others follow."""
    levels = []
    for d, error in zip((2, 4, 8), errors, strict=True):
        pixels = {"image": error, "finest": error * finest[0] / 600, "level": error / d}
        levels.append(
            {
                "divisor": d,
                "size": [-(-n // d) for n in finest],
                "mean_px": pixels,
                "largest_px": {unit: 3 * x for unit, x in pixels.items()},
            }
        )
    return {
        "separable": separable,
        "image": [600, 960],
        "finest": list(finest),
        "cells": cells,
        "levels": levels,
    }


def level_errors(machine="constructed"):
    return {
        "schema": "lzu-level-error/1",
        "suite": "demo",
        "prior": {"parameters": PARAMETERS, "source": {"source": "synthetic", "boxes": 1234}},
        "warp": {"lattice": [31, 51], "fwhm": 22.0, "anti_crop": True},
        "dtype": "float64",
        "readings": [
            reading(True, (600, 960), "aligned", (0.1, 0.01, 0.001)),
            reading(True, (600, 960), "stride", (1e-14, 0, 1e-13)),
            reading(True, (75, 120), "aligned", (0.0548, 0.013, 0.0056)),
            reading(False, (75, 120), "aligned", tuple(PUBLISHED.values())),
        ],
        "provenance": provenance(machine),
    }


def test_the_published_numbers_are_the_papers(constructed):
    assert read_published_errors(constructed.published) == PUBLISHED


def test_every_reading_is_a_row_in_each_unit():
    readings = readings_of(level_errors(), PUBLISHED)
    assert [(r.separable, r.finest, r.cells, r.unit) for r in readings] == [
        (True, (600, 960), "aligned", "image"),
        (True, (600, 960), "aligned", "level"),
        (True, (600, 960), "stride", "any"),
        (True, (75, 120), "aligned", "image"),
        (True, (75, 120), "aligned", "finest"),
        (True, (75, 120), "aligned", "level"),
        (False, (75, 120), "aligned", "image"),
        (False, (75, 120), "aligned", "finest"),
        (False, (75, 120), "aligned", "level"),
    ]
    assert readings[1].errors == {2: 0.05, 4: 0.0025, 8: 0.000125}
    factors = 0.1 / 0.0274 * 0.01 / 0.0065 * 0.0028 / 0.001
    assert readings[0].off == pytest.approx(factors ** (1 / 3))
    assert readings[2].errors == {2: 0, 4: 0, 8: 0}
    assert readings[2].off is None
    assert readings[3].off == pytest.approx(2)
    assert readings[6].off == pytest.approx(1)


def test_published_stands_beside_measured():
    readings = readings_of(level_errors(), PUBLISHED)
    table = level_error_grid(readings, PUBLISHED)
    assert table.header[-4:] == ("d = 2", "d = 4", "d = 8", "off by")
    lines = [line for group in table.groups for line in group]
    assert lines[0] == ("published", "?", "?", "?", "0.0274", "0.0065", "0.0028", "")
    assert lines[1][4:] == ("0.10000", "0.01000", "0.00100", "×2.51")
    assert lines[3][3:] == ("any", "0", "0", "0", "–")
    assert len(lines) == 1 + len(readings)


def test_the_nearest_reading_is_named_among_the_papers_kind_of_warp():
    value = level_errors()
    last = notes(value, readings_of(value, PUBLISHED))[-1]
    assert "Grid(H', W') = 75×120, corners aligned, pixels of the zoomed image (×2)" in last
    value["readings"] = value["readings"][1:2]
    assert not any("Nearest" in line for line in notes(value, readings_of(value, PUBLISHED)))


def test_all_forms_are_written(tmp_path):
    paths = write_level_error_table(level_errors(), PUBLISHED, tmp_path, "a_task")
    assert set(paths) == {"csv", "md", "tex", "txt"}
    with paths["csv"].open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 9
    assert rows[0]["d2_published"] == "0.0274"
    assert float(rows[0]["d2_measured"]) == 0.1
    assert rows[2]["off_by"] == ""
    assert max(map(len, paths["txt"].read_text().splitlines())) <= 120
    assert r"\label{tab:eq18-a_task-demo}" in paths["tex"].read_text()
    for form in ("md", "tex", "txt"):
        text = paths[form].read_text()
        assert "0.0274" in text
        assert "1,234 training boxes" in text


def test_other_divisors_are_refused():
    value = level_errors()
    value["readings"][0]["levels"].pop()
    with pytest.raises(UserError, match=r"measured at d = \[2, 4\], published at \[2, 4, 8\]"):
        readings_of(value, PUBLISHED)


@pytest.mark.parametrize("content", [None, "a,b\n1,2\n", "d,error_px\n2,much\n"])
def test_a_broken_published_file_is_named(tmp_path, content):
    if content is not None:
        (tmp_path / "eq18.csv").write_text(content)
    with pytest.raises(UserError, match=r"eq18\.csv: cannot be read"):
        read_published_errors(tmp_path)


def edit(value, change):
    change(value)
    return value


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda v: v.update(schema="lzu-level-error/0"), "schema"),
        (lambda v: v.pop("warp"), "'warp' is a required property"),
        (lambda v: v.update(readings=[]), "readings"),
        (lambda v: v["readings"][0].update(cells="diagonal"), "readings.0.cells"),
        (
            lambda v: v["readings"][1]["levels"][0]["mean_px"].update(level=-1),
            "readings.1.levels.0.mean_px.level",
        ),
        (lambda v: v["provenance"].pop("machine"), "'machine' is a required property"),
    ],
)
def test_broken_files_are_named(tmp_path, change, named):
    path = tmp_path / "level_error.json"
    path.write_text(json.dumps(edit(level_errors(), change)))
    with pytest.raises(UserError) as error:
        read_level_error(path)
    assert str(error.value).startswith(f"{path}: ")
    assert named in str(error.value)
