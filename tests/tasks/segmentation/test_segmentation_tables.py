"""The tables of semantic segmentation: the paper's rows, classes and numbers."""

import csv

import pytest

from lzu.datasets.cityscapes.classes import CLASSES
from lzu.results.published import read_published
from lzu.tasks.segmentation.tables import SPACES, TABLE_3, TABLE_4, iou, scale_label
from tests.experiments.suites import CONFIG

PUBLISHED = CONFIG.parent / "results" / "published"


def lines(table):
    with (PUBLISHED / table.published_file).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_table_3_has_the_papers_rows_and_columns_in_its_order():
    found = lines(TABLE_3)
    assert [dict(row.published) for row in TABLE_3.rows] == [
        {"crop_size": line["crop_size"], "method": line["method"]} for line in found
    ]
    published = [column.published for column in TABLE_3.columns if column.published]
    assert ["crop_size", "method", *published] == list(found[0])


def test_table_3_s_classes_are_those_of_the_dataset_and_its_miou_is_their_mean():
    classes = [column.metric for column in TABLE_3.columns if column.part]
    assert classes == [iou(name) for name in CLASSES]
    for row in read_published(TABLE_3, PUBLISHED).values():
        mean = sum(row[name] for name in classes) / len(classes)
        assert row["mIoU"] == pytest.approx(mean, abs=0.051)


def test_table_4_has_the_papers_numbers_of_our_rows():
    found = read_published(TABLE_4, PUBLISHED)
    theirs = {(line["method"], line["resolution"]): line for line in lines(TABLE_4)}
    assert len(TABLE_4.rows) == len(theirs) - 3  # the Uniform that ES and LDS compare with
    assert len(found) == len(theirs)
    for row in TABLE_4.rows:
        line = theirs[tuple(dict(row.published).values())]
        assert found[row.published]["mIoU"] == float(line["mIoU"])
        improvement = found[row.published].get("improvement")
        assert improvement == (float(line["relative_improvement_percent"] or "nan")) or (
            row.method == "uniform" and improvement is None
        )


def test_table_4_s_notes_name_the_papers_numbers():
    theirs = {(line["method"], line["resolution"]): float(line["mIoU"]) for line in lines(TABLE_4)}
    text = " ".join(TABLE_4.notes)
    uniform = [theirs["Uniform (theirs)", size] for size in ("64", "128", "256")]
    assert "mIoU {:g}, {:g} and {:g} at 64".format(*uniform) in text
    ours, zoomed = theirs["Uniform (ours)", "256"], theirs["LZU, fixed", "256"]
    assert f"+{100 * (zoomed - ours) / ours:.1f} % from the published mIoUs, {zoomed:g}" in text


def test_the_table_beyond_the_paper_has_no_published_numbers():
    assert read_published(SPACES, PUBLISHED) == {}
    assert not any(column.published for column in SPACES.columns)


def test_scales_are_written_as_the_paper_s_pixels():
    assert [scale_label(row.to_scale) for row in TABLE_3.rows[::2]] == ["64", "128", "256", "512"]
