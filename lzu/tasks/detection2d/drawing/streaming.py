"""A detector online over one video: what it made its saliency of, frame by frame (5.1)."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from lzu.datasets.sequences import frame_order
from lzu.engine.trained import load_trained
from lzu.errors import UserError
from lzu.experiments.context import Context
from lzu.experiments.run import Run
from lzu.files import read_json, write_atomic
from lzu.report.pictures.stream import StreamFrame, write_stream_picture
from lzu.results.provenance import collect_provenance
from lzu.results.stamps import stamp
from lzu.tasks.detection2d.build import validation_set
from lzu.tasks.detection2d.drawing.views import SHOWN_SCORE, View, lens_of, view
from lzu.tasks.detection2d.online import detect_online, index_of_image

STREAM_FORMAT = 2
SHOWN_WIDTH = 640
"""Of images in the animated picture, in pixels."""


def stream(
    context: Context,
    run: Run,
    *,
    sequence: int | str,
    frames: int,
    out: Path,
    picture_score: float = SHOWN_SCORE,
    fps: float = 4.0,
    workers: int = 0,
) -> None:
    """Detect online in the first `frames` frames of a validation sequence; write what was seen.

    `out`, an .npz file, gets for T frames of a lattice (h, w):

    - `image_id`, `fid` (T,);
    - `saliency` (T, h, w) float32, `x` (T, w) and `y` (T, h): the warp at the lattice's nodes,
      source coordinates in [0, 1];
    - `boxes` (n, 4): what each frame's saliency was made of, left, top, right, bottom in native
      pixels; frame t's are rows `boxes_end[t - 1]` (or 0) to `boxes_end[t]`. Empty if the method is
      not adaptive;
    - `detections` (m, 6), likewise with `detections_end`: box, score, label;
    - `about`: JSON of the run, its weights' hash, sequence, sizes, kernel and provenance.

    Beside it comes an animated picture, the same name with .gif, in which detections are shown
    from `picture_score` on, `fps` frames a second. Results are those of `lzu predict`.

    Raises UserError for an unknown sequence, a run without weights and a method that does not zoom.
    """
    if out.suffix != ".npz":
        raise UserError(f"--out: {out} must end in .npz; the picture beside it ends in .gif")
    if frames < 1 or fps <= 0:
        raise UserError("--frames and --fps must be above 0")
    started = datetime.now(UTC)
    annotations = context.paths.annotations(run.split("val"))
    content = read_json(annotations)
    sid, images = find_sequence(content, sequence, annotations)
    images = images[:frames]
    model = load_trained(context, run)
    lens = lens_of(model, run.method)
    dataset = validation_set(context, run)
    numbers = {image["id"]: image["fid"] for image in content["images"]}
    seen = []
    pictures = []
    for sample, frame in watch(model, dataset, images, workers):
        # Of a long video, whole images would fill the memory.
        frame = replace(frame, image=shrunk(frame.image), zoomed=shrunk(frame.zoomed))
        found = sample.pred_instances.cpu()
        detections = torch.cat(
            [found.bboxes, found.scores[:, None], found.labels[:, None].float()], dim=1
        ).numpy()
        seen.append((sample.img_id, frame, detections))
        pictures.append(
            StreamFrame(
                number=numbers[sample.img_id],
                image=frame.image,
                zoomed=frame.zoomed,
                saliency=frame.saliency,
                x=frame.warp.x[0].numpy(),
                y=frame.warp.y[0].numpy(),
                before=frame.boxes,
                detected=detections[detections[:, 4] >= picture_score, :4],
            )
        )
    about = {
        "format": STREAM_FORMAT,
        "run": run.as_dict(),
        "stamp": stamp(context, run),
        "sequence": {"sid": sid, "name": sequence_name(content, sid), "frames": len(seen)},
        "native_size": list(context.settings.dataset.native_size),
        "network_size": list(model.frames.network),
        "fwhm": lens.fwhm,
        "provenance": collect_provenance(started, context.suite.machine_name),
    }
    write_stream(out, seen, numbers, about)
    title = f"{run.about.label} at {run.to_scale:g}×, sequence {sid}"
    native = context.settings.dataset.native_size
    write_stream_picture(out.with_suffix(".gif"), pictures, native, title, fps)


def watch(model: Any, dataset: Any, images: list[int], workers: int = 0) -> Iterator[Any]:
    """Detect online in the images, in this order; yield (sample, View) one by one.

    Frames go through `detect_online` as in prediction.
    """
    place = index_of_image(dataset)
    with torch.inference_mode():
        for sample in detect_online(model, dataset, [images], lanes=1, workers=workers):
            yield sample, view(model, dataset[place[sample.img_id]], sample)


def shrunk(image: np.ndarray) -> np.ndarray:
    """An image (H, W, 3), at most `SHOWN_WIDTH` wide."""
    height, width = image.shape[:2]
    if width <= SHOWN_WIDTH:
        return image
    size = (SHOWN_WIDTH, round(height * SHOWN_WIDTH / width))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def find_sequence(
    content: dict[str, Any], wanted: int | str, source: Path
) -> tuple[int, list[int]]:
    """The (sid, image ids in the order of time) of the sequence with this sid or name.

    Raises UserError, which names some that there are, if there is none; or as `frame_order` does.
    """
    names = {image["sid"]: sequence_name(content, image["sid"]) for image in content["images"]}
    given = str(wanted)
    found = [sid for sid in names if str(sid) == given]
    found = found or [sid for sid, name in names.items() if name == given]
    if not found:
        listed = ", ".join(f"{sid} ({name})" for sid, name in sorted(names.items())[:5])
        more = f" and {len(names) - 5} more" if len(names) > 5 else ""
        raise UserError(
            f"{source}: no sequence {given!r}; name one by its sid or its name: {listed}{more}"
        )
    [images] = frame_order([i for i in content["images"] if i["sid"] == found[0]], source)
    return found[0], images


def sequence_name(content: dict[str, Any], sid: int) -> str:
    """The name of a sequence: as listed, or else that of its folder."""
    folders, listed = content["seq_dirs"], content.get("sequences", [])
    return str(listed[sid] if len(listed) == len(folders) else folders[sid])


def write_stream(
    out: Path, seen: list[tuple[int, View, np.ndarray]], numbers: dict[int, int], about: Any
) -> None:
    """Write the .npz file that `stream` describes, atomically; `numbers` are the images' fids."""
    boxes = [np.zeros((0, 4), np.float32) if v.boxes is None else v.boxes for _, v, _ in seen]
    detections = [found for _, _, found in seen]
    with write_atomic(out) as temporary:
        np.savez_compressed(
            temporary,
            image_id=np.array([image for image, _, _ in seen]),
            fid=np.array([numbers[image] for image, _, _ in seen]),
            saliency=np.stack([v.saliency for _, v, _ in seen]),
            x=np.concatenate([v.warp.x.numpy() for _, v, _ in seen]),
            y=np.concatenate([v.warp.y.numpy() for _, v, _ in seen]),
            boxes=np.concatenate(boxes),
            boxes_end=np.cumsum([len(own) for own in boxes]),
            detections=np.concatenate(detections),
            detections_end=np.cumsum([len(own) for own in detections]),
            about=np.array(json.dumps(about, sort_keys=True)),
        )
