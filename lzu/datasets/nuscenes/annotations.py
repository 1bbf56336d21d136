"""A split's boxes, from the tables category, attribute, visibility, instance, sample_annotation."""

import os
from array import array
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from lzu.datasets.nuscenes.classes import (
    ATTRIBUTES,
    BICYCLE_RACK,
    CLASSES,
    NO_ATTRIBUTE,
    OF_CATEGORY,
    OTHER_CATEGORIES,
)
from lzu.datasets.nuscenes.collected import Collected, by_token, refers
from lzu.datasets.nuscenes.neighbours import (
    ABSENT,
    ELSEWHERE,
    LOST,
    check_instances,
    check_neighbours,
)
from lzu.datasets.nuscenes.records import Boxes, Samples
from lzu.datasets.nuscenes.tables import Row, Say, Table, table, watched

VISIBILITY = {"v0-40": 1, "v40-60": 2, "v60-80": 3, "v80-100": 4}
"""Level in the table -> number; of an object's pixels in all cameras, the share in percent."""


@dataclass
class _Tokens:
    """Tokens of annotations as numbers: one that is met first where another row names it gets its
    number there, and its `place`, the row, later."""

    numbers: dict[str, int] = field(default_factory=dict)
    places: "array[int]" = field(default_factory=lambda: array("i"))

    def number(self, token: str) -> int:
        found = self.numbers.setdefault(token, len(self.places))
        if found == len(self.places):
            self.places.append(ABSENT)
        return found


@dataclass
class _Kept:
    """Columns of the rows that are kept, as they come."""

    tokens: list[str] = field(default_factory=list)
    whole: "array[int]" = field(default_factory=lambda: array("i"))
    real: "array[float]" = field(default_factory=lambda: array("d"))


def read_boxes(
    root: str | os.PathLike[str],
    version: str,
    places: dict[str, int],
    samples: Samples,
    problems: Collected,
    say: Say,
) -> tuple[list[str], Boxes]:
    """The tokens of instances and the boxes of a split's samples.

    `places` gives the index of every sample in the tables, -1 of those of other splits.
    """
    categories = by_token(table(root, version, "category"), problems)
    known = _Known(
        table(root, version, "category"),
        {token: str(row.get("name")) for token, row in categories.items()},
        _attributes(table(root, version, "attribute"), problems),
        _levels(table(root, version, "visibility"), problems),
    )
    tokens = _Tokens()
    instances, of_instance, ends = _instances(
        table(root, version, "instance"), categories, tokens, problems
    )
    annotations = table(root, version, "sample_annotation")
    kept = _Kept()
    for row in watched(annotations, say):
        _row(annotations, row, places, instances, of_instance, known, tokens, kept, problems)
    known.tell(problems)
    for token, key, number, said in ends:
        if tokens.places[number] == ABSENT:
            text = f"{key} {said!r} is no token of sample_annotation.json"
            path = table(root, version, "instance").path
            problems.add("dangling_token", path, token, text)
    names = list(instances)
    return names, _boxes(annotations, kept, tokens, names, samples, problems)


@dataclass
class _Known:
    """What annotations may refer to, and which of it is unknown to the task."""

    category_table: Table
    categories: dict[str, str]
    attributes: dict[str, int | str]
    levels: dict[str, int]
    unknown: Counter[str] = field(default_factory=Counter)

    def label(self, category: str) -> tuple[int, bool]:
        """The class of a category's token, and whether it is a bicycle rack."""
        name = self.categories.get(category)
        if name in OF_CATEGORY:
            return CLASSES.index(OF_CATEGORY[name]), False
        # One that no row has was told with the instance.
        if name is not None and name not in OTHER_CATEGORIES:
            self.unknown[category] += 1
        return -1, name == BICYCLE_RACK

    def tell(self, problems: Collected) -> None:
        for token, count in self.unknown.items():
            text = (
                f"{count:,} annotations are of the category {self.categories[token]!r}, which "
                "nuScenes' detection task does not know"
            )
            problems.add("unknown_category", self.category_table.path, token, text)


def _attributes(table: Table, problems: Collected) -> dict[str, int | str]:
    """Token -> index of the attribute; -> name, of one that the task does not know."""
    found: dict[str, int | str] = {}
    for token, row in by_token(table, problems).items():
        name = table.text(row, "name")
        found[token] = ATTRIBUTES.index(name) if name in ATTRIBUTES else name
    return found


def _levels(table: Table, problems: Collected) -> dict[str, int]:
    """Token -> visibility."""
    found = {"": 0}
    for token, row in by_token(table, problems).items():
        level = table.text(row, "level")
        if level not in VISIBILITY:
            text = f"the level is {level!r}, not one of {', '.join(VISIBILITY)}"
            problems.add("unknown_visibility", table.path, token, text)
        found[token] = VISIBILITY.get(level, 0)
    return found


def _instances(
    table: Table, categories: dict[str, Row], tokens: _Tokens, problems: Collected
) -> tuple[dict[str, int], list[str], list[tuple[str, str, int, str]]]:
    """Token -> index, the category's token of each, and what they say of their annotations."""
    indices: dict[str, int] = {}
    of_instance, ends = [], []
    for row in table:
        token = table.text(row, "token")
        if token in indices:
            problems.add("duplicate_token", table.path, token, "another row has this token, too")
            continue
        refers(table, row, "category_token", categories, "category", problems)
        indices[token] = len(indices)
        of_instance.append(row["category_token"])
        for key in ("first_annotation_token", "last_annotation_token"):
            said = table.text(row, key)
            ends.append((token, key, tokens.number(said), said))
    return indices, of_instance, ends


def _row(
    table: Table,
    row: Row,
    places: dict[str, int],
    instances: dict[str, int],
    of_instance: list[str],
    known: _Known,
    tokens: _Tokens,
    kept: _Kept,
    problems: Collected,
) -> None:
    """Keep what is needed of a row, if it is of the split."""
    token = table.text(row, "token")
    number = tokens.number(token)
    if tokens.places[number] != ABSENT:
        problems.add("duplicate_token", table.path, token, "another row has this token, too")
        return
    tokens.places[number] = ELSEWHERE
    has_instance = refers(table, row, "instance_token", instances, "instance", problems)
    has_sample = refers(table, row, "sample_token", places, "sample", problems)
    if not (has_instance and has_sample):
        tokens.places[number] = LOST
        return
    if places[row["sample_token"]] < 0:
        return
    instance = instances[row["instance_token"]]
    label, rack = known.label(of_instance[instance])
    attribute = NO_ATTRIBUTE
    attributes = table.texts(row, "attribute_tokens")
    for one in attributes:
        if one not in known.attributes:
            text = f"attribute_tokens has {one!r}, which is no token of attribute.json"
            problems.add("dangling_token", table.path, token, text)
        elif isinstance(said := known.attributes[one], str):
            if label >= 0:
                text = f"its attribute is {said!r}, which nuScenes' detection task does not know"
                problems.add("unknown_attribute", table.path, token, text)
        elif attribute == NO_ATTRIBUTE:
            attribute = said
    if len(attributes) > 1 and label >= 0:
        text = f"it has {len(attributes)} attributes, and a box may have one"
        problems.add("several_attributes", table.path, token, text)
    level = table.text(row, "visibility_token")
    if level not in known.levels:
        text = f"visibility_token {level!r} is no token of visibility.json"
        problems.add("dangling_token", table.path, token, text)
    neighbours = (table.text(row, "prev"), table.text(row, "next"))
    tokens.places[number] = len(kept.tokens)
    kept.tokens.append(token)
    kept.whole.extend(
        (
            places[row["sample_token"]],
            instance,
            label,
            rack,
            *(tokens.number(one) if one else ABSENT for one in neighbours),
            min(table.integer(row, "num_lidar_pts"), 2**31 - 1),
            min(table.integer(row, "num_radar_pts"), 2**31 - 1),
            known.levels.get(level, 0),
            attribute,
        )
    )
    for key, count in (("translation", 3), ("size", 3), ("rotation", 4)):
        kept.real.extend(table.numbers(row, key, count))


def _boxes(
    table: Table,
    kept: _Kept,
    tokens: _Tokens,
    instances: list[str],
    samples: Samples,
    problems: Collected,
) -> Boxes:
    """The rows that were kept, by their samples, with neighbours as indices."""
    whole = np.array(kept.whole, np.int32).reshape(-1, 10)
    real = np.array(kept.real, np.float64).reshape(-1, 10)
    order = np.argsort(whole[:, 0], kind="stable")
    whole, real = whole[order], real[order]
    names = [kept.tokens[index] for index in order]
    index_of = np.empty(len(order) + 3, np.int32)
    index_of[order] = np.arange(len(order))
    for place in (ABSENT, ELSEWHERE, LOST):
        index_of[place] = place
    # One more, so that the number -1, no neighbour, has a place.
    places = index_of[np.append(np.array(tokens.places, np.int32), ABSENT)]
    boxes = Boxes(
        tokens=names,
        samples=whole[:, 0],
        instances=whole[:, 1],
        labels=whole[:, 2].astype(np.int8),
        racks=whole[:, 3].astype(bool),
        translations=real[:, :3],
        sizes=real[:, 3:6],
        rotations=real[:, 6:],
        previous=places[whole[:, 4]],
        following=places[whole[:, 5]],
        lidar=whole[:, 6],
        radar=whole[:, 7],
        visibility=whole[:, 8].astype(np.int8),
        attributes=whole[:, 9].astype(np.int8),
    )
    check_neighbours(table, boxes, samples, whole[:, 4:6], list(tokens.numbers), problems)
    check_instances(table, boxes, instances, problems)
    return boxes
