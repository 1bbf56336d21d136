"""The fixed saliency prior of a task: made by its step, kept as a file, and drawn (5.1, A.6)."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import torch

import lzu
from lzu.errors import UserError
from lzu.experiments.context import Context
from lzu.experiments.task import PriorSpec
from lzu.files import write_json
from lzu.report.pictures.warps import write_prior_picture
from lzu.results.foreign import read_array
from lzu.results.prior import (
    Prior,
    check_map,
    load_prior,
    parameters_of,
    save_prior,
    save_provenance,
)
from lzu.results.provenance import collect_provenance


def make_prior(context: Context, spec: PriorSpec) -> Prior:
    """Write the prior that the task's `prior` step makes of its training data, or the imported one
    that stands in for it."""
    started = datetime.now(UTC)
    imported = context.paths.imported_prior(spec)
    if imported.is_file():
        found = load_prior(imported, context.settings.dataset.frame)
        values, source = check_map(imported, found.saliency, spec.settings.lattice), found.source
    else:
        saliency, source = context.task.step("prior")(context, spec)
        values = saliency.to(torch.float32).numpy()
    prior = Prior(values, parameters_of(context, spec), source)
    path = context.paths.prior(spec)
    save_prior(path, prior)
    save_provenance(path, prior, collect_provenance(started, context.suite.machine_name))
    return prior


def import_prior(context: Context, spec: PriorSpec, file: Path) -> Prior:
    """Let a saliency map of others stand in for a prior, until `imported_prior` is removed.

    Args:
        file: a map of the prior's lattice, in a file that `lzu.results.foreign` reads; its values
            are scaled to sum 1.

    Raises:
        UserError: if the file is not read, or is no such map; or the prior is one a camera.
    """
    if spec.settings.of_each_camera:
        raise UserError(
            f"{file}: one map, where the prior {spec.name} has one for each camera: set "
            "prior.cameras to together, or name another prior with --name"
        )
    saliency = check_map(file, read_array(file), spec.settings.lattice)
    source = {"imported": file.name, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
    found = Prior(saliency, parameters_of(context, spec), source)
    save_prior(context.paths.imported_prior(spec), found)
    return make_prior(context, spec)


def draw_prior(prior: Prior, fwhm: float, out: Path) -> None:
    """Draw saliency, warp grid and magnification; write the magnification's range beside it.

    Several maps have a row of panels each, and the range is over all.
    """
    warp = lzu.Warp.from_saliency(torch.from_numpy(prior.saliency), fwhm=fwhm)
    magnification = warp.magnification(tuple(prior.parameters["native_size"])).numpy()
    maps = (prior.saliency[:, 0], warp.x.numpy(), warp.y.numpy(), magnification)
    write_prior_picture(
        out,
        *(maps if prior.names else (one[0] for one in maps)),
        image_size=tuple(prior.parameters["native_size"]),
        title=f"fixed prior {_source(prior)}, fwhm {fwhm:g} cells",
        names=prior.names,
    )
    write_json(
        out.with_suffix(".json"),
        {
            "parameters": {**prior.parameters, "fwhm": fwhm},
            "source": prior.source,
            "magnification": {
                "min": float(magnification.min()),
                "max": float(magnification.max()),
            },
        },
    )


def _source(prior: Prior) -> str:
    """Of what it was made: the counts in its source, or the file that it was imported from."""
    if "imported" in prior.source:
        return f"imported from {prior.source['imported']}"
    counts = {name: n for name, n in prior.source.items() if isinstance(n, int)}
    return " and ".join(f"of {n:,} training {name}" for name, n in counts.items())
