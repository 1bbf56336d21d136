"""Which scenes a split has, as the devkit lists them."""

from lzu.datasets.nuscenes.layout import SPLITS, VERSIONS, official_split
from lzu.errors import UserError


def scene_names(version: str, split: str) -> frozenset[str]:
    """Names of the scenes of "train" or "val" of a version.

    Raises UserError for another version or split, and if nuscenes-devkit is not installed.
    """
    if version not in VERSIONS:
        raise UserError(
            f"nuScenes' version {version!r} cannot be used: those with public annotations of both "
            f"splits are {' and '.join(VERSIONS)}"
        )
    if split not in SPLITS:
        raise UserError(
            f"nuScenes' split {split!r} cannot be used: those with public annotations are "
            f"{' and '.join(SPLITS)}"
        )
    try:
        # Here, because it draws in all that the devkit can draw with.
        from nuscenes.utils import splits
    except ModuleNotFoundError as error:
        raise UserError(
            f"nuScenes' splits need {error.name}, which is not installed: pip install "
            "'lzu[nuscenes]'"
        ) from None
    return frozenset(getattr(splits, official_split(version, split)))
