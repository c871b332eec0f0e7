"""The command line as a table, read from the program itself, and the command lines that a text claims to be true."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import typer
from typer.core import TyperArgument, TyperGroup, TyperOption

_FENCE = re.compile(r"^ {0,3}(```+|~~~+)(.*)$")
_SPAN = re.compile(r"`([^`\n]+)`")


@dataclass(frozen=True)
class Parameter:
    """One option or argument, as `--help` shows it."""

    names: tuple[str, ...]
    """"--edits" and the like; for an argument its name in capitals."""

    takes_value: bool
    required: bool
    many: bool
    help: str
    default: str


@dataclass(frozen=True)
class Command:
    """One command, such as ("edit", "add")."""

    path: tuple[str, ...]
    help: str
    options: tuple[Parameter, ...]
    arguments: tuple[Parameter, ...]

    def complaint(self, words: list[str], *, whole: bool) -> str | None:
        """Why these words can't follow the command, or None when they can; unless they are the whole line, some may be missing."""
        named = {name: option for option in self.options for name in option.names}
        seen: set[Parameter] = set()
        free = 0
        queue = list(words)
        while queue:
            word = queue.pop(0)
            if not word.startswith("-") or word == "-":
                free += 1
                continue
            name, _, value = word.partition("=")
            if name == "--help":
                return None
            if name not in named:
                return f"no option {name}"
            seen.add(named[name])
            if named[name].takes_value and not value:
                if not queue and whole:
                    return f"{name} needs a value"
                queue = queue[1:]
        if not whole:
            return None
        least = sum(argument.required for argument in self.arguments)
        most = None if any(argument.many for argument in self.arguments) else len(self.arguments)
        if free < least or (most is not None and free > most):
            takes = str(least) if most == least else f"{least} to {'any number' if most is None else most}"
            return f"{free} arguments where it takes {takes}"
        missing = [option.names[0] for option in self.options if option.required and option not in seen]
        return f"{', '.join(missing)} missing" if missing else None


def commands(app: typer.Typer) -> dict[tuple[str, ...], Command]:
    """Every command of the program, in the order in which `--help` lists them."""
    found: dict[tuple[str, ...], Command] = {}

    def walk(node: object, path: tuple[str, ...]) -> None:
        if isinstance(node, TyperGroup):
            if path and node.invoke_without_command:
                found[path] = told(node, path)
            for name, child in node.commands.items():
                walk(child, (*path, name))
            return
        assert isinstance(node, typer.core.TyperCommand), f"{path} is neither a command nor a group"
        found[path] = told(node, path)

    def told(node: TyperGroup | typer.core.TyperCommand, path: tuple[str, ...]) -> Command:
        options = tuple(_option(param) for param in node.params if isinstance(param, TyperOption))
        arguments = tuple(_argument(param) for param in node.params if isinstance(param, TyperArgument))
        return Command(path, (node.help or "").strip(), options, arguments)

    walk(typer.main.get_command(app), ())
    return found


def _option(param: TyperOption) -> Parameter:
    takes_value = not (param.is_flag or param.count)
    default = "" if param.required or param.default is None or param.default in ((), [], False) else str(param.default)
    return Parameter(
        (*param.opts, *param.secondary_opts), takes_value, bool(param.required), param.multiple, param.help or "", default
    )


def _argument(param: TyperArgument) -> Parameter:
    name = (param.metavar or str(param.name)).upper()
    return Parameter((name,), True, bool(param.required), param.nargs == -1, param.help or "", "")


class Claim(NamedTuple):
    """A page says that this command can be typed."""

    line: int
    words: str
    whole: bool
    """A line of a code block, to be typed as it stands; a code span in a sentence may leave arguments out."""


def claims(markdown: str) -> Iterator[Claim]:
    """Each `errata ...` command in a page: lines of code blocks, and code spans."""
    fence = ""
    pending, started = "", 0
    for number, line in enumerate(markdown.splitlines(), start=1):
        marker = _FENCE.match(line)
        if marker and (not fence or (line.strip() == fence[0] * len(line.strip()) and len(line.strip()) >= len(fence))):
            fence, pending = ("" if fence else marker[1]), ""
        elif not fence:
            yield from (Claim(number, span, whole=False) for span in _SPAN.findall(line) if span.startswith("errata "))
        else:
            words = f"{pending} {line.strip()}" if pending else line.strip().removeprefix("$ ").removeprefix(".venv/bin/")
            started = started if pending else number
            pending = words.removesuffix("\\").strip() if words.endswith("\\") else ""
            if not pending and words.startswith("errata "):
                yield Claim(started, words, whole=True)


def complaint(words: str, known: dict[tuple[str, ...], Command], *, whole: bool = True) -> str | None:
    """Why a claimed command line isn't one, or None when it is. What follows a pipe or a redirection isn't ours to judge."""
    parts = shlex.split(words, comments=True)[1:]
    for stop in ("|", ">", ">>", "&&", ";", "2>"):
        parts = parts[: parts.index(stop)] if stop in parts else parts
    groups = {path[:length] for path in known for length in range(len(path))}
    for length in (2, 1):
        if tuple(parts[:length]) in known:
            return known[tuple(parts[:length])].complaint(parts[length:], whole=whole)
    head = tuple(part for part in parts if not part.startswith("-"))
    if head in groups and all(part in ("--help", "--version", *head) for part in parts):
        return None
    return f"no command {' '.join(('errata', *parts[:2]))}"
