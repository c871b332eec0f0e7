"""The generated pages of docs/reference: written by `make docs`, compared by `make check`.

Run as `python -m tools.reference`; with `--check` it writes nothing and exits with 1 when a page isn't what the code gives.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tools.commands import Command, Parameter, commands

ROOT = Path(__file__).resolve().parent.parent
COMMAND_LINE = ROOT / "docs" / "reference" / "command-line.md"


def command_line() -> str:
    """The page of every command, its help, arguments and options."""
    from errata.cli.app import app  # here, so that the tools that need no program load without it

    sections = "\n".join(_section(command) for command in commands(app).values())
    return f"# The command line\n\nMade from the program by `make docs`; a check fails when it is stale.\n\n{sections}"


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


def main() -> int:
    page = command_line()
    if "--check" not in sys.argv[1:]:
        COMMAND_LINE.write_text(page, encoding="utf-8")
        print(f"Wrote {COMMAND_LINE.relative_to(ROOT)}")
        return 0
    if COMMAND_LINE.exists() and COMMAND_LINE.read_text(encoding="utf-8") == page:
        return 0
    print(f"{COMMAND_LINE.relative_to(ROOT)} isn't what the program says. Run: make docs")
    return 1


if __name__ == "__main__":
    sys.exit(main())
