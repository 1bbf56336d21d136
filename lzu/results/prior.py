"""The saliency prior on disk: an array with its parameters and its source (no torch)."""

import hashlib
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lzu.errors import UserError
from lzu.experiments.context import Context
from lzu.experiments.task import PriorSpec
from lzu.files import read_json, write_atomic, write_json


@dataclass(frozen=True)
class Prior:
    """A dataset-wide saliency map, or one for each camera.

    `saliency` is (1, 1, h, w), float32, positive, sum 1; or (n, 1, h, w), such maps one by one.
    `parameters` holds what it was made with (`native_size` (height, width) in pixels of the frame,
    lattice, and more) and `source` where from (dataset, split, fingerprint, number of boxes; and of
    several maps `maps`, the names of what they are of, in their order). An imported prior has the
    parameters of the one that it stands in for, of which lattice and size alone are known to be its
    own, and as its source the file (`imported`, `sha256`).
    """

    saliency: np.ndarray
    parameters: dict[str, Any]
    source: dict[str, Any]

    @property
    def digest(self) -> str:
        """A hash of the saliency's values."""
        return hashlib.sha256(self.saliency.tobytes()).hexdigest()

    @property
    def names(self) -> tuple[str, ...]:
        """What each map is of (a camera); empty if one map is of all."""
        return tuple(self.source.get("maps", ()))

    def map_of(self, name: str | None) -> np.ndarray:
        """The map (1, 1, h, w) of that name; that of all, if there is but one.

        Raises UserError if there are several, and none has the name.
        """
        if not self.names:
            return self.saliency
        if name not in self.names:
            raise UserError(f"the prior has no map of {name}, but of {', '.join(self.names)}")
        index = self.names.index(name)
        return self.saliency[index : index + 1]


def parameters_of(context: Context, spec: PriorSpec) -> dict[str, Any]:
    """What a prior is made with, as `Prior.parameters` has it; `fwhm` is the warp's."""
    made_with = spec.settings.model_dump(mode="json", exclude={"fwhm"})
    return {"native_size": list(context.settings.dataset.frame), **made_with}


def check_map(path: str | Path, values: np.ndarray, lattice: tuple[int, int]) -> np.ndarray:
    """The map of a file as a prior's saliency: (1, 1, h, w), float32, positive, sum 1.

    Args:
        values: (h, w), or with dimensions of 1 before them, of any real numbers above 0.
        lattice: (h, w) that the suite's prior has.

    Raises:
        UserError: for values of another shape, and for those that are not finite and positive.
    """
    outer, own = values.shape[:-2], values.shape[-2:]
    if len(own) != 2 or set(outer) - {1}:
        raise UserError(f"{path}: an array of shape {values.shape} is no one map of h x w cells")
    if tuple(own) != tuple(lattice):
        raise UserError(
            f"{path}: a map of {own[0]}x{own[1]} cells, but the suite's prior has "
            f"{lattice[0]}x{lattice[1]}: set prior.lattice to [{own[0]}, {own[1]}], or give another"
        )
    exact = values.astype(np.float64).reshape(1, 1, *own)
    wrong = ~(np.isfinite(exact) & (exact > 0))
    if wrong.any():
        row, column = np.argwhere(wrong[0, 0])[0]
        raise UserError(
            f"{path}: cell ({row}, {column}) is {exact[0, 0, row, column]:g}; saliency is finite "
            "and above 0 in every cell"
        )
    # divided by the largest first: a sum of finite numbers may be infinite
    scaled = exact / exact.max()
    found: np.ndarray = (scaled / scaled.sum()).astype(np.float32)
    if found.min() == 0:
        raise UserError(f"{path}: its least value, beside its largest, counts as 0")
    return found


def save_prior(path: str | Path, prior: Prior) -> None:
    """Write `prior` as an .npz file, atomically."""
    about = json.dumps({"parameters": prior.parameters, "source": prior.source}, sort_keys=True)
    with write_atomic(path) as temporary:
        np.savez_compressed(temporary, saliency=prior.saliency, about=np.array(about))


def save_provenance(path: str | Path, prior: Prior, provenance: dict[str, Any]) -> None:
    """Write beside a prior's file what made it: apart, because an equal prior is an equal file."""
    write_json(_beside(path), {"saliency": prior.digest, "provenance": provenance})


def provenance_of(path: str | Path) -> dict[str, Any] | None:
    """The provenance of the prior in a file; None if it is not known (of older versions).

    Raises UserError as `load_prior` does.
    """
    if not _beside(path).is_file():
        return None
    told = read_json(_beside(path))
    found: dict[str, Any] | None = told["provenance"]
    return found if told["saliency"] == load_prior(path).digest else None


def _beside(path: str | Path) -> Path:
    return Path(path).with_suffix(".provenance.json")


def load_prior(path: str | Path, native_size: tuple[int, int] | None = None) -> Prior:
    """Read a prior; with `native_size`, insist that it was made for images of that size.

    Raises UserError if the file is missing, is no prior, or was made for another image size.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            about = json.loads(str(archive["about"]))
            prior = Prior(archive["saliency"], about["parameters"], about["source"])
            made_for = tuple(prior.parameters["native_size"])
            if len(prior.saliency) != max(1, len(prior.names)):
                raise ValueError(f"{len(prior.saliency)} maps, {len(prior.names)} names")
    except FileNotFoundError:
        raise UserError(f"{path}: no such prior; make it with `lzu prior`") from None
    except (KeyError, TypeError, ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(
            f"{path}: not a prior ({error}); delete it and make it again with `lzu prior`"
        ) from None
    if native_size is not None and made_for != tuple(native_size):
        raise UserError(
            f"{path}: made for images of {made_for[1]}x{made_for[0]} pixels, but the dataset's are "
            f"{native_size[1]}x{native_size[0]}; make the prior from this dataset"
        )
    return prior
