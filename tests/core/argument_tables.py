"""What is wrong with an argument, by its kind: for tables of all that public functions take.

A kind is a function from a good value to bad ones. `assert_refused` holds each to one clear error.
"""

import inspect
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch

import lzu

HOME = str(Path(lzu.__file__).parent)
NAN, INF = float("nan"), float("inf")
# Of no shape or value that could be wrong: flags are taken for their truth.
UNCHECKED = {"device", "dtype"}

Kind = Callable[[Any], list]


@dataclass(frozen=True)
class Row:
    """A public function: arguments that it takes, and the kind of each.

    Attributes:
        call: the function, or a bound method.
        good: name -> value, of all arguments that have a kind.
        kinds: name -> kind, or None for one that any object may be.
        names: name -> what its errors call it, where they say another name.
    """

    call: Callable
    good: dict[str, Any]
    kinds: dict[str, Kind | None]
    names: dict[str, str] = field(default_factory=dict)


def shape(*, last: bool = False, empty: bool = True, integers: bool = False) -> Kind:
    """A tensor of a certain rank: with a fixed last side, at least one item, or of integers."""

    def bad(good: torch.Tensor) -> list:
        values = [good[0], good[None], "text", None, 3, good.to(torch.complex64), good.bool()]
        values += [good.float()] if integers else [good.to(torch.int16)]
        values += [good[..., :-1]] if last else []
        return values + ([good[:0]] if empty else [])

    return bad


def finite(kind: Kind) -> Kind:
    """As `kind`, and a NaN or an infinity is refused, too."""

    def bad(good: torch.Tensor) -> list:
        broken = []
        for value in (NAN, INF):
            copy = good.clone()
            copy.view(-1)[-1] = value
            broken.append(copy)
        return [*kind(good), *broken]

    return bad


def items(columns: int) -> Kind:
    """Boxes (n, columns), (B, n, columns) or a list."""

    def bad(good: torch.Tensor) -> list:
        broken = []
        for value in (NAN, INF):
            copy = good.clone()
            copy[-1, 0] = value
            broken.append([good, copy])
        wrong = [
            good[0],
            good[None, None],
            good[None, :0][:0],
            good[:, :-1],
            [good[None]],
            [good[0]],
        ]
        return [*wrong, *broken, [], "text", None, 3, good.bool(), good.tolist(), [good, None]]

    return bad


def positive(_: Any) -> list:
    return [0, -1, NAN, INF, "1", None, True, (1,), torch.ones(2), 1j, 10**400]


def fraction(_: Any) -> list:
    return [0, -0.5, 1.5, NAN, "0.5", None, True, torch.ones(2)]


def count(minimum: int) -> Kind:
    return lambda _: [minimum - 1, 2.5, NAN, INF, "1", None, True, torch.ones(2)]


def integer(_: Any) -> list:
    return [2.5, NAN, "1", True, torch.ones(2)]


def size(minimum: int, *, optional: bool = False) -> Kind:
    low = minimum - 1
    wrong = [5, (8,), (8, 9, 10), (low, 8), (8, low), (-1, 8), (8, 8.5), (8, NAN), (INF, 8)]
    wrong += ["88", ("8", "9"), (True, 8), torch.tensor([8.5, 9])]
    return lambda _: [*wrong, *([] if optional else [None])]


def extent(_: Any) -> list:
    return [5, (3,), (3, 4, 5), (0, 3), (3, -1), (NAN, 3), (3, INF), "34", ("3", "4"), (True, 3)]


def choice(_: Any) -> list:
    return ["other", None, 3]


def strict(*bad: Any) -> Kind:
    """Just these."""
    return lambda _: list(bad)


def parameters(call: Callable) -> set[str]:
    """Return the names of the arguments that must have a kind."""
    return {
        name
        for name, parameter in inspect.signature(call).parameters.items()
        if name not in UNCHECKED
        and not isinstance(parameter.default, bool)
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    }


def public_calls(name: str, value: Any) -> dict[str, Any]:
    """Return a function, or the constructor and public methods that a class defines itself."""
    if not inspect.isclass(value):
        return {name: value}
    calls = {name: value} if "__init__" in vars(value) else {}
    for method, member in vars(value).items():
        function = getattr(member, "__func__", member)
        hidden = method.startswith("_") or method == "extra_repr"
        if inspect.isfunction(function) and not hidden:
            calls[f"{name}.{method}"] = function
    return calls


def cases(table: dict[str, Row]) -> list:
    """Return a case, for `pytest.mark.parametrize`, for each argument of each row."""
    return [
        pytest.param(row, argument, id=f"{name}-{argument}")
        for name, row in table.items()
        for argument, kind in row.kinds.items()
        if kind is not None
    ]


def assert_refused(row: Row, argument: str) -> None:
    """Each bad value of the argument gives an error of ours that names it; the good one, none."""
    row.call(**row.good)
    kind = row.kinds[argument]
    assert kind is not None
    for bad in kind(row.good.get(argument)):
        shown = f"{argument}={tuple(bad.shape) if isinstance(bad, torch.Tensor) else bad}"
        error = refusal(row, argument, bad)
        assert error is not None, f"{shown} was taken"
        assert row.names.get(argument, argument) in str(error), f"{shown}: {error}"
        last = traceback.extract_tb(error.__traceback__)[-1]
        assert last.filename.startswith(HOME), f"{shown}: {error}"


def refusal(row: Row, argument: str, bad: Any) -> TypeError | ValueError | None:
    """Return the error for a bad value of an argument; None if there is none."""
    try:
        row.call(**{**row.good, argument: bad})
    except (TypeError, ValueError) as error:
        return error
    return None
