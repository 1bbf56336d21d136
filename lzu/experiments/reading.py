"""Reading suite files strictly: nothing in them is taken for something else than it says.

YAML is read by its 1.2 core rules, not 1.1's: `yes` and `no` are texts, `010` and `1:30` no numbers
and `1e-3` is one; infinities and NaN are none. A key that stands twice is an error, in JSON too.
"""

import json
import os
import re
from pathlib import Path
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode

from lzu.errors import UserError
from lzu.experiments.nested import walk

MOST_VALUES = 100_000
MOST_BYTES = 4 * 2**20


def read_settings(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The content of a suite file, YAML or JSON (by its suffix).

    Raises UserError, of one line that names the file, if it is missing, no file, too large, not
    UTF-8, not valid, has a key twice (with its line), nests too deeply, or is no mapping.
    """
    path = Path(path)
    kind = "JSON" if path.suffix == ".json" else "YAML"
    try:
        # JSON is read as such: its texts need no rules.
        text = _text(path)
        settings = _json(text) if kind == "JSON" else yaml.load(text, Loader=_Loader)
        _count(settings)
    except RecursionError:
        raise UserError(f"{path}: nested too deeply to be a suite file") from None
    except (yaml.YAMLError, ValueError) as error:
        raise UserError(f"{path}: not valid {kind}: {' '.join(str(error).split())}") from None
    if not isinstance(settings, dict):
        found = "empty" if settings is None else f"a {type(settings).__name__}"
        raise UserError(f"{path}: a suite file is a mapping of keys, and this is {found}")
    return settings


def read_words(value: Any) -> Any:
    """What a value of Snakemake's `--config` says.

    Within its lists and mappings Snakemake leaves every value as the text that it was; here such a
    text is read as in a suite file.

    >>> read_words({"seeds": ["0", "no"]})
    {'seeds': [0, 'no']}
    """
    if isinstance(value, dict):
        return {key: _word(item) for key, item in value.items()}
    return [_word(item) for item in value] if isinstance(value, list) else value


def _word(value: Any) -> Any:
    if not isinstance(value, str):
        return read_words(value)
    loader: Any = _Loader("")
    tag = loader.resolve(ScalarNode, value, (True, False))
    scalar = tag.rpartition(":")[2] in ("null", "bool", "int", "float")
    return loader.construct_object(ScalarNode(tag, value)) if scalar else value


def _text(path: Path) -> str:
    try:
        size = path.stat().st_size
        if path.is_dir():
            raise UserError(f"{path}: is a folder; name a suite file, such as config/demo.yaml")
        if not path.is_file():
            raise UserError(f"{path}: is no regular file; name a suite file")
        if size > MOST_BYTES:
            raise UserError(f"{path}: {size} bytes are too many for a suite file")
        return path.read_bytes().decode("utf-8-sig")
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(f"{path}: no such suite file; see config/ for those that ship") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: is not in UTF-8; save it as UTF-8 text") from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise UserError(f"{str(path)!r}: cannot be read ({why})") from None


def _json(text: str) -> Any:
    return json.loads(text, object_pairs_hook=_once, parse_constant=_refuse_constant)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    forms: set[Any] = set()
    for key, _ in pairs:
        if (form := _form(key)) in forms:
            raise ValueError(f"the key {key!r} stands twice in one block; remove one")
        forms.add(form)
    return dict(pairs)


def _form(key: Any) -> Any:
    """Equal for keys that mean the same: a number is one however it is written, as text too."""
    try:
        return float(key)
    except (TypeError, ValueError, OverflowError):
        return key


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no number that a setting can have")


def _count(settings: Any) -> None:
    """Refuse aliases that expand to more than any suite has."""
    for number, _ in enumerate(walk(settings)):
        if number > MOST_VALUES:
            raise ValueError(f"more than {MOST_VALUES} values, perhaps by aliases of aliases")


class _Loader(yaml.SafeLoader):
    """PyYAML's, with the rules of YAML 1.2 for plain scalars, and keys that stand once."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        if not isinstance(node, MappingNode):
            raise yaml.constructor.ConstructorError(
                None, None, "expected a mapping", node.start_mark
            )
        lines: dict[Any, int] = {}
        for key, _ in node.value:
            if not isinstance(key, ScalarNode):
                raise yaml.constructor.ConstructorError(
                    None, None, "a key is a single word or number", key.start_mark
                )
            name = self.construct_object(key)
            line = key.start_mark.line + 1
            form = _form(name)
            if form in lines:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {name!r} stands twice, in lines {lines[form]} and {line}"
                )
            lines[form] = line
        return super().construct_mapping(node, deep)


def _refuse_tag(loader: _Loader, suffix: str, node: Node) -> None:
    raise yaml.constructor.ConstructorError(
        None, None, f"tags such as {node.tag!r} are not read", node.start_mark
    )


_Loader.yaml_implicit_resolvers = {}  # none of YAML 1.1's
_INTEGER, _FLOAT = r"[-+]?(?:0|[1-9][0-9]*)", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)"
for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL", "~nN"),
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", _INTEGER, "-+0123456789"),
    # A zero before other digits is an octal number to one reader and a decimal one to another.
    ("float", rf"(?![-+]?0[0-9]){_FLOAT}(?:[eE][-+]?[0-9]+)?", "-+.0123456789"),
):
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}",
        re.compile(rf"^(?:{_pattern})$"),
        list(_first),
    )
_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^$"), [""])
_Loader.add_implicit_resolver("tag:yaml.org,2002:merge", re.compile(r"^<<$"), ["<"])
_Loader.add_multi_constructor("tag:yaml.org,2002:python/", _refuse_tag)
_Loader.add_multi_constructor("!", _refuse_tag)


def _construct_int(loader: _Loader, node: Any) -> int:
    return int(loader.construct_scalar(node))


def _construct_float(loader: _Loader, node: Any) -> float:
    return float(loader.construct_scalar(node))


_Loader.add_constructor("tag:yaml.org,2002:int", _construct_int)
_Loader.add_constructor("tag:yaml.org,2002:float", _construct_float)
