"""The generated pages of docs/reference: written by `make docs`, compared by `make check`.

Run as `python -m tools.reference`; with `--check` it writes nothing and exits with 1 when a page isn't what the code gives.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import errata
from tools.commands import Command, Parameter, commands

_PYTHON = """# The Python interface

Made from the program by `make docs`; a check fails when it is stale. Everything is in `import errata`, which loads nothing until a
name is used; torch comes with `errata.open` and `errata.bench`. Errors are of one tree: `except errata.ErrataError` catches all.

A `Picture` is an `errata.Image` or a path; a `Question` is words or an `errata.Query`.
"""

_WIDE = 110
"""Characters of a call that stands on one line."""

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "docs" / "reference"


def command_line() -> str:
    """The page of every command, its help, arguments and options."""
    from errata.cli.app import program  # here, so that the tools that need no program load without it

    sections = "\n".join(_section(command) for command in commands(program()).values())
    return f"# The command line\n\nMade from the program by `make docs`; a check fails when it is stale.\n\n{sections}"


def editors() -> str:
    """The page of every editor: its fields, what each is, its default, and its value in each preset."""
    from errata.editors import EDITORS
    from errata.editors.scopeedit.editor import PRESETS

    presets: dict[str, Mapping[str, Any]] = {"scopeedit": {name: preset for name, preset in PRESETS.items() if name != "default"}}
    sections = "\n".join(_editor(name, kind, presets.get(name, {})) for name, kind in EDITORS.items())
    return f"# The editors\n\nMade from the program by `make docs`; a check fails when it is stale.\n\n{sections}"


def python() -> str:
    """The page of the Python interface: every public name of `errata` with its signature and what it says of itself."""
    functions = [name for name in errata.__all__ if inspect.isfunction(_public(name))]
    classes = [name for name in errata.__all__ if inspect.isclass(_public(name))]
    rest = [name for name in errata.__all__ if name not in (*functions, *classes)]
    first = ["open", "Session", "bench"]
    order = [*first, *(name for name in (*functions, *classes) if name not in first)]
    constants = "\n".join(f"- `errata.{name}`: `{_public(name)!r}`" for name in rest)
    return "\n".join([_PYTHON, *(_documented(name) for name in order), f"## Constants\n\n{constants}\n"])


def _public(name: str) -> Any:
    return getattr(errata, name)


def _documented(name: str) -> str:
    """A section on a public function, or on a class with its fields and methods."""
    value = _public(name)
    if not inspect.isclass(value):
        return "\n".join([f"## errata.{name}", "", *_call(name, value), ""])
    lines = [f"## errata.{name}", "", "```text", *inspect.cleandoc(value.__doc__ or "").splitlines(), "```", ""]
    if is_dataclass(value):
        said = _said(value)
        shown = [each for each in fields(value) if not each.name.startswith("_")]
        rows = [(each.name, str(each.type).replace("|", "\\|"), said.get(each.name, "")) for each in shown]
        rows += [(each, "property", " ".join(text.split()).replace("|", "\\|")) for each, text in _properties(value)]
        lines += ["| field | type | |", "|---|---|---|", *(f"| `{name}` | `{kind}` | {text} |" for name, kind, text in rows), ""]
    for method, held in vars(value).items():
        function = held.__func__ if isinstance(held, staticmethod) else held
        if not method.startswith("_") and inspect.isfunction(function) and function.__doc__ and name in _WITH_METHODS:
            lines += [f"### {name}.{method}", "", *_call(method, function), ""]
    return "\n".join(lines)


def _properties(kind: type) -> list[tuple[str, str]]:
    """The public properties of a class that say what they are."""
    held = [(name, value.__doc__ or "") for name, value in vars(kind).items() if isinstance(value, property | cached_property)]
    return [(name, text) for name, text in held if text and not name.startswith("_")]


_WITH_METHODS = ("Session", "Query", "Image", "Audit")
"""Classes whose methods are a user's own business; of the rest the fields are."""


def _call(name: str, function: Any) -> list[str]:
    """How a function is called, an argument to a line where they don't fit one, and what it says of itself."""
    parameters = [each for each in inspect.signature(function).parameters.values() if each.name != "self"]
    given, starred = list[str](), False
    for each in parameters:
        if each.kind is each.KEYWORD_ONLY and not starred:
            given, starred = [*given, "*"], True
        default = "" if each.default is each.empty else f" = {each.default!r}"
        star, starred = ("*", True) if each.kind is each.VAR_POSITIONAL else ("", starred)
        given.append(f"{star}{each.name}: {each.annotation}{default}")
    back = f" -> {inspect.signature(function).return_annotation}"
    line = f"{name}({', '.join(given)}){back}"
    shown = [line] if len(line) <= _WIDE else [f"{name}(", *(f"    {each}," for each in given), f"){back}"]
    return ["```python", *shown, "```", "", "```text", *inspect.cleandoc(function.__doc__ or "").splitlines(), "```"]


def _editor(name: str, kind: type, presets: Mapping[str, Any]) -> str:
    module = sys.modules[kind.__module__]
    lines = [f"## {name}", "", *inspect.cleandoc(module.__doc__ or "").splitlines(), ""]
    said = _said(kind)
    rows = [
        f"| `{each.name}` | {said[each.name]} | `{each.default}` |"
        + "".join(f" `{vars(preset)[each.name]}` |" for preset in presets.values())
        for each in fields(kind)
        if each.name in said
    ]
    if rows:
        lines += [
            "| field | | default |" + "".join(f" {preset} |" for preset in presets),
            "|---|---|---|" + "---|" * len(presets),
            *rows,
            "",
        ]
    return "\n".join(lines)


def _said(kind: type) -> dict[str, str]:
    """Field -> the docstring beneath it."""
    body = ast.parse(inspect.cleandoc(inspect.getsource(kind))).body[0]
    assert isinstance(body, ast.ClassDef), "an editor is a class"
    found = {}
    for field, below in zip(body.body, body.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(below, ast.Expr):
            text = ast.literal_eval(below.value)
            found[field.target.id] = " ".join(str(text).split()).replace("|", "\\|")
    return {name: text for name, text in found.items() if name != "pool"}


def _section(command: Command) -> str:
    usage = " ".join(["errata", *command.path, *(name for argument in command.arguments for name in argument.names)])
    lines = [f"## {' '.join(('errata', *command.path))}", ""]
    lines += ["```text", *_help(command.help), "```", "", f"Usage: `{usage}{' [OPTIONS]' if command.options else ''}`", ""]
    rows = [_row(parameter) for parameter in (*command.arguments, *command.options)]
    if rows:
        lines += ["| | | default |", "|---|---|---|", *rows, ""]
    return "\n".join(lines)


def _help(text: str) -> list[str]:
    """The help as a terminal shows it: the marks that keep lines apart are for the terminal only."""
    lines = [line.rstrip() for line in text.replace("\b", "").replace("\f", "").splitlines()]
    return [line for line, before in zip(lines, ["", *lines], strict=False) if line or before]


def _row(parameter: Parameter) -> str:
    names = ", ".join(f"`{name}`" for name in parameter.names)
    default = "required" if parameter.required else f"`{parameter.default}`" if parameter.default else ""
    words = " ".join(parameter.help.split()).replace("|", "\\|")
    return f"| {names} | {words} | {default} |"


def stale() -> dict[Path, str]:
    """Each generated page that isn't what the program says, with what it should be."""
    pages = {
        REFERENCE / "command-line.md": command_line(),
        REFERENCE / "editors.md": editors(),
        REFERENCE / "python.md": python(),
    }
    return {path: page for path, page in pages.items() if not path.exists() or path.read_text(encoding="utf-8") != page}


def main() -> int:
    old = stale()
    for path, page in old.items():
        if "--check" in sys.argv[1:]:
            print(f"{path.relative_to(ROOT)} isn't what the program says. Run: make docs")
        else:
            path.write_text(page, encoding="utf-8")
            print(f"Wrote {path.relative_to(ROOT)}")
    return 1 if old and "--check" in sys.argv[1:] else 0


if __name__ == "__main__":
    sys.exit(main())
