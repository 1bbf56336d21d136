"""The animated picture: a frame a frame, colours on one scale, and what is drawn."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.collections import PatchCollection
from PIL import Image

from lzu.report.pictures.stream import StreamFrame, stream_figure, write_stream_picture

NATIVE = (100, 160)


def frame(number, before=None, peak=1.0):
    saliency = np.full((5, 7), 0.1)
    saliency[2, number % 7] = peak
    return StreamFrame(
        number=number,
        image=np.full((50, 80, 3), 10 * number, np.uint8),
        zoomed=np.full((25, 40, 3), 10 * number, np.uint8),
        saliency=saliency,
        x=np.linspace(0, 1, 7) ** (1 + number / 10),
        y=np.linspace(0, 1, 5),
        before=before,
        detected=np.array([[10.0, 10, 30, 20]]),
    )


@pytest.fixture
def frames():
    boxes = np.array([[20.0, 20, 40, 50], [5, 5, 9, 9]])
    return [frame(0, np.zeros((0, 4))), frame(1, boxes), frame(2, boxes[:1], peak=3.0)]


def test_a_gif_has_every_frame(tmp_path, frames):
    path = write_stream_picture(tmp_path / "a.gif", frames, NATIVE, "title", fps=5)
    with Image.open(path) as picture:
        assert picture.n_frames == 3
        durations = []
        for n in range(3):
            picture.seek(n)
            durations.append(picture.info["duration"])
        assert durations == [200, 200, 1200]
        assert picture.info["loop"] == 0
    other = write_stream_picture(tmp_path / "b.gif", frames, NATIVE, "title", fps=5)
    assert other.read_bytes() == path.read_bytes()


def test_one_frame_is_enough(tmp_path, frames):
    path = write_stream_picture(tmp_path / "a.gif", frames[:1], NATIVE, "title")
    assert path.read_bytes().startswith(b"GIF89a")


def test_boxes_before_and_in_the_frame_are_drawn(frames):
    figure = stream_figure(frames[1], NATIVE, "title", 3.0)
    shown, _, saliency = figure.axes
    patches = [c for c in shown.collections if isinstance(c, PatchCollection)]
    # each kind twice: a dark line below the coloured one
    assert sorted(len(c.get_paths()) for c in patches) == [1, 1, 2, 2]
    corners = patches[0].get_paths()[0].vertices
    assert corners.min(axis=0).tolist() == [19.5, 19.5]
    assert corners.max(axis=0).tolist() == [39.5, 49.5]
    assert saliency.images[0].get_clim() == (0, 3)
    assert shown.get_title(loc="left") == "Frame 1, with the warp grid"
    [legend] = figure.legends
    assert [t.get_text() for t in legend.get_texts()] == [
        "detected in it (1)",
        "detected before it, which the warp follows (2)",
    ]


def test_a_fixed_warp_follows_no_boxes():
    [legend] = stream_figure(frame(1), NATIVE, "title", 1.0).legends
    assert [t.get_text() for t in legend.get_texts()] == ["detected in it (1)"]


def test_another_form_or_no_frames_are_refused(tmp_path, frames):
    with pytest.raises(ValueError, match="at least one frame"):
        write_stream_picture(tmp_path / "a.gif", [], NATIVE, "title")
    with pytest.raises(ValueError, match=r"\.gif"):
        write_stream_picture(tmp_path / "a.png", frames, NATIVE, "title")


def test_bright_boxes_and_saliency_keep_their_colours(tmp_path, frames):
    """A few pixels among very many others, which a palette of the most frequent colours loses."""
    rng = np.random.default_rng(0)
    noisy = rng.integers(0, 200, (200, 320, 3), dtype=np.uint8)
    frames = [replace(frame, image=noisy, zoomed=noisy) for frame in frames]
    path = write_stream_picture(tmp_path / "a.gif", frames, NATIVE, "title")
    with Image.open(path) as picture:
        picture.seek(2)
        colours = np.unique(np.asarray(picture.convert("RGB")).reshape(-1, 3), axis=0)
    yellow, blue, brightest = (0xF0, 0xE4, 0x42), (0x56, 0xB4, 0xE9), (253, 231, 37)
    for colour in (yellow, blue, brightest):
        assert np.abs(colours - np.array(colour)).max(axis=1).min() <= 2, colour
