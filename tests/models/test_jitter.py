"""Jitter: the paper's offsets, on centres, by seed alone."""

import pytest
import torch

from lzu.models.jitter import jitter_boxes

SIZE = (1200, 1920)


def boxes(n, generator=None):
    corners = torch.rand(n, 2, generator=generator) * 400 + 500
    return torch.cat([corners, corners + 40], dim=1)


def test_centres_move_by_the_given_deviations_and_sizes_stay():
    given = boxes(20_000)
    moved = jitter_boxes(given, 3, (7.5, 3.0), SIZE)
    offsets = (moved - given)[:, :2]
    torch.testing.assert_close((moved - given)[:, 2:], offsets, rtol=0, atol=2e-3)
    assert offsets[:, 0].std().item() == pytest.approx(7.5, rel=0.03)
    assert offsets[:, 1].std().item() == pytest.approx(3.0, rel=0.03)
    assert offsets.mean(0).abs().max() < 0.2
    assert torch.corrcoef(offsets.T)[0, 1].abs() < 0.03


def test_offsets_follow_from_the_seed_alone():
    given = boxes(5)
    torch.manual_seed(1)
    first = jitter_boxes(given, 7, (7.5, 3.0), SIZE)
    torch.manual_seed(2)
    assert torch.equal(jitter_boxes(given, 7, (7.5, 3.0), SIZE), first)
    assert not torch.equal(jitter_boxes(given, 8, (7.5, 3.0), SIZE), first)
    wider = jitter_boxes(given.double(), 7, (7.5, 3.0), SIZE)
    torch.testing.assert_close(wider.float(), first, rtol=0, atol=1e-3)


def test_a_centre_stays_in_the_image():
    given = torch.tensor([[-20.0, -10.0, 30.0, 20.0], [1900.0, 1190.0, 1920.0, 1200.0]])
    for seed in range(20):
        moved = jitter_boxes(given, seed, (500.0, 500.0), SIZE)
        centres = (moved[:, :2] + moved[:, 2:]) / 2
        assert (centres >= -1e-3).all()
        assert (centres <= torch.tensor([1920.0, 1200.0]) + 1e-3).all()
        sizes = moved[:, 2:] - moved[:, :2]
        torch.testing.assert_close(sizes, given[:, 2:] - given[:, :2], rtol=0, atol=1e-3)


def test_no_boxes_and_no_jitter():
    assert jitter_boxes(torch.zeros(0, 4), 0, (7.5, 3.0), SIZE).shape == (0, 4)
    given = boxes(4)
    torch.testing.assert_close(jitter_boxes(given, 0, (0.0, 0.0), SIZE), given)
