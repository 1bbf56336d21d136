"""Reads a split of nuScenes, real or synthetic, from its tables; nothing is written there.

The large tables are streamed, and of their rows the key frames of the split's cameras and lidar,
their poses and annotations are kept.
"""

import os
from pathlib import Path

from lzu.datasets.nuscenes.annotations import read_boxes
from lzu.datasets.nuscenes.collected import Collected, by_token, refers
from lzu.datasets.nuscenes.layout import source_of
from lzu.datasets.nuscenes.recordings import read_calibrations, read_poses, read_views
from lzu.datasets.nuscenes.records import NuScenes
from lzu.datasets.nuscenes.scenes import check_maps, read_samples
from lzu.datasets.nuscenes.splits import scene_names
from lzu.datasets.nuscenes.tables import Say, Table, require, table


def load(
    root: str | os.PathLike[str], version: str, split: str, progress: Say | None = None
) -> NuScenes:
    """Read what the tables say of a split; no image is opened.

    Raises:
        UserError: the root or a table is missing (says where to get it), a table is no JSON, or a
            row that is read lacks a key or has a value of another type (says file and token); or
            the version or the split is none that can be used. What refers to nothing is no error
            here, but among `NuScenes.findings`.
    """
    root, wanted = Path(root), scene_names(version, split)
    require(root, version)
    problems, say = Collected(), progress or (lambda line: None)

    def rows(name: str) -> Table:
        return table(root, version, name)

    logs = by_token(rows("log"), problems)
    check_maps(rows("map"), logs, problems)
    scenes = by_token(rows("scene"), problems)
    for row in scenes.values():
        refers(rows("scene"), row, "log_token", logs, "log", problems)
    samples, places = read_samples(rows("sample"), rows("scene"), scenes, wanted, problems)
    columns, calibrations = read_calibrations(
        rows("calibrated_sensor"), by_token(rows("sensor"), problems), problems
    )
    views, poses = read_views(rows("sample_data"), places, columns, samples, problems, say)
    read_poses(rows("ego_pose"), rows("sample_data"), views, poses, problems, say)
    instances, boxes = read_boxes(root, version, places, samples, problems, say)
    names = {scenes[token]["name"] for token in scenes if scenes[token]["name"] in wanted}
    return NuScenes(
        root=root,
        version=version,
        split=split,
        source=source_of(root, split),
        scenes=tuple(sorted(names)),
        instances=instances,
        samples=samples,
        views=views,
        calibrations=calibrations,
        boxes=boxes,
        findings=problems.all(),
    )
