"""The table of classes, by facts of the dataset's definition that are written out here."""

import numpy as np

from lzu.datasets.cityscapes.classes import (
    CLASS_IDS,
    CLASSES,
    COLOURS,
    IDS,
    IGNORE,
    LABELS,
    TO_TRAIN_ID,
    TRAIN_ID_COLOURS,
    TRAIN_ID_VALUES,
    UNKNOWN,
)

EVALUATED = (
    "road", "sidewalk", "building", "wall", "fence", "pole", "traffic light", "traffic sign",
    "vegetation", "terrain", "sky", "person", "rider", "car", "truck", "bus", "train", "motorcycle",
    "bicycle",
)  # fmt: skip


def test_the_nineteen_classes_and_their_ids():
    assert CLASSES == EVALUATED
    assert CLASS_IDS == (
        7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33
    )  # fmt: skip
    assert [label.id for label in LABELS] == [*range(34), -1]
    assert len({label.name for label in LABELS}) == 35


def test_what_is_ignored_has_no_class_and_the_other_way_round():
    for label in LABELS:
        assert label.ignore_in_eval == (label.train_id == IGNORE) == (label.name not in CLASSES)
    counted = {label.name for label in LABELS if label.has_instances}
    assert counted == {
        "person", "rider", "car", "truck", "bus", "caravan", "trailer", "train", "motorcycle",
        "bicycle",
    }  # fmt: skip


def test_tables_of_values():
    for label in LABELS:
        assert TO_TRAIN_ID[label.id] == label.train_id
        np.testing.assert_array_equal(COLOURS[label.id], label.colour)
    assert TO_TRAIN_ID[255] == IGNORE
    assert (TO_TRAIN_ID[34:255] == UNKNOWN).all()
    assert [int(v) for v in np.flatnonzero(TRAIN_ID_VALUES != UNKNOWN)] == [*range(19), 255]
    assert tuple(COLOURS[IDS["road"]]) == (128, 64, 128)
    assert tuple(COLOURS[IDS["bicycle"]]) == (119, 11, 32)


def test_a_train_id_has_the_colour_of_its_class_and_what_is_ignored_is_black():
    assert TRAIN_ID_COLOURS[CLASSES.index("road")].tolist() == [128, 64, 128]
    for label in LABELS:
        expected = (0, 0, 0) if label.train_id == IGNORE else label.colour
        assert tuple(TRAIN_ID_COLOURS[label.train_id]) == expected
