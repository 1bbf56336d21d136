"""What the sensors recorded of a split's samples, and where each was: the tables sensor,
calibrated_sensor, sample_data and ego_pose.
"""

import numpy as np

from lzu.datasets.nuscenes.collected import Collected, by_token, refers
from lzu.datasets.nuscenes.records import CHANNELS, Calibrations, Samples, Views
from lzu.datasets.nuscenes.tables import Row, Say, Table, watched


def read_calibrations(
    table: Table, sensors: dict[str, Row], problems: Collected
) -> tuple[dict[str, tuple[int, int]], Calibrations]:
    """Of each row the column in `Views` (-1: none) and the index in `Calibrations`."""
    rows = by_token(table, problems)
    columns: dict[str, tuple[int, int]] = {}
    translations, rotations, intrinsics = [], [], []
    for index, (token, row) in enumerate(rows.items()):
        column = -1
        if refers(table, row, "sensor_token", sensors, "sensor", problems):
            channel = sensors[row["sensor_token"]].get("channel")
            column = CHANNELS.index(channel) if channel in CHANNELS else -1
        columns[token] = (column, index)
        translations.append(table.numbers(row, "translation", 3))
        rotations.append(table.numbers(row, "rotation", 4))
        intrinsics.append(_matrix(row.get("camera_intrinsic")))
    count = len(rows)
    return columns, Calibrations(
        list(rows),
        np.array(translations, np.float64).reshape(count, 3),
        np.array(rotations, np.float64).reshape(count, 4),
        np.array(intrinsics, np.float64).reshape(count, 3, 3),
    )


def _matrix(value: object) -> np.ndarray:
    """(3, 3), NaN for whatever is none; lidars and radars have []."""
    try:
        found = np.array(value, np.float64)
    except (TypeError, ValueError, OverflowError):
        found = np.empty(0)
    return found if found.shape == (3, 3) else np.full((3, 3), np.nan)


def read_views(
    table: Table,
    places: dict[str, int],
    columns: dict[str, tuple[int, int]],
    samples: Samples,
    problems: Collected,
    say: Say,
) -> tuple[Views, dict[str, list[tuple[int, int]]]]:
    """The key frames, without their poses, and the pose that each one asks for."""
    shape = (len(samples.tokens), len(CHANNELS))
    tokens, files = np.full(shape, None, object), np.full(shape, None, object)
    times, calibrations = np.zeros(shape, np.int64), np.full(shape, -1, np.int32)
    sizes = np.zeros((*shape, 2), np.int32)
    poses: dict[str, list[tuple[int, int]]] = {}
    lidar = len(CHANNELS) - 1
    for row in watched(table, say):
        key_frame, calibration = table.flag(row, "is_key_frame"), row.get("calibrated_sensor_token")
        if calibration not in columns if type(calibration) is str else True:
            refers(table, row, "calibrated_sensor_token", columns, "calibrated_sensor", problems)
            continue
        if not key_frame or not refers(table, row, "sample_token", places, "sample", problems):
            continue
        (column, index), sample = columns[calibration], places[row["sample_token"]]
        if column < 0 or sample < 0:
            continue
        at, token = (sample, column), table.text(row, "token")
        if tokens[at] is not None:
            text = (
                f"sample {row['sample_token']!r} has two key frames of {CHANNELS[column]}, this "
                f"one and {tokens[at]!r}"
            )
            problems.add("duplicate_view", table.path, token, text)
            continue
        tokens[at], files[at] = token, table.text(row, "filename")
        times[at], calibrations[at] = table.integer(row, "timestamp"), index
        if column != lidar:
            height, width = table.integer(row, "height"), table.integer(row, "width")
            sizes[at] = min(height, 2**31 - 1), min(width, 2**31 - 1)
        poses.setdefault(table.text(row, "ego_pose_token"), []).append(at)
    views = Views(
        tokens,
        files,
        times,
        sizes,
        calibrations,
        np.full(shape, None, object),
        np.zeros((*shape, 3)),
        np.tile([1.0, 0, 0, 0], (*shape, 1)),
    )
    return views, poses


def read_poses(
    table: Table,
    of: Table,
    views: Views,
    poses: dict[str, list[tuple[int, int]]],
    problems: Collected,
    say: Say,
) -> None:
    """Fill in the poses that `views` ask for."""
    found = set()
    for row in watched(table, say):
        token = table.text(row, "token")
        if token not in poses:
            continue
        if token in found:
            problems.add("duplicate_token", table.path, token, "another row has this token, too")
            continue
        found.add(token)
        translation = table.numbers(row, "translation", 3)
        rotation = table.numbers(row, "rotation", 4)
        for at in poses[token]:
            views.translations[at], views.rotations[at] = translation, rotation
            views.poses[at] = token
    for token, ats in poses.items():
        if token not in found:
            for at in ats:
                text = f"ego_pose_token {token!r} is no token of ego_pose.json"
                problems.add("dangling_token", of.path, views.tokens[at], text)
