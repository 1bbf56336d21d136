"""Features in the containers that models return them in: the tensors out, and others in again."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from torch import Tensor


def tensors_of(features: Any, name: str = "features") -> list[Tensor]:
    """Return the tensors in a container, in its order, those of a container inside in its place.

    Args:
        features: a tensor, or a sequence or mapping of tensors, sequences or mappings.
        name: what errors call it.

    Raises:
        TypeError: there is something else in it; it is named.
    """
    if isinstance(features, Tensor):
        return [features]
    if isinstance(features, Mapping):
        parts = [(f"{name}[{key!r}]", part) for key, part in features.items()]
    elif isinstance(features, Sequence) and not isinstance(features, (str, bytes)):
        parts = [(f"{name}[{index}]", part) for index, part in enumerate(features)]
    else:
        raise TypeError(
            f"{name} must be a tensor, or a sequence or mapping of tensors, "
            f"got {type(features).__name__}"
        )
    return [tensor for where, part in parts for tensor in tensors_of(part, where)]


def with_tensors(features: Any, tensors: Iterator[Tensor]) -> Any:
    """Return a container like `features` with other tensors, in the order of `tensors_of`.

    Lists, tuples and mappings keep their type, with what instances of their subclasses hold
    besides: named tuples their names, a `defaultdict` its default. Any other sequence becomes a
    list.

    Raises:
        TypeError: a mapping, no subclass of dict, that cannot be made from a dict.
    """
    if isinstance(features, Tensor):
        return next(tensors)
    if isinstance(features, Mapping):
        return _like_mapping(features, {k: with_tensors(v, tensors) for k, v in features.items()})
    parts = [with_tensors(part, tensors) for part in features]
    if hasattr(features, "_make"):
        return features._make(parts)
    if type(features) is list or not isinstance(features, (list, tuple)):
        return parts
    return type(features)(parts)


def _like_mapping(features: Mapping[Any, Any], values: dict[Any, Any]) -> Any:
    if type(features) is dict:
        return values
    if isinstance(features, dict):
        try:
            other = copy.copy(features)
        except TypeError:  # a constructor that asks for more than an OrderedDict's copy gives it
            other = type(features).__new__(type(features))
            other.__dict__.update(features.__dict__)
        # Item by item, as some keep their items as attributes, too.
        for key, value in values.items():
            other[key] = value
        return other
    try:
        return type(features)(values)  # type: ignore[call-arg]  # what is caught is that it has none
    except TypeError as error:
        raise TypeError(
            f"features are a {type(features).__name__}, which cannot be made from a dict "
            f"({error}): let the model return a dict"
        ) from None
