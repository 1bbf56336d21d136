"""mmdet3d's infos as JSON: what a prepared file says of a split, a sample a line.

A prepared file begins with a line `{"info": {...}, "metainfo": {...}, "data_list": [`, has one
sample in each of the lines that follow and ends with `]}`. So it is JSON as a whole, which mmdet3d
reads as it is, and `stream_samples` reads it in the memory of one sample. Unknown numbers are null.

A sample has mmdet3d's keys, and some of ours:

- `sample_idx`, `token`, `timestamp` (seconds), `scene` (name), `frame` (number in its scene);
- `ego2global` (4 x 4, at the lidar's time), `lidar_points` with `lidar_path`, `lidar2ego`;
- `images`, for each camera: `img_path` below the data root, `height`, `width`, `cam2img` (3 x 3),
  `cam2ego`, `ego2global` (at the camera's own time: mmdet3d has no such key, and takes the lidar's
  pose to bring boxes back, which shifts them by the way that the vehicle went between),
  `lidar2cam`, `sample_data_token`, `timestamp`;
- `cam_instances`, for each camera the boxes that it sees: `token` (of sample_annotation), `bbox`
  (left, top, right, bottom in pixels: see `geometry.extents`), `bbox_label` and `bbox_label_3d`,
  `bbox_3d` (x, y, z of the centre of gravity, length, height, width, yaw as mmdet3d's camera boxes
  have it), `velocity` (along the camera's x and z in m/s, 0 where unknown), `center_2d` (pixel of
  the centre, be it in the image or not) and its `depth`, `attr_label` (8: none), `num_lidar_pts`,
  `num_radar_pts`, `bbox_3d_isvalid`;
- `instances`, all boxes of the ten classes: `token`, `instance`, `bbox_label_3d`, `translation`,
  `size` (width, length, height) and `rotation` (w, x, y, z) in the global frame, `velocity` (x, y
  of that frame in m/s, as the devkit computes it; null where it gives NaN), `attribute` (a name, ""
  if it has none), `num_lidar_pts`, `num_radar_pts`, `visibility` (1 to 4, null if unknown),
  `bbox_3d_isvalid`;
- `bicycle_racks`: `translation`, `size` and `rotation` of each.

A box is valid if the lidar or a radar has a point of it; the devkit scores no other. mmdet3d's
converter calls all boxes of cameras valid, and its detectors learn boxes without points, too.
"""

import json
import os
from collections.abc import Iterator
from typing import Any

from lzu.errors import UserError


def head_line(info: dict[str, Any], metainfo: dict[str, Any]) -> str:
    """The first line of a prepared file, without its end."""
    said = json.dumps({"info": info, "metainfo": metainfo}, allow_nan=False)
    return f'{said[:-1]}, "data_list": ['


def read_head(path: str | os.PathLike[str]) -> dict[str, Any]:
    """`info` and `metainfo` of a prepared file, without reading its samples.

    Raises UserError if it is missing or broken.
    """
    with _opened(path) as file:
        line = file.readline()
    return _parsed(path, 1, line.rstrip("\n") + "]}", {"info", "metainfo", "data_list"})


def stream_samples(path: str | os.PathLike[str]) -> Iterator[dict[str, Any]]:
    """The samples of a prepared file, one after another, in the memory of one.

    Raises UserError, at the place, if the file is missing, broken or ends too soon.
    """
    with _opened(path) as file:
        file.readline()
        for number, line in enumerate(file, 2):
            if line.rstrip("\n") == "]}":
                return
            yield _parsed(path, number, line.rstrip("\n").removesuffix(","), {"token"})
    raise UserError(f"{path} ends too soon: delete the file and run its rule again")


def _opened(path: str | os.PathLike[str]) -> Any:
    try:
        return open(path, encoding="utf-8")
    except FileNotFoundError:
        raise UserError(
            f"{path}: no such file, so it cannot be read; run the step that makes it"
        ) from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); run its rule again") from error


def _parsed(path: str | os.PathLike[str], number: int, line: str, keys: set[str]) -> Any:
    try:
        found = json.loads(line)
        if isinstance(found, dict) and keys <= found.keys():
            return {key: found[key] for key in found if key != "data_list"}
        problem = "it is no prepared file of nuScenes"
    except ValueError as error:
        problem = str(error)
    raise UserError(
        f"{path}: line {number} cannot be read ({problem}); delete the file and run its rule again"
    )
