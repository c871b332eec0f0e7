"""Options that several commands share, said once: a parameter whose type is a group of options stands for all of them.

    @dataclass(frozen=True)
    class Place(Options):
        store: Annotated[str, typer.Option("--store")] = "errata.db"
        branch: Annotated[str, typer.Option("--branch")] = "main"

    @grouped
    def show(place: Place = Place()) -> None: ...

takes `--store` and `--branch`, in that order, and is called with a `Place` of what was given.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from functools import wraps
from typing import Any, ParamSpec, TypeVar, get_type_hints

P = ParamSpec("P")
R = TypeVar("R")


class Options:
    """The mark of a group: a frozen dataclass of annotated options, each with a default."""


def grouped(command: Callable[P, R]) -> Callable[..., R]:
    """The command with every group of options among its parameters spread out, for typer to read.

    Args:
        command: a function whose groups have defaults; one option must not stand in two of them.
    """
    hints = get_type_hints(command, include_extras=True)
    groups = {name: hint for name, hint in hints.items() if name != "return" and _is_group(hint)}
    shown: list[inspect.Parameter] = []
    for name, parameter in inspect.signature(command).parameters.items():
        if name in groups:
            shown += _spread(groups[name])
        else:
            shown.append(parameter.replace(annotation=hints[name], kind=inspect.Parameter.KEYWORD_ONLY))

    @wraps(command)
    def called(**given: Any) -> R:
        made = {name: group(**_taken(given, group)) for name, group in groups.items()}
        return command(**given, **made)  # type: ignore[call-arg]  # what is left of `given` are the command's own

    called.__signature__ = inspect.Signature(shown)  # type: ignore[attr-defined]  # where inspect, and so typer, looks first
    called.__annotations__ = {each.name: each.annotation for each in shown}
    return called


def _is_group(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, Options) and is_dataclass(hint)


def _spread(group: Any) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(each.name, inspect.Parameter.KEYWORD_ONLY, default=each.default, annotation=hints[each.name])
        for each in fields(group)
    ]


def _taken(given: dict[str, Any], group: Any) -> Mapping[str, Any]:
    """What was given for a group's options, taken out."""
    return {each.name: given.pop(each.name) for each in fields(group) if each.name in given}
