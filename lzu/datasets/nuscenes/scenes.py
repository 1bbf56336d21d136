"""A split's scenes and samples, from the tables scene, sample, log and map."""

import numpy as np

from lzu.datasets.nuscenes.collected import Collected, by_token, refers
from lzu.datasets.nuscenes.records import Samples
from lzu.datasets.nuscenes.tables import Row, Table


def check_maps(maps: Table, logs: dict[str, Row], problems: Collected) -> None:
    """Every map's logs are there, and every log has a map: the devkit looks both up."""
    shown: set[str] = set()
    for row in maps:
        for token in maps.texts(row, "log_tokens"):
            if token not in logs:
                text = f"log_tokens has {token!r}, which no row of log.json has"
                problems.add("dangling_token", maps.path, maps.text(row, "token"), text)
            shown.add(token)
    for token in logs.keys() - shown:
        problems.add("dangling_token", maps.path, token, "no map is of this log")


def read_samples(
    table: Table,
    scene_table: Table,
    scenes: dict[str, Row],
    wanted: frozenset[str],
    problems: Collected,
) -> tuple[Samples, dict[str, int]]:
    """The split's samples, and of all samples the indices, -1 of those of other splits."""
    rows = by_token(table, problems)
    of_scene: dict[str, list[str]] = {}
    names: dict[str, str] = {}
    for token, row in scenes.items():
        name = scene_table.text(row, "name")
        if name not in wanted:
            continue
        if name in names:
            text = f"another scene is named {name!r}, too"
            problems.add("duplicate_scene", scene_table.path, token, text)
            continue
        of_scene[token], names[name] = [], token
    for token, row in rows.items():
        refers(table, row, "scene_token", scenes, "scene", problems)
        if row["scene_token"] in of_scene:
            table.integer(row, "timestamp")
            of_scene[row["scene_token"]].append(token)
    listed = [(name, of_scene[names[name]]) for name in sorted(names)]
    for name, tokens in listed:
        tokens.sort(key=lambda token: (rows[token]["timestamp"], token))
        _chain(table, tokens, rows, problems)
        _ends(scene_table, scenes[names[name]], tokens, rows, problems)
    order = [token for _, tokens in listed for token in tokens]
    return (
        Samples(
            order,
            np.array([rows[token]["timestamp"] for token in order], np.int64),
            np.repeat(np.arange(len(listed)), [len(tokens) for _, tokens in listed]).astype("i4"),
            np.array([k for _, tokens in listed for k in range(len(tokens))], np.int32),
        ),
        dict.fromkeys(rows, -1) | {token: index for index, token in enumerate(order)},
    )


def _chain(table: Table, tokens: list[str], rows: dict[str, Row], problems: Collected) -> None:
    """A scene's samples are linked in the order of their times, and no two are of one time."""
    for place, token in enumerate(tokens):
        row = rows[token]
        before = tokens[place - 1] if place else ""
        after = tokens[place + 1] if place + 1 < len(tokens) else ""
        if before and rows[before]["timestamp"] == row["timestamp"]:
            text = f"its time stamp is that of sample {before!r} of the same scene"
            problems.add("sample_time", table.path, token, text)
        for key, expected in (("prev", before), ("next", after)):
            said = table.text(row, key)
            if said and said not in rows:
                text = f"{key} {said!r} is no token of sample.json"
                problems.add("dangling_token", table.path, token, text)
            elif said != expected:
                text = f"{key} is {said!r}, but by the time stamps it is {expected!r}"
                problems.add("sample_order", table.path, token, text)


def _ends(
    table: Table, scene: Row, tokens: list[str], rows: dict[str, Row], problems: Collected
) -> None:
    """A scene has samples, and names the first and the last of them."""
    if not tokens:
        problems.add("empty_scene", table.path, scene["token"], "the scene has no samples")
        return
    for key, expected in (("first_sample_token", tokens[0]), ("last_sample_token", tokens[-1])):
        said = table.text(scene, key)
        if said not in rows:
            text = f"{key} {said!r} is no token of sample.json"
            problems.add("dangling_token", table.path, scene["token"], text)
        elif said != expected:
            text = f"{key} is {said!r}, but by the time stamps it is {expected!r}"
            problems.add("sample_order", table.path, scene["token"], text)
