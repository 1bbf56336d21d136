import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lzu import saliency
from lzu.saliency import from_boxes, from_boxes_3d, project_boxes_3d
from lzu.saliency.boxes_3d import box_corners_3d

SIZE = (900, 1600)
CAM2IMG = torch.tensor([[1260.0, 0, 800], [0, 1250, 450], [0, 0, 1]], dtype=torch.float64)
AHEAD = [2.0, 1.5, 20.0, 4.5, 1.6, 1.9, 0.3]

box = st.tuples(
    st.floats(-15, 15),
    st.floats(-3, 3),
    st.floats(-15, 60),
    st.floats(0.3, 12),
    st.floats(0.3, 4),
    st.floats(0.3, 4),
    st.floats(-7, 7),
)


def corners_by_hand(values: list[float]) -> np.ndarray:
    """The corners (2, 2, 2, 3) of one box, by the sentence in `project_boxes_3d`."""
    x, y, z, length, height, width, yaw = values
    # Turned by yaw from +z towards +x: z goes to (sin, cos), so x goes to (cos, -sin).
    along, across = (
        np.array([math.cos(yaw), -math.sin(yaw)]),
        np.array([math.sin(yaw), math.cos(yaw)]),
    )
    corners = np.zeros((2, 2, 2, 3))
    for a, b, c in itertools.product((0, 1), repeat=3):
        side = (a - 0.5) * length * along + (c - 0.5) * width * across
        corners[a, b, c] = x + side[0], y - (1 - b) * height, z + side[1]
    return corners


def seen_by_hand(values, matrix, size, near) -> tuple[float, ...] | None:
    """The rectangle around the visible part of a box, from the ends of each cut edge."""
    corners = corners_by_hand(values) @ matrix[:, :3].T
    if matrix.shape[1] == 4:
        corners = corners + matrix[:, 3]
    points = []
    for index in itertools.product((0, 1), repeat=3):
        for axis in range(3):
            if index[axis]:
                continue
            other = list(index)
            other[axis] = 1
            start, end = corners[index], corners[tuple(other)]
            low, high = (start, end) if start[2] < end[2] else (end, start)
            if high[2] < near:
                continue
            if low[2] < near:
                low = low + (near - low[2]) / (high[2] - low[2]) * (high - low)
            points += [low[:2] / low[2], high[:2] / high[2]]
    if not points:
        return None
    points = np.clip(np.array(points), 0, (size[1], size[0]))
    rectangle = (*points.min(0), *points.max(0))
    return rectangle if rectangle[0] < rectangle[2] and rectangle[1] < rectangle[3] else None


def test_corners():
    boxes = torch.tensor([AHEAD, [0, 0, 0, 1, 2, 3, -2.0]], dtype=torch.float64)
    expected = np.stack([corners_by_hand(values).reshape(8, 3) for values in boxes.tolist()])
    np.testing.assert_allclose(box_corners_3d(boxes).numpy(), expected, atol=1e-12)


@settings(deadline=None, max_examples=60)
@given(boxes=st.lists(box, min_size=1, max_size=4), form=st.sampled_from(["3x3", "3x4", "4x4"]))
def test_projections_are_the_rectangles_around_what_is_seen(boxes, form):
    matrix = torch.eye(4, dtype=torch.float64)
    matrix[:3, :3] = CAM2IMG
    if form != "3x3":
        matrix[:3, 3] = torch.tensor([45.0, -0.3, 0.004])
    matrix = {"3x3": matrix[:3, :3], "3x4": matrix[:3], "4x4": matrix}[form]
    got, visible = project_boxes_3d(torch.tensor(boxes, dtype=torch.float64), matrix, SIZE)
    assert got.shape == (len(boxes), 4)
    for values, rectangle, seen in zip(boxes, got, visible.tolist(), strict=True):
        expected = seen_by_hand(values, matrix[:3].numpy(), SIZE, 0.1)
        assert seen == (expected is not None)
        np.testing.assert_allclose(rectangle.numpy(), expected if seen else (0,) * 4, atol=1e-6)


def test_no_point_of_a_box_behind_the_camera_counts():
    # A bus beside the camera, from 6 m behind to 6 m ahead, 2 to 4.5 m to the right.
    bus = [3.25, 1.5, 0.0, 12.0, 3.0, 2.5, -math.pi / 2]
    (got,), visible = project_boxes_3d(torch.tensor([bus]).double(), CAM2IMG, SIZE)
    points = np.stack(
        np.meshgrid(
            *[np.linspace(low, high, 61) for low, high in ((2, 4.5), (-1.5, 1.5), (-6, 6))]
        ),
        axis=-1,
    ).reshape(-1, 3)
    points = points[points[:, 2] > 0.1] @ CAM2IMG.numpy().T
    pixels = np.clip(points[:, :2] / points[:, 2:], 0, (1600, 900))
    assert visible.all()
    # 800 + 1260 * 2 / 6 is where its far end begins; its near end leaves the image.
    np.testing.assert_allclose(got.numpy(), [1220, 0, 1600, 900])
    np.testing.assert_allclose(got.numpy(), [*pixels.min(0), *pixels.max(0)], atol=1e-9)


@pytest.mark.parametrize(
    "unseen",
    [
        [0, 1, -20, 4, 2, 2, 0],  # behind
        [0, 1, -0.95, 2, 2, 2, 0],  # its front face lies between the camera and the near plane
        [90, 1, 20, 4, 2, 2, 0],  # to the right
        [0, 40, 20, 4, 2, 2, 0],  # below
    ],
)
def test_what_is_not_seen_is_dropped(unseen):
    boxes = torch.tensor([unseen, AHEAD])
    got, visible = project_boxes_3d(boxes, CAM2IMG, SIZE)
    assert visible.tolist() == [False, True]
    assert torch.equal(got[0], torch.zeros(4))
    torch.testing.assert_close(
        from_boxes_3d(boxes, CAM2IMG, SIZE), from_boxes_3d(boxes[1:], CAM2IMG, SIZE)
    )


def test_the_camera_within_a_box_sees_it_everywhere():
    got, visible = project_boxes_3d(torch.tensor([[0.0, 1, 0, 4, 2, 4, 0.4]]), CAM2IMG, SIZE)
    assert visible.all()
    assert got.tolist() == [[0, 0, 1600, 900]]


def test_a_larger_near_plane_cuts_more_away():
    bus = torch.tensor([[0.0, 0.2, 5, 0.4, 0.4, 10, 0]], dtype=torch.float64)
    for near, half in ((0.5, 0.2 / 0.5), (2.0, 0.2 / 2)):
        got, _ = project_boxes_3d(bus, CAM2IMG, SIZE, near=near)
        assert got[0, 0].item() == pytest.approx(800 - 1260 * half)


def test_from_boxes_3d_is_the_density_of_the_projections(device):
    items = [
        torch.tensor([AHEAD, [-5, 1, 30, 4, 2, 2, 1], [0, 1, -9, 4, 2, 2, 0]]).to(device),
        torch.zeros(0, 7).to(device),
        torch.tensor([[1.0, 1, 12, 4, 2, 2, 2]]).to(device),
    ]
    cameras = torch.stack([CAM2IMG, CAM2IMG, CAM2IMG * torch.tensor([[0.5], [0.5], [1.0]])])
    settings_ = {"amplitude": 3, "bandwidth": 32}
    got = from_boxes_3d(items, cameras.to(device), SIZE, **settings_)
    assert got.shape == (3, 1, 27, 48)
    assert got.dtype == torch.float32
    for item, camera, result in zip(items, cameras.to(device), got, strict=True):
        projected = project_boxes_3d(item, camera, SIZE)[0]
        projected = projected[:2] if len(item) == 3 else projected
        expected = from_boxes(projected, SIZE, (27, 48), **settings_)
        torch.testing.assert_close(result, expected[0])
    shared = from_boxes_3d(items, CAM2IMG.to(device), SIZE, **settings_)
    torch.testing.assert_close(shared[:2], got[:2])
    assert not torch.allclose(shared[2], got[2])


def test_no_boxes_and_no_visible_boxes_are_uniform():
    expected = saliency.uniform((27, 48))
    assert torch.equal(from_boxes_3d(torch.zeros(0, 7), CAM2IMG, SIZE), expected)
    behind = torch.tensor([[0.0, 1, -20, 4, 2, 2, 0]])
    assert torch.equal(from_boxes_3d(behind, CAM2IMG, SIZE), expected)
    boxes, visible = project_boxes_3d(torch.zeros(0, 7), CAM2IMG, SIZE)
    assert (boxes.shape, visible.shape) == ((0, 4), (0,))


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64, torch.int64])
def test_dtypes(dtype):
    boxes = torch.tensor([AHEAD]).ceil().to(dtype)
    expected = torch.float64 if dtype == torch.float64 else torch.float32
    projected, _ = project_boxes_3d(boxes, CAM2IMG, SIZE)
    assert projected.dtype == expected
    assert from_boxes_3d(boxes, CAM2IMG, SIZE).dtype == expected
    torch.testing.assert_close(
        projected.double(), project_boxes_3d(boxes.double(), CAM2IMG, SIZE)[0], atol=1e-3, rtol=0
    )


def test_gradients():
    # One whole, one cut by the near plane, one by the image, one not seen.
    boxes = torch.tensor(
        [
            AHEAD,
            [0.2, 0.3, 0.5, 0.3, 0.2, 2, 0.2],
            [12, 1, 20, 4, 2, 2, 0.5],
            [0, 1, -20, 4, 2, 2, 0],
        ],
        dtype=torch.float64,
        requires_grad=True,
    )
    camera = CAM2IMG.clone().requires_grad_()
    assert torch.autograd.gradcheck(
        lambda b, c: from_boxes_3d(b, c, SIZE, (4, 5), check=False), (boxes, camera), atol=1e-6
    )
    from_boxes_3d(boxes, camera, SIZE, (4, 5))[..., 0, 0].sum().backward()
    assert torch.isfinite(boxes.grad).all()
    assert (boxes.grad[:3] != 0).any(1).all()
    assert not boxes.grad[3].any()


@pytest.mark.parametrize(
    ("column", "value", "problem"),
    [
        (3, 0.0, "zero or negative size"),
        (5, -1.0, "zero or negative size"),
        (6, float("nan"), "NaN"),
        (2, float("inf"), "infinite"),
    ],
)
def test_a_bad_box_is_named(column, value, problem):
    good = torch.tensor([AHEAD])
    bad = torch.tensor([AHEAD, AHEAD])
    bad[1, column] = value
    with pytest.raises(ValueError, match=rf"box 1 of batch item 2 has .*{problem}.*l, h, w"):
        from_boxes_3d([good, good, bad], CAM2IMG, SIZE)
    with pytest.raises(ValueError, match=rf"box 1 .*{problem}"):
        project_boxes_3d(bad, CAM2IMG, SIZE)


@pytest.mark.parametrize("boxes", [torch.zeros(7), torch.zeros(3, 9), [torch.zeros(2, 4)]])
def test_boxes_of_a_wrong_shape(boxes):
    with pytest.raises(ValueError, match=r"boxes_3d must be \(n, 7\)"):
        from_boxes_3d(boxes, CAM2IMG, SIZE)


def test_bad_arguments():
    boxes = torch.tensor([AHEAD])
    with pytest.raises(ValueError, match=r"boxes_3d must be \(n, 7\), got \(1, 1, 7\)"):
        project_boxes_3d(boxes[None], CAM2IMG, SIZE)
    with pytest.raises(TypeError, match=r"boxes_3d must be a tensor or an array, got list"):
        project_boxes_3d([AHEAD], CAM2IMG, SIZE)
    with pytest.raises(ValueError, match="must have at least one batch item"):
        from_boxes_3d([], CAM2IMG, SIZE)
    with pytest.raises(ValueError, match="near must be positive"):
        from_boxes_3d(boxes, CAM2IMG, SIZE, near=0)
    with pytest.raises(ValueError, match="image_size must be at least 1"):
        project_boxes_3d(boxes, CAM2IMG, (0, 5))


def test_a_bad_camera():
    boxes = torch.tensor([AHEAD])
    with pytest.raises(TypeError, match=r"cam2img must be a tensor \(3, 3\), .*, got list"):
        project_boxes_3d(boxes, CAM2IMG.tolist(), SIZE)
    with pytest.raises(ValueError, match=r"cam2img must be \(3, 3\).*got \(2, 3\)"):
        project_boxes_3d(boxes, CAM2IMG[:2], SIZE)
    with pytest.raises(ValueError, match="1 boxes, but cam2img has 2 cameras"):
        project_boxes_3d(boxes, torch.stack([CAM2IMG, CAM2IMG]), SIZE)
    with pytest.raises(ValueError, match="1 batch items of boxes, but cam2img has 2 cameras"):
        from_boxes_3d(boxes, torch.stack([CAM2IMG, CAM2IMG]), SIZE)
    for call in (project_boxes_3d, from_boxes_3d):
        with pytest.raises(ValueError, match="cam2img has an entry that is NaN or infinite"):
            call(boxes, CAM2IMG * float("nan"), SIZE)
    with pytest.raises(ValueError, match="boxes_3d are on cpu, but cam2img is on meta"):
        project_boxes_3d(boxes, CAM2IMG.to("meta"), SIZE)
