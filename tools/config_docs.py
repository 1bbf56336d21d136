"""Writes config/README.md, the list of every key of a suite file, from the settings' own types.

python tools/config_docs.py            write it
python tools/config_docs.py --check    say whether it is up to date
"""

from __future__ import annotations

import argparse
import inspect
import math
import re
import sys
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import yaml
from annotated_types import Ge, Gt, Le, Lt, MinLen, MultipleOf
from pydantic import BaseModel
from pydantic.fields import FieldInfo

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from lzu.datasets.synthetic.config import WorldConfig  # noqa: E402
from lzu.experiments.methods import METHODS  # noqa: E402
from lzu.experiments.settings import Dataset, TaskSettings  # noqa: E402
from lzu.experiments.suite import Suite  # noqa: E402
from lzu.experiments.task import Task  # noqa: E402
from lzu.tasks import TASKS  # noqa: E402

CONFIG = ROOT / "config"
README = CONFIG / "README.md"

INTRODUCTION = """\
# Suite files

<!-- Written by tools/config_docs.py from the settings' types and docstrings: do not edit. -->

A suite file says what is computed: on which data, with which model, schedule and methods, at which
scales and with which seeds. It is checked before anything runs; a key that does not exist, or a
value that does not fit, is named with what is wrong with it. Run one with
`snakemake --configfile config/NAME.yaml`, see what it plans with `-n`, and what of it is made with
`lzu list --config config/NAME.yaml`. These ship:

{suites}

Threads, memory, GPUs and partitions are no part of a suite: they stand in `profiles/`.

A key that is left out has its default, the paper's value where the paper gives one; "(paper: A.6)"
says where. Weights are made again if a setting changes that they depend on, and only then: other
methods' settings, the timing's, the seeds and where the data lies are none. What a suite makes lies
in `results/NAME/`.

A suite may choose a config that ships in an mm* package (`model.base`), classes that are registered
there and their arguments (`model.overrides`, `schedule.optimizer`), folders that are written to,
and files and addresses from which data and weights are read. It may not import anything by a path,
read another config, evaluate a text or load more than weights from a checkpoint; what tries to is
refused before anything is built. **Still, run only suites that you trust:** the registered classes
are many and not ours, and what a suite names is written, read and fetched.
"""


def document() -> str:
    """The whole of config/README.md."""
    sections = [INTRODUCTION.format(suites=_suites()), _top()]
    for task in TASKS.values():
        sections += _task(task)
    return "\n".join(section.rstrip() + "\n" for section in sections)


def _suites() -> str:
    """A line a suite file: the first sentence of its first comment."""
    lines = []
    for path in sorted(CONFIG.glob("*.yaml")):
        comment = []
        for line in path.read_text(encoding="utf-8").splitlines():
            if not line.startswith("# "):
                break
            comment.append(line[2:])
        sentence = re.split(r"(?<=\.)\s+(?=[A-Z])", " ".join(comment))[0]
        lines.append(f"- `{path.name}`: {sentence[0].lower()}{sentence[1:]}")
    return "\n".join(lines)


def _top() -> str:
    rows = [_row(name, field) for name, field in Suite.model_fields.items()]
    for task in TASKS.values():
        rows.append(f"| `{task.name}` | [block](#{task.name}) or null | `null` | {task.title} |")
    return _section(2, "Top-level keys", "At least one task's block must be there.", _table(rows))


def _task(task: Task) -> Iterator[str]:
    yield _section(2, task.name, task.settings.__doc__, _keys(task.settings, task.name))
    yield _methods(task.settings)
    yield from _blocks(task.settings, task.name)


def _blocks(kind: type[BaseModel], above: str) -> Iterator[str]:
    """A section for each block in a block, in their order."""
    for name, field in kind.model_fields.items():
        block = _block_of(field.annotation)
        if block is None:
            continue
        path = _path(above, name, field)
        yield _section(3, path, block.__doc__, _keys(block, path))
        if issubclass(block, Dataset):
            doc = "The synthetic world to write. Its height and width follow from `native_size`."
            yield _section(3, f"{path}.synthetic", doc, _world())
        yield from _blocks(block, path)


def _path(above: str, name: str, field: FieldInfo) -> str:
    """A block's dotted path; where there is one for each name that the user gives, so it says."""
    return f"{above}.{name}" + (".METHOD" if get_origin(field.annotation) is dict else "")


def _block_of(kind: Any) -> type[BaseModel] | None:
    """The block that a key holds: itself, or null, or one a name."""
    for one in (kind, *get_args(kind)):
        if isinstance(one, type) and issubclass(one, BaseModel):
            return one
    return None


def _section(level: int, path: str, doc: str | None, table: str) -> str:
    return "\n\n".join([f"{'#' * level} {path}", inspect.cleandoc(doc or ""), table])


def _methods(settings: type[TaskSettings]) -> str:
    lines = ["Its methods:", "", "| method | label | own settings |", "|---|---|---|"]
    for method in (METHODS[name] for name in settings.offered):
        field = settings.model_fields.get(method.block or "")
        own = "none" if field is None else f"`{method.block}`"
        keys = () if field is None else type(field.default).model_fields
        own += "".join(f", without `{key}`" for key in method.drops if key in keys)
        lines.append(f"| `{method.name}` | {method.label} | {own} |")
    return "\n".join(lines)


def _keys(kind: type[BaseModel], path: str) -> str:
    return _table([_row(name, field, path) for name, field in kind.model_fields.items()])


def _row(name: str, field: FieldInfo, above: str = "") -> str:
    block = _block_of(field.annotation)
    meaning = field.description or ""
    if block is None:
        words, default = in_words(field.annotation, tuple(field.metadata)), field.default
    else:
        words, default = f"[block]({_anchor(_path(above, name, field))})", field.default
        if get_origin(field.annotation) is dict:
            words = f"{words} for each method"
        if type(None) in get_args(field.annotation):
            words = f"{words} or null"
        meaning = meaning or re.split(r"\.\s", inspect.cleandoc(block.__doc__ or ""))[0]
    if field.is_required():
        shown = "**required**"
    else:
        shown = "its keys' defaults" if isinstance(default, BaseModel) else f"`{_shown(default)}`"
    return f"| `{name}` | {_cell(words)} | {_cell(shown)} | {_cell(meaning)} |"


def _anchor(heading: str) -> str:
    """The address of a heading, as GitHub makes it."""
    return "#" + re.sub(r"[^a-z0-9_-]", "", heading.lower())


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").removesuffix(".")


def _table(rows: list[str]) -> str:
    return "\n".join(["| key | type | default | meaning |", "|---|---|---|---|", *rows])


def _shown(value: Any) -> str:
    """A default as a suite file would have it."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, tuple):
        value = [int(x) if isinstance(x, float) and x.is_integer() else x for x in value]
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=math.inf)
    return text.removesuffix("\n").removesuffix("\n...").strip()


def in_words(kind: Any, limits: tuple[Any, ...] = (), plural: bool = False) -> str:
    """A type as a reader says it: "number > 0", "two whole numbers", "list of texts"."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return in_words(inner[0], (*inner[1:], *limits), plural)
    limits = tuple(_flat(limits))
    if origin in (Union, types.UnionType):
        words = [in_words(one, limits) for one in inner if one is not type(None)]
        return " or ".join([*words, *(["null"] if type(None) in inner else [])])
    if origin is Literal:
        return " or ".join(f"`{one}`" for one in inner)
    if origin is tuple and inner[-1] is ...:
        some = "non-empty list of" if any(isinstance(x, MinLen) for x in limits) else "list of"
        return f"{some} {in_words(inner[0], plural=True)}"
    if origin is tuple:
        words = [in_words(one, plural=True) for one in inner]
        if len(words) != 2 or words[0] != words[1]:
            raise TypeError(f"no words for {kind}")
        return f"two {words[0]}"
    if origin in (dict, Mapping):
        own = "" if inner == (str, Any) else f" of {in_words(inner[0])} to {in_words(inner[1])}"
        return f"mapping{'s' if plural else ''}{own}"
    names = {str: "text", bool: "true or false", int: "whole number", float: "number"}
    if kind not in names:
        raise TypeError(f"no words for {kind}")
    if kind is bool:
        return names[kind]
    return f"{names[kind]}{'s' if plural else ''}{_bounds(limits)}"


def _flat(limits: tuple[Any, ...]) -> Iterator[Any]:
    for one in limits:
        yield from _flat(tuple(one.metadata)) if isinstance(one, FieldInfo) else (one,)


def _bounds(limits: tuple[Any, ...]) -> str:
    """What of a value's limits can be said shortly."""
    signs = ((Ge, "ge", "≥"), (Gt, "gt", ">"), (Le, "le", "≤"), (Lt, "lt", "<"))
    found = " and".join(
        f" {sign} {getattr(one, name):g}"
        for kind, name, sign in signs
        for one in limits
        if isinstance(one, kind)
    )
    for one in limits:
        if isinstance(one, MultipleOf):
            found += f", a multiple of {one.multiple_of:g}"
        pattern = getattr(one, "pattern", None)
        if pattern is not None:
            found += f" of the form `{pattern}`"
    return found


def _world() -> str:
    """The keys of a synthetic world, which its docstring explains."""
    meanings = world_keys()
    hints = get_type_hints(WorldConfig)
    rows = []
    for name, default in WorldConfig().to_dict().items():
        if name not in ("width", "height"):
            words = _cell(in_words(hints[name]))
            rows.append(f"| `{name}` | {words} | `{_shown(default)}` | {_cell(meanings[name])} |")
    return _table(rows)


def world_keys() -> dict[str, str]:
    """Key of a synthetic world -> its meaning, from the docstring of `WorldConfig`."""
    text = inspect.cleandoc(WorldConfig.__doc__ or "")
    attributes = text.split("Attributes:\n")[1].split("\nRaises:")[0]
    found: dict[str, str] = {}
    for entry in re.split(r"\n(?=    \S)", attributes.rstrip()):
        names, _, meaning = entry.strip().partition(": ")
        for name in names.split(", "):
            found[name] = meaning
    return {name: meaning.replace("None", "null") for name, meaning in found.items()}


def main(arguments: list[str] | None = None, path: Path = README) -> int:
    """Write the file, or check it; 1 if it is not up to date."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing")
    options = parser.parse_args(arguments)
    text = document()
    if not options.check:
        path.write_text(text, encoding="utf-8")
        return 0
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return 0
    print(f"{path}: not what the settings say; run python tools/config_docs.py", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
