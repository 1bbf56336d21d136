"""The settings of a synthetic world, checked where a suite file has them."""

import json
from typing import Any

from pydantic import TypeAdapter, ValidationError

from lzu.datasets.synthetic.config import WorldConfig
from lzu.errors import UserError
from lzu.experiments.settings import Dataset

_WORLD = TypeAdapter(WorldConfig)


def check_world(dataset: Dataset) -> None:
    """Raise ValueError, with the key, for a world that cannot be made."""
    if dataset.synthetic is None:
        return
    if twice := {"height", "width"} & set(dataset.synthetic):
        raise ValueError(
            f"dataset.synthetic.{min(twice)}: it is dataset.native_size; remove it here"
        )
    values = _values(dataset)
    try:
        # as they were given: no value is taken for another type
        _WORLD.validate_json(json.dumps(values), strict=True)
        WorldConfig.from_dict(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise ValueError(
            f"dataset.synthetic.{key}: {first['msg']} (given: {first['input']!r})"
        ) from None
    except UserError as error:
        raise ValueError(f"dataset.synthetic: {error}") from None


def world_of(dataset: Dataset, task: str) -> WorldConfig:
    """The world to write at the dataset's root; UserError if its data is real."""
    if dataset.synthetic is None:
        raise UserError(
            f"{task}.dataset.synthetic: this suite uses real data, and has no world to write"
        )
    return WorldConfig.from_dict(_values(dataset))


def _values(dataset: Dataset) -> dict[str, Any]:
    height, width = dataset.native_size
    return {**(dataset.synthetic or {}), "height": height, "width": width}
