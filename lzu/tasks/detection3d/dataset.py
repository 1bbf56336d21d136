"""The images of nuScenes' prepared file as mmdet3d's monocular detectors take them."""

import os
import pickle
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.dataset import BaseDataset

from lzu.datasets.nuscenes.classes import CLASSES
from lzu.datasets.nuscenes.infos import stream_samples
from lzu.tasks.detection3d.bridge import DATASETS, Box3DMode, CameraInstance3DBoxes

MATRICES = {"cam2img": (3, 3), "cam2ego": (4, 4), "ego2global": (4, 4)}


@DATASETS.register_module(name="LZUMono3DDataset")
class Mono3DDataset(BaseDataset):
    """One item an image of `cameras`, in the order of the file, sample by sample.

    The prepared file is read line by line. Labels are the boxes of `classes` alone, numbered in
    their order, that a lidar or radar point has met (`bbox_3d_isvalid`); in `test_mode` there are
    none. Images without boxes stay: mmdet3d would put random others in their place, so that what an
    iteration sees would not follow from its number.

    Args:
        ann_file: the prepared file (see `lzu.datasets.nuscenes.infos`).
        root: of the data set, that paths of images are below.
        cameras, classes: names.
        pipeline, test_mode: as in mmengine.

    An item has, for the pipeline, in the native frame: img_path, width, height, cam2img (3, 3),
    cam2ego and ego2global (4, 4; the latter of the camera's own time), timestamp (of the image, in
    seconds), sample_token, scene (name), frame (number in it), camera, camera_index (its place in
    `cameras`), sample_idx (of the image), box_type_3d, box_mode_3d; and labels: gt_bboxes (n, 4),
    gt_bboxes_labels, gt_bboxes_3d (n, 9: with the velocity along x and z), gt_labels_3d,
    attr_labels, centers_2d (n, 2), depths (n,).
    """

    def __init__(
        self,
        ann_file: str | os.PathLike[str],
        root: str | os.PathLike[str],
        cameras: Sequence[str],
        classes: Sequence[str] = CLASSES,
        pipeline: Sequence[Any] = (),
        test_mode: bool = False,
    ) -> None:
        self.root, self.cameras = Path(root), tuple(cameras)
        # label in the file -> place in `classes`
        self._labels = {CLASSES.index(name): place for place, name in enumerate(classes)}
        super().__init__(
            ann_file=str(ann_file),
            metainfo={"classes": tuple(classes)},
            pipeline=list(pipeline),
            test_mode=test_mode,
        )

    def full_init(self) -> None:
        """Read the file into one small record an image, serialised at once as mmengine holds them.

        By mmengine's own way all records would be there twice.
        """
        if self._fully_initialized:
            return
        stored, ends = bytearray(), []
        for sample in stream_samples(self.ann_file):
            for record in self._read(sample):
                stored += pickle.dumps(record, protocol=4)
                ends.append(len(stored))
        self.data_bytes = np.frombuffer(stored, dtype=np.uint8)
        self.data_address = np.array(ends, dtype=np.int64)
        self._fully_initialized = True

    def _read(self, sample: dict[str, Any]) -> Iterator[dict[str, Any]]:
        for place, camera in enumerate(self.cameras):
            image = sample["images"][camera]
            matrices = [np.ravel(image[name]) for name in MATRICES]
            record = {
                "img_path": image["img_path"],
                "width": image["width"],
                "height": image["height"],
                "sample_token": sample["token"],
                "scene": sample["scene"],
                "frame": sample["frame"],
                "timestamp": image["timestamp"],
                "camera_index": place,
                "matrices": np.concatenate(matrices),
            }
            if not self.test_mode:
                record["boxes"], record["labels"] = self._labelled(sample["cam_instances"][camera])
            yield record

    def _labelled(self, instances: list[dict[str, Any]]) -> tuple[np.ndarray, np.ndarray]:
        """Of the boxes that are trained on: numbers (n, 16) and labels (n, 2)."""
        kept = [
            one
            for one in instances
            if one["bbox_label_3d"] in self._labels
            if one["bbox_3d_isvalid"]
        ]
        numbers = [
            [*one["bbox"], *one["bbox_3d"], *one["velocity"], *one["center_2d"], one["depth"]]
            for one in kept
        ]
        labels = [[self._labels[one["bbox_label_3d"]], one["attr_label"]] for one in kept]
        return (
            np.array(numbers, dtype=np.float32).reshape(-1, 16),
            np.array(labels, dtype=np.int16).reshape(-1, 2),
        )

    def get_data_info(self, idx: int) -> dict[str, Any]:
        """An item as the class says; all arrays are its own."""
        found: dict[str, Any] = super().get_data_info(idx)
        found["img_path"] = str(self.root / found["img_path"])
        found["camera"] = self.cameras[found["camera_index"]]
        ends = np.cumsum([rows * columns for rows, columns in MATRICES.values()])
        parts = np.split(found.pop("matrices"), ends[:-1])
        for (name, shape), part in zip(MATRICES.items(), parts, strict=True):
            found[name] = part.reshape(shape).copy()
        found.update(box_type_3d=CameraInstance3DBoxes, box_mode_3d=Box3DMode.CAM)
        if self.test_mode:
            return found
        numbers, labels = found.pop("boxes"), found.pop("labels").astype(np.int64)
        found.update(
            gt_bboxes=numbers[:, :4].copy(),
            gt_bboxes_labels=labels[:, 0].copy(),
            gt_bboxes_3d=CameraInstance3DBoxes(numbers[:, 4:13], box_dim=9, origin=(0.5, 0.5, 0.5)),
            gt_labels_3d=labels[:, 0].copy(),
            attr_labels=labels[:, 1].copy(),
            centers_2d=numbers[:, 13:15].copy(),
            depths=numbers[:, 15].copy(),
        )
        return found
