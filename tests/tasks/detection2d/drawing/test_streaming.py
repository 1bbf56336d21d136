"""A stream tells what the detector used, and finds what prediction finds."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

import lzu
from lzu.engine.predict import predict
from lzu.engine.trained import load_trained
from lzu.errors import UserError
from lzu.experiments.run import Run
from lzu.tasks.detection2d.build import validation_set
from lzu.tasks.detection2d.drawing.streaming import find_sequence, stream, watch
from tests.prepared import copied
from tests.tasks.detection2d.untrained import save_untrained

RUN = Run("smoke", "detection2d", "lzu_adaptive", 1.0, 0.5, 0)
METHODS = ("lzu_fixed", "lzu_adaptive", "lzu_learned", "fovea")


@pytest.fixture(scope="module")
def watched(context, tmp_path_factory):
    """With weights of every method."""
    context = copied(context, tmp_path_factory.mktemp("stream"))
    for method in (*METHODS, "uniform"):
        save_untrained(context, replace(RUN, method=method))
    return context


@pytest.fixture(scope="module")
def streamed(watched):
    out = watched.results / "a.npz"
    stream(watched, RUN, sequence=0, frames=4, out=out, picture_score=0.02, fps=5)
    with np.load(out) as content:
        return {name: content[name] for name in content.files}


def rows(streamed, name, frame):
    """Frame t's rows of a ragged array."""
    ends = [0, *streamed[f"{name}_end"]]
    return streamed[name][ends[frame] : ends[frame + 1]]


@pytest.mark.parametrize("method", METHODS)
def test_what_is_told_is_what_the_detector_used(watched, method):
    """Its zoom is overheard: in each frame what it used to detect, then what is told of it."""
    run = replace(RUN, method=method)
    model = load_trained(watched, run)
    lens = model.resampler.lens
    heard = []

    def overheard(images, *inputs):
        zoomed, warp = type(lens).zoom(lens, images, *inputs)
        heard.append((zoomed, warp.x, warp.y))
        return zoomed, warp

    lens.zoom = overheard
    content = json.loads(watched.paths.annotations("val").read_text())
    _, images = find_sequence(content, 0, "val.json")
    told = list(watch(model, validation_set(watched, run), images[:3]))
    assert [sample.img_id for sample, _ in told] == images[:3]
    assert len(heard) == 6
    for used, again, (_, frame) in zip(heard[::2], heard[1::2], told, strict=True):
        for one, other in zip(used, again, strict=True):
            assert torch.equal(one, other)
        assert torch.equal(frame.warp.x, used[1])
        saliency = torch.from_numpy(frame.saliency)[None, None]
        remade = lzu.Warp.from_saliency(saliency, fwhm=lens.fwhm)
        torch.testing.assert_close(remade.x, used[1])
        torch.testing.assert_close(remade.y, used[2])
    moves = (heard[0][1] - heard[4][1]).abs().max() > 1e-4
    assert moves == (method in ("lzu_adaptive", "lzu_learned"))


def test_frames_are_in_order_and_follow_the_detections_before(watched, streamed):
    adaptive = watched.settings.adaptive
    assert streamed["fid"].tolist() == [0, 1, 2, 3]
    assert streamed["saliency"].shape == (4, 31, 51)
    assert streamed["x"].shape == (4, 51)
    assert streamed["y"].shape == (4, 31)
    assert len(rows(streamed, "boxes", 0)) == 0
    assert np.ptp(streamed["saliency"][0]) == pytest.approx(0, abs=1e-9)
    for t in range(1, 4):
        before = rows(streamed, "detections", t - 1)
        counted = before[before[:, 4] >= adaptive.score_threshold][: adaptive.max_detections]
        boxes = rows(streamed, "boxes", t)
        assert len(boxes) > 0
        # the same boxes; the detector may list them in another order
        assert np.array_equal(np.unique(boxes, axis=0), np.unique(counted[:, :4], axis=0))
        saliency = lzu.saliency.from_boxes(
            torch.from_numpy(boxes),
            image_size=(160, 256),
            lattice=(31, 51),
            amplitude=adaptive.amplitude,
            bandwidth=adaptive.bandwidth,
        )
        assert streamed["saliency"][t] == pytest.approx(saliency[0, 0].numpy(), rel=1e-5)
    about = json.loads(str(streamed["about"]))
    assert about["run"] == RUN.as_dict()
    assert about["sequence"] == {"sid": 0, "name": "synthetic-val-0000", "frames": 4}
    assert about["fwhm"] == adaptive.fwhm
    assert about["provenance"]["torch"]


def test_it_finds_what_prediction_finds(watched, streamed):
    predict(watched, RUN)
    found = json.loads(watched.paths.run(RUN, "predictions.json").read_text())["detections"]
    for t, image in enumerate(streamed["image_id"]):
        own = rows(streamed, "detections", t).astype(float)
        expected = [one for one in found if one["image_id"] == image]
        assert len(own) == len(expected) > 0
        assert own[:, 4] == pytest.approx([one["score"] for one in expected], abs=1e-5)
        assert own[:, 5].tolist() == [one["category_id"] for one in expected]
        corners = np.array([one["bbox"][:2] for one in expected])
        assert own[:, :2] == pytest.approx(corners, abs=1e-3)


def test_the_picture_moves(watched, streamed):
    with Image.open(watched.results / "a.gif") as picture:
        assert picture.n_frames == 4


def test_the_suite_s_settings_are_the_default(watched, config):
    from lzu.cli import main

    arguments = ["--config", config, "--results", watched.results, "--method", "lzu_fixed"]
    arguments += ["--to", "0.5", "--frames", "2"]
    assert main(["stream", *map(str, arguments)]) == 0
    out = watched.paths.stream(replace(RUN, method="lzu_fixed"), watched.settings.stream.sequence)
    with np.load(out) as content:
        assert len(content["fid"]) == 2
        assert np.array_equal(content["saliency"][0], content["saliency"][1])
        assert content["boxes"].shape == (0, 4)
    assert out.with_suffix(".gif").exists()


CONTENT = {
    "images": [{"id": 10 + n, "sid": n // 2, "fid": 1 - n % 2} for n in range(6)],
    "sequences": ["a", "b", "c"],
    "seq_dirs": ["val/x", "val/y", "val/z"],
}


@pytest.mark.parametrize("wanted", [1, "1", "b"])
def test_a_sequence_is_found_by_sid_or_name(wanted):
    assert find_sequence(CONTENT, wanted, "val.json") == (1, [13, 12])


def test_a_sequence_without_a_name_has_its_folder_s():
    assert find_sequence({**CONTENT, "sequences": []}, "val/z", "val.json")[0] == 2


def test_bad_input_is_one_clear_error(watched, tmp_path):
    def attempt(run=RUN, given=watched, **settings):
        settings = {"sequence": 0, "frames": 2, "out": tmp_path / "s.npz", **settings}
        stream(given, run, **settings)

    with pytest.raises(UserError, match=r"no sequence '7'.*0 \(synthetic-val-0000\)"):
        attempt(sequence=7)
    with pytest.raises(UserError, match="uniform does not zoom"):
        attempt(run=replace(RUN, method="uniform"))
    with pytest.raises(UserError, match=r"must end in \.npz"):
        attempt(out=tmp_path / "s.gif")
    with pytest.raises(UserError, match="above 0"):
        attempt(frames=0)
    shutil.copytree(watched.paths.root / "data", tmp_path / "smoke" / "data")
    with pytest.raises(UserError, match=r"checkpoint\.pth: no such checkpoint"):
        attempt(given=replace(watched, results=tmp_path))
    assert not (tmp_path / "s.npz").exists()
