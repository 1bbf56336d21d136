"""Where what was found in a frame is expected in the camera's next one: against our own projection,
in float64, of things that move while the car drives and turns."""

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("nuscenes")
pytest.importorskip("mmdet")

from lzu.errors import UserError
from lzu.models.frames import Frames
from lzu.tasks.detection3d.dataset import Mono3DDataset
from lzu.tasks.detection3d.online import camera_sequences, expected
from lzu.tasks.detection3d.rows import Found
from tests.tasks.detection3d import scenes
from tests.tasks.detection3d.scenes import SIZE, pose, turn

FRAMES = {
    "native": Frames(SIZE, SIZE, SIZE),
    "half": Frames(SIZE, SIZE, (45, 80)),
    "uneven": Frames(SIZE, (60, 120), (33, 70)),
}
SECONDS = 0.5


def two_moments(rng):
    """The car's poses in the global frame: it drives four metres and turns."""
    heading = rng.uniform(-np.pi, np.pi)
    first = pose(turn(2, heading), [600.0, 1600.0, 0.3])
    return first, first @ pose(turn(2, rng.uniform(-0.2, 0.2)), [4.0, rng.uniform(-1, 1), 0])


def things_around(rng, ego, count):
    """In the global frame."""
    things = scenes.random_objects(rng, count)
    for number, thing in enumerate(things):
        thing["token"] = str(number)
        thing["place"] = ego[:3, :3] @ thing["place"] + ego[:3, 3]
    return things


def after(thing, seconds):
    return {**thing, "place": thing["place"] + seconds * np.array([*thing["velocity"], 0])}


def found_of(camera, ego, things, matrix):
    """What a detector that is right about everything finds, and which things they are."""
    rows = [scenes.instance_in(camera, matrix, ego, thing, SIZE) for thing in things]
    kept = [number for number, row in enumerate(rows) if row is not None]
    boxes = np.array([[*rows[n]["bbox_3d"], *rows[n]["velocity"]] for n in kept]).reshape(-1, 9)
    boxes[:, 1] += boxes[:, 4] / 2  # the bottom's centre
    none = np.zeros(len(kept), dtype=int)
    scores = 0.1 + 0.8 * np.arange(len(kept)) / max(1, len(kept))
    return Found("any", camera, ego, boxes, scores, none, none), kept


def sample_of(camera, ego, matrix, frames):
    return SimpleNamespace(cam2img=frames.matrix.numpy() @ matrix, cam2ego=camera, ego2global=ego)


@pytest.mark.parametrize("frames", FRAMES.values(), ids=FRAMES)
def test_boxes_land_where_they_are_in_the_next_frame(frames):
    rng = np.random.default_rng(0)
    matrix, seen, moved = scenes.intrinsics(), 0, []
    for camera in scenes.camera_poses().values():
        now, then = two_moments(rng)
        found, kept = found_of(camera, now, things := things_around(rng, now, 60), matrix)
        got = expected(found, SECONDS, sample_of(camera, then, matrix, frames), frames)
        scores = dict(zip(kept, found.scores, strict=True))
        found_at = zip(got.scores.tolist(), got.bboxes.numpy(), strict=True)
        by_score = {round(score, 5): box for score, box in found_at}
        for number in kept:
            there = scenes.instance_in(camera, matrix, then, after(things[number], SECONDS), SIZE)
            if there is None:
                continue
            box = by_score[round(float(np.float32(scores[number])), 5)]
            np.testing.assert_allclose(box, there["bbox"], atol=2e-3)
            before = scenes.instance_in(camera, matrix, now, things[number], SIZE)
            moved.append(np.abs(np.subtract(before["bbox"], there["bbox"])).max())
            seen += 1
    assert seen > 50
    # so that boxes which stayed where they were would not pass
    assert np.median(moved) > 3


def test_velocities_are_along_the_ground_though_the_camera_is_tilted():
    """Of small things, whose own attitude does not matter."""
    rng = np.random.default_rng(1)
    matrix, frames, seen = scenes.intrinsics(), FRAMES["native"], 0
    for camera in scenes.camera_poses(tilt=0.2, roll=0.1).values():
        now, then = two_moments(rng)
        for thing in things_around(rng, now, 60):
            thing["size"] = np.full(3, 0.02)
            sensor = np.linalg.inv(now @ camera)
            x, y, z = sensor[:3, :3] @ thing["place"] + sensor[:3, 3]
            vx, _, vz = sensor[:3, :3] @ [*thing["velocity"], 0]
            box = np.array([[x, y + 0.01, z, 0.02, 0.02, 0.02, 0.0, vx, vz]])
            one = np.ones(1)
            found = Found("any", camera, now, box, one, one, one)
            got = expected(found, SECONDS, sample_of(camera, then, matrix, frames), frames)
            there = np.linalg.inv(then @ camera)
            point = matrix @ (there[:3, :3] @ after(thing, SECONDS)["place"] + there[:3, 3])
            pixel = point[:2] / point[2]
            inside = point[2] > 1 and (pixel > 1).all() and (pixel < np.array(SIZE[::-1]) - 1).all()
            if inside:
                box = got.bboxes[0].numpy()
                np.testing.assert_allclose((box[:2] + box[2:]) / 2, pixel, atol=0.02)
                seen += 1
            elif point[2] < -1:
                assert len(got) == 0
    assert seen > 30


def test_what_leaves_the_image_or_is_no_number_is_not_expected():
    matrix, frames, camera = scenes.intrinsics(), FRAMES["native"], np.eye(4)
    ahead = [0, 0.5, 10, 1, 1, 1, 0, 0, 0]
    boxes = np.array([
        ahead,
        [0, 0.5, 10, 1, 1, 1, 0, 100, 0],
        [0, 0.5, 10, 1, 1, 1, 0, 0, -100],
        [np.nan, *ahead[1:]],
        [*ahead[:3], np.nan, *ahead[4:]],
    ])  # fmt: skip
    ego = pose(turn(0, -np.pi / 2), [0, 0, 0])  # the camera's z axis lies in the ground's plane
    none = np.zeros(5, dtype=int)
    found = Found("any", camera, ego, boxes, np.linspace(0.1, 0.5, 5), none, none)
    got = expected(found, SECONDS, sample_of(camera, ego, matrix, frames), frames)
    assert got.scores.tolist() == pytest.approx([0.1])
    nothing = Found("any", camera, ego, boxes[:0], np.zeros(0), none[:0], none[:0])
    got = expected(nothing, SECONDS, sample_of(camera, ego, matrix, frames), frames)
    assert got.bboxes.shape == (0, 4)


@pytest.fixture
def listed(tmp_path):
    """The dataset of frames (scene, number in it) in the order of a list."""

    def make(order, cameras=("CAM_FRONT", "CAM_BACK")):
        samples = []
        for scene, frame in order:
            one = scenes.sample(np.random.default_rng(0), frame, objects=1)
            samples.append({**one, "scene": scene, "token": f"{scene}-{frame}"})
        path = scenes.write_prepared(tmp_path, samples, images=False)
        return Mono3DDataset(path, tmp_path, cameras, test_mode=True)

    return make


def names(dataset):
    infos = [dataset.get_data_info(k) for k in range(len(dataset))]
    return [
        [(infos[k]["scene"], infos[k]["camera"], infos[k]["frame"]) for k in sequence]
        for sequence in camera_sequences(dataset)
    ]


def test_each_camera_of_each_scene_is_a_sequence_in_the_order_of_its_frames(listed):
    frames = [("a", 1), ("b", 0), ("a", 2), ("b", 1), ("a", 0)]
    assert names(listed(frames)) == [
        [(scene, camera, frame) for frame in range(count)]
        for scene, count in (("a", 3), ("b", 2))
        for camera in ("CAM_BACK", "CAM_FRONT")
    ]
    assert names(listed(frames, ["CAM_BACK_LEFT"])) == [
        [("a", "CAM_BACK_LEFT", frame) for frame in range(3)],
        [("b", "CAM_BACK_LEFT", frame) for frame in range(2)],
    ]


def test_a_missing_or_repeated_frame_is_named(listed):
    with pytest.raises(UserError, match=r"train\.json: sequence a CAM_BACK lacks fid 1"):
        camera_sequences(listed([("a", 0), ("a", 2)]))
    with pytest.raises(UserError, match=r"sequence a CAM_FRONT repeats fid 0"):
        camera_sequences(listed([("a", 0), ("a", 0)]))
