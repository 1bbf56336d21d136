"""Our 3-D boxes are mmdet3d's."""

import pytest
import torch

from lzu.saliency import project_boxes_3d
from lzu.saliency.boxes_3d import box_corners_3d

pytest.importorskip("mmcv")
pytest.importorskip("mmdet")


@pytest.fixture(scope="module")
def mmdet3d():
    from lzu.models.compat import import_mmdet3d

    return import_mmdet3d()


def random_boxes(n: int) -> torch.Tensor:
    low = torch.tensor([-10.0, 0, 8, 0.5, 0.5, 0.5, -4])
    high = torch.tensor([10.0, 2, 60, 8, 3, 3, 4])
    return low + torch.rand(n, 7) * (high - low)


def test_corners_are_those_of_camera_instance_3d_boxes(mmdet3d):
    from mmdet3d.structures import CameraInstance3DBoxes

    boxes = random_boxes(200)
    # mmdet3d goes around each end of the box.
    ours = box_corners_3d(boxes)[:, [0, 1, 3, 2, 4, 5, 7, 6]]
    torch.testing.assert_close(ours, CameraInstance3DBoxes(boxes).corners, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("shape", [(3, 3), (3, 4), (4, 4)])
def test_pixels_are_those_of_points_cam2img(mmdet3d, shape):
    from mmdet3d.structures import CameraInstance3DBoxes
    from mmdet3d.structures.bbox_3d import points_cam2img

    camera = torch.eye(4)
    camera[:3] = torch.tensor([[700.0, 0, 800, 45], [0, 700, 450, -0.3], [0, 0, 1, 0.004]])
    camera = camera[: shape[0], : shape[1]]
    boxes = random_boxes(200)
    corners = CameraInstance3DBoxes(boxes).corners.reshape(-1, 3)
    pixels = points_cam2img(corners, camera).reshape(-1, 8, 2)
    image = torch.tensor([1600.0, 900])
    expected = torch.cat(
        [edge.clamp(min=torch.zeros(2), max=image) for edge in (pixels.amin(1), pixels.amax(1))], 1
    )
    got, visible = project_boxes_3d(boxes, camera, (900, 1600))
    assert visible.sum() > 150
    torch.testing.assert_close(got[visible], expected[visible], atol=2e-3, rtol=1e-5)
