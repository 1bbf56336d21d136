"""Writes tables as large as nuScenes' own in its format, of made-up rows, and measures preparing.

    python -m tests.datasets.nuscenes.large FOLDER [--samples 34149] [--boxes 35] [--rows 77]

writes both splits' tables (3.2 GB) and empty files for images below FOLDER, prepares each split in
a process of its own, and prints time and peak memory.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from nuscenes.utils import splits

from lzu.datasets.marks import MARKERS, identity
from lzu.datasets.nuscenes.classes import CAMERAS
from lzu.datasets.nuscenes.layout import FORMAT
from lzu.datasets.nuscenes.prepare import prepare
from tests.datasets.nuscenes import maker

CHANNELS = (
    *CAMERAS, "LIDAR_TOP", "RADAR_FRONT", "RADAR_FRONT_LEFT", "RADAR_FRONT_RIGHT",
    "RADAR_BACK_LEFT", "RADAR_BACK_RIGHT",
)  # fmt: skip
"""A sample has a key frame of each; its other rows are sweeps."""


def write_large(root: Path, samples: int, boxes: int, rows: int, scenes: list[str]) -> None:
    """Tables of so many samples in `scenes`, each with so many boxes and rows of sample_data."""
    rng = np.random.default_rng(0)
    small = maker.tables(samples=1, objects=1)
    folder = root / maker.VERSION
    folder.mkdir(parents=True, exist_ok=True)
    (root / MARKERS["train"]).write_text(json.dumps(identity(FORMAT, "train")))
    counts = np.diff(np.linspace(0, samples, len(scenes) + 1).astype(int)).tolist()
    of_scene = [(s, k) for s, count in enumerate(counts) for k in range(count)]
    sensors = [
        {**row, "token": _hex("sensor", k), "channel": CHANNELS[k]}
        for k, row in enumerate([small["sensor"][0]] * len(CHANNELS))
    ]
    calibrated = {row["sensor_token"]: row for row in small["calibrated_sensor"]}
    of_channel = [calibrated[maker.token("sensor", c)] for c in CHANNELS[:8]]
    tables = {name: small[name] for name in ("category", "attribute", "visibility")}
    tables["sensor"] = sensors
    tables["log"] = [{**small["log"][0], "token": _hex("log", s)} for s in range(len(scenes))]
    tables["map"] = [{**small["map"][0], "log_tokens": [row["token"] for row in tables["log"]]}]
    tables["calibrated_sensor"] = [
        {
            **of_channel[min(k, 7)], "token": _hex("calibrated", s * 12 + k),
            "sensor_token": sensors[k]["token"],
        }
        for s in range(len(scenes)) for k in range(len(CHANNELS))
    ]  # fmt: skip
    first = np.cumsum([0, *counts]).tolist()
    tables["scene"] = [
        {
            "token": _hex("scene", s), "log_token": _hex("log", s), "nbr_samples": counts[s],
            "first_sample_token": _hex("sample", first[s]),
            "last_sample_token": _hex("sample", first[s + 1] - 1), "name": name, "description": "",
        }
        for s, name in enumerate(scenes)
    ]  # fmt: skip
    tables["sample"] = [
        {
            "token": _hex("sample", n), "timestamp": _time(s, k), "scene_token": _hex("scene", s),
            "prev": _hex("sample", n - 1) if k else "",
            "next": _hex("sample", n + 1) if k + 1 < counts[s] else "",
        }
        for n, (s, k) in enumerate(of_scene)
    ]  # fmt: skip
    categories = [row["token"] for row in small["category"]]
    tables["instance"] = [
        {
            "token": _hex("instance", s * boxes + b), "category_token": categories[b % 23],
            "nbr_annotations": counts[s],
            "first_annotation_token": _hex("annotation", first[s] * boxes + b),
            "last_annotation_token": _hex("annotation", (first[s + 1] - 1) * boxes + b),
        }
        for s in range(len(scenes)) for b in range(boxes)
    ]  # fmt: skip
    for name, content in tables.items():
        (folder / f"{name}.json").write_text(json.dumps(content, indent=0))
    _write(folder / "ego_pose.json", _poses(of_scene, rows, rng))
    _write(folder / "sample_data.json", _data(root, of_scene, rows))
    _write(folder / "sample_annotation.json", _annotations(of_scene, counts, boxes, rng))


def _hex(kind: str, number: int) -> str:
    return f"{len(kind):04x}{kind[:4].encode().hex()}{number:020x}"


def _time(scene: int, k: int) -> int:
    return 1_530_000_000_000_000 + scene * 10**8 + k * 500_000


def _write(path: Path, rows: Iterator[str]) -> None:
    """Rows as real tables have them: a key a line."""
    with open(path, "w") as file:
        file.write("[\n")
        for number, row in enumerate(rows):
            file.write((",\n" if number else "") + row)
        file.write("\n]")


def _poses(of_scene: list[tuple[int, int]], rows: int, rng: np.random.Generator) -> Iterator[str]:
    for n, (s, k) in enumerate(of_scene):
        angles = rng.uniform(0, np.pi, rows)
        places = (500 + s + rng.uniform(-1, 1, (rows, 2))).tolist()
        turns = zip(np.cos(angles).tolist(), np.sin(angles).tolist(), strict=True)
        for r, ((x, y), (w, z)) in enumerate(zip(places, turns, strict=True)):
            yield (
                f'{{\n"token": "{_hex("pose", n * rows + r)}",\n"timestamp": {_time(s, k)},\n'
                f'"rotation": [\n{w},\n0.0,\n0.0,\n{z}\n],\n'
                f'"translation": [\n{x},\n{y},\n0.0\n]\n}}'
            )


def _data(root: Path, of_scene: list[tuple[int, int]], rows: int) -> Iterator[str]:
    for channel in CHANNELS:
        (root / "samples" / channel).mkdir(parents=True, exist_ok=True)
    for n, (s, k) in enumerate(of_scene):
        for r in range(rows):
            channel, key = CHANNELS[r % 12], r < 12
            camera = channel.startswith("CAM")
            name = f"n008-2018-08-01-15-16-36-0400__{channel}__{_time(s, k)}.jpg"
            folder = "samples" if key else "sweeps"
            if key and camera:
                (root / "samples" / channel / name).touch()
            yield (
                f'{{\n"token": "{_hex("data", n * rows + r)}",\n'
                f'"sample_token": "{_hex("sample", n)}",\n'
                f'"ego_pose_token": "{_hex("pose", n * rows + r)}",\n'
                f'"calibrated_sensor_token": "{_hex("calibrated", s * 12 + r % 12)}",\n'
                f'"timestamp": {_time(s, k)},\n"fileformat": "jpg",\n'
                f'"is_key_frame": {"true" if key else "false"},\n'
                f'"height": {900 * camera},\n"width": {1600 * camera},\n'
                f'"filename": "{folder}/{channel}/{name}",\n"prev": "{_hex("data", max(n - 1, 0))}"'
                f',\n"next": ""\n}}'
            )


def _annotations(
    of_scene: list[tuple[int, int]], counts: list[int], boxes: int, rng: np.random.Generator
) -> Iterator[str]:
    for n, (s, k) in enumerate(of_scene):
        places = (rng.uniform(-40, 40, (boxes, 3)) * [1, 1, 0] + [500 + s, 500 + s, 1]).tolist()
        for b, (x, y, z) in enumerate(places):
            token = n * boxes + b
            before = _hex("annotation", token - boxes) if k else ""
            after = _hex("annotation", token + boxes) if k + 1 < counts[s] else ""
            yield (
                f'{{\n"token": "{_hex("annotation", token)}",\n'
                f'"sample_token": "{_hex("sample", n)}",\n'
                f'"instance_token": "{_hex("instance", s * boxes + b)}",\n'
                f'"visibility_token": "4",\n"attribute_tokens": [\n'
                f'"{maker.token("attribute", "vehicle.moving")}"\n],\n'
                f'"translation": [\n{x},\n{y},\n{z}\n],\n"size": [\n1.9,\n4.5,\n1.6\n],\n'
                f'"rotation": [\n0.8,\n0.0,\n0.0,\n0.6\n],\n"prev": "{before}",\n'
                f'"next": "{after}",\n"num_lidar_pts": {b % 3},\n"num_radar_pts": 0\n}}'
            )


def measured(root: Path, split: str, list_json: Path) -> dict[str, float]:
    """Seconds (by the clock, and of the processor) and peak resident MiB of preparing a split, in a
    process of its own."""
    command = [sys.executable, "-m", "tests.datasets.nuscenes.large", str(root), split]
    done = subprocess.run([*command, str(list_json)], stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def _prepare(root: Path, split: str, list_json: Path) -> None:
    import nuscenes.utils.splits  # noqa: F401, its import is no part of the time

    started, cpu = time.monotonic(), time.process_time()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    about = list_json.with_name(f"about-{split}.json")
    prepare(
        root, maker.VERSION, split, list_json, about,
        progress=lambda line: print(line, file=sys.stderr),
    )  # fmt: skip
    used = resource.getrusage(resource.RUSAGE_SELF)
    found = {
        "seconds": round(time.monotonic() - started, 1),
        "cpu_seconds": round(used.ru_utime + used.ru_stime - cpu, 1),
        "peak_mib": round(used.ru_maxrss / 1024),
        "imports_mib": round(before),
        "samples": json.loads(about.read_text())["samples"],
        "boxes": json.loads(about.read_text())["boxes"],
        "list_mib": round(list_json.stat().st_size / 2**20),
    }
    print(json.dumps(found))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("split", nargs="?")
    parser.add_argument("list_json", nargs="?", type=Path)
    parser.add_argument("--samples", type=int, default=34_149)
    parser.add_argument("--boxes", type=int, default=35)
    parser.add_argument("--rows", type=int, default=77)
    given = parser.parse_args()
    if given.split:
        _prepare(given.folder, given.split, given.list_json)
        return
    started = time.monotonic()
    names = [*splits.train, *splits.val]
    write_large(given.folder, given.samples, given.boxes, given.rows, names)
    print(f"written in {time.monotonic() - started:.0f} s")
    for split in ("train", "val"):
        print(split, measured(given.folder, split, given.folder / f"{split}.json"))


if __name__ == "__main__":
    main()
