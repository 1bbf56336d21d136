"""The fixed saliency prior: dataset-wide density of the training boxes (5.1, A.6)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

import lzu
from lzu.errors import UserError
from lzu.experiments import config
from lzu.files import read_json, write_json
from lzu.report.pictures.warps import write_prior_picture
from lzu.results.prior import Prior, save_prior


def make_prior(annotations: Path, settings: config.Prior, out: Path) -> Prior:
    """Write the saliency of all boxes in a COCO file of *training* annotations.

    The official tool of FOVEA builds its prior from the validation file; this one refuses
    annotations that are not of the training split.
    """
    boxes, size, about = _training_boxes(annotations)
    saliency = lzu.saliency.from_boxes(
        torch.from_numpy(boxes),
        image_size=size,
        lattice=settings.lattice,
        amplitude=settings.amplitude,
        bandwidth=settings.bandwidth,
    )
    prior = _as_prior(saliency, settings, size, {**about, "boxes": len(boxes)})
    save_prior(out, prior)
    return prior


def make_priors(annotations: Path, outs: Mapping[Path, config.Prior]) -> None:
    """Write priors that differ in their amplitude alone, in one pass over the training boxes.

    `outs` maps each file to its settings. Raises ValueError if lattice or bandwidth differ.
    """
    first = next(iter(outs.values()))
    if any(s.model_copy(update={"amplitude": first.amplitude}) != first for s in outs.values()):
        raise ValueError("one pass serves priors that differ in their amplitude alone")
    boxes, size, about = _training_boxes(annotations)
    density = lzu.saliency.BoxDensity(size, first.lattice, bandwidth=first.bandwidth)
    density.add(torch.from_numpy(boxes))
    for out, settings in outs.items():
        saliency = density.saliency(settings.amplitude)
        save_prior(out, _as_prior(saliency, settings, size, {**about, "boxes": len(boxes)}))


def _as_prior(
    saliency: torch.Tensor, settings: config.Prior, size: tuple[int, int], source: dict[str, Any]
) -> Prior:
    parameters = {
        "native_size": list(size),
        "lattice": list(settings.lattice),
        "amplitude": settings.amplitude,
        "bandwidth": settings.bandwidth,
    }
    return Prior(saliency.to(torch.float32).numpy(), parameters, source)


def draw_prior(prior: Prior, fwhm: float, out: Path, about: Path) -> None:
    """Draw saliency, warp grid and magnification; write the magnification's range beside it."""
    warp = lzu.Warp.from_saliency(torch.from_numpy(prior.saliency), fwhm=fwhm)
    magnification = warp.magnification(tuple(prior.parameters["native_size"]))[0].numpy()
    write_prior_picture(
        out,
        saliency=prior.saliency[0, 0],
        x=warp.x[0].numpy(),
        y=warp.y[0].numpy(),
        magnification=magnification,
        image_size=tuple(prior.parameters["native_size"]),
        title=f"fixed prior of {prior.source['boxes']:,} training boxes, fwhm {fwhm:g} cells",
    )
    write_json(
        about,
        {
            "parameters": {**prior.parameters, "fwhm": fwhm},
            "source": prior.source,
            "magnification": {
                "min": float(magnification.min()),
                "max": float(magnification.max()),
            },
        },
    )


def _training_boxes(annotations: Path) -> tuple[np.ndarray, tuple[int, int], dict[str, str]]:
    content = read_json(annotations)
    info = content["info"]
    if info["split"] not in ("train", "search_train"):
        raise UserError(
            f"{annotations}: a prior is made from training boxes, and these are of the "
            f"{info['split']} split; give the training annotations"
        )
    sizes = {(image["height"], image["width"]) for image in content["images"]}
    if len(sizes) != 1:
        raise UserError(
            f"{annotations}: images of several sizes ({sorted(sizes)[:3]} ...); one prior needs "
            "one image size"
        )
    boxes = np.array([a["bbox"] for a in content["annotations"]], dtype=np.float32).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    source = {key: info[key] for key in ("source", "split", "fingerprint")}
    return boxes, sizes.pop(), source
