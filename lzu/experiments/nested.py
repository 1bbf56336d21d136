"""Walking through settings that are nested in each other."""

from collections.abc import Iterator
from typing import Any


def walk(value: Any, path: str = "", key: str = "") -> Iterator[tuple[str, str, Any]]:
    """Every value in nested dictionaries, lists and tuples, `value` first and outer before inner.

    With each comes its path and the last key of that; an item of a list has the list's key.

    >>> list(walk({"a": [1, {"b": 2}]}))[2:]
    [('a[0]', 'a', 1), ('a[1]', 'a', {'b': 2}), ('a[1].b', 'b', 2)]
    """
    yield path, key, value
    if isinstance(value, dict):
        for name, item in value.items():
            yield from walk(item, f"{path}.{name}" if path else str(name), str(name))
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from walk(item, f"{path}[{index}]", key)
