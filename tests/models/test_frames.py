"""Boxes between the native and the network frame."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lzu.models.frames import Frames

sizes = st.tuples(st.integers(32, 400), st.integers(32, 400))


@given(sizes, sizes, sizes, st.integers(0, 10**6))
def test_round_trip(native, given_size, network, seed):
    boxes = torch.rand(5, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    boxes = boxes * 300
    frames = Frames(native, given_size, network)
    torch.testing.assert_close(frames.to_native(frames.to_network(boxes)), boxes)


def test_same_size_changes_nothing():
    boxes = torch.tensor([[3.0, 4.0, 50.0, 60.5]])
    torch.testing.assert_close(Frames((100, 200), (100, 200), (100, 200)).to_network(boxes), boxes)


def test_pixel_centres_of_corners_coincide():
    frames = Frames((400, 640), (400, 640), (100, 160))
    first = torch.tensor([[0.5, 0.5, 0.5, 0.5]])
    last = torch.tensor([[639.5, 399.5, 639.5, 399.5]])
    torch.testing.assert_close(frames.to_network(first), first)
    torch.testing.assert_close(frames.to_network(last), torch.tensor([[159.5, 99.5, 159.5, 99.5]]))


def test_a_box_follows_what_resizing_does_to_the_image():
    """The centre of a smooth blob and that of its box must move alike."""
    native, network = (120, 200), (60, 100)
    # pixel i has its centre at i + 0.5; the blob's is that of the box below, (180, 25)
    rows, columns = torch.arange(120) + 0.5, torch.arange(200) + 0.5
    image = torch.exp(-((rows[:, None] - 25) ** 2 + (columns[None] - 180) ** 2) / 18)[None, None]
    small = torch.nn.functional.interpolate(image, network, mode="bilinear", align_corners=True)[
        0, 0
    ]
    box = Frames(native, native, network).to_network(torch.tensor([[170.0, 20.0, 190.0, 30.0]]))[0]
    ys, xs = torch.meshgrid(
        torch.arange(network[0]) + 0.5, torch.arange(network[1]) + 0.5, indexing="ij"
    )
    centre_x = float((small * xs).sum() / small.sum())
    centre_y = float((small * ys).sum() / small.sum())
    assert centre_x == pytest.approx(float(box[0] + box[2]) / 2, abs=0.02)
    assert centre_y == pytest.approx(float(box[1] + box[3]) / 2, abs=0.02)


@pytest.mark.parametrize(
    ("network", "padded"),
    [((600, 960), (608, 960)), ((300, 480), (320, 480)), ((32, 33), (32, 64))],
)
def test_padding_to_multiples_of_32(network, padded):
    assert Frames((1200, 1920), (1200, 1920), network).padded == padded


def test_an_image_given_at_the_network_s_size_is_only_scaled():
    """From 0.5 to 0.5 nothing is resampled after loading, whose resize scales coordinates."""
    frames = Frames((120, 200), (60, 100), (60, 100))
    boxes = torch.tensor([[0.0, 0.0, 200.0, 120.0], [10.0, 20.0, 30.0, 50.0]])
    torch.testing.assert_close(frames.to_network(boxes), boxes / 2)


@given(sizes, sizes, sizes)
def test_points_and_cameras_move_as_corners_of_boxes_do(native, given_size, network):
    frames = Frames(native, given_size, network)
    height, width = frames.native
    points = torch.rand(5, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    points = points * torch.tensor([width, height])
    moved = frames.points_to_network(points)
    torch.testing.assert_close(moved, frames.to_network(torch.cat([points, points + 1], 1))[:, :2])
    homogeneous = torch.cat([points, torch.ones(5, 1)], 1) @ frames.matrix.T
    torch.testing.assert_close(homogeneous[:, :2], moved)
    assert torch.equal(homogeneous[:, 2], torch.ones(5, dtype=torch.float64))
    # what a camera sees of a place in the world is moved likewise
    camera = torch.tensor([[700.0, 0, 300], [0, 710, 200], [0, 0, 1]], dtype=torch.float64)
    place = torch.tensor([1.0, -0.5, 20], dtype=torch.float64)
    seen, network = camera @ place, frames.matrix @ camera @ place
    torch.testing.assert_close(
        network[:2] / network[2], frames.points_to_network(seen[:2] / seen[2])
    )
