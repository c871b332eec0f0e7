"""Rules, recent and ordinary questions, times and lists of names as commands are given them."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from errata.core.errors import BadInput
from errata.core.given import words
from errata.core.records import Query, instant

if TYPE_CHECKING:
    from errata.core.rules import Rules as RulesValue

Rules = Annotated[
    Path | None,
    typer.Option("--rules", help="A rules file that the edit must not break; docs/reference/rules-file.md has its form."),
]
Recent = Annotated[
    Path | None,
    typer.Option(
        "--recent", help="A file of recent questions (errata ask --remember FILE): with --dry-run, what would move among them."
    ),
]

Pool = Annotated[
    str | None,
    typer.Option(
        "--pool",
        metavar="FILE",
        help="For a new branch: ordinary questions whose answers an editor like scopeedit keeps off (errata ask --remember FILE, "
        "or a .txt with one to a line); none: no such questions. Not given: some are made for the model.",
    ),
]


def pool_for(text: str | None, *, but: Collection[Query] = ()) -> list[Query] | None:
    """The ordinary questions that a new branch is given: those in a file, none of them for `none`; None where nothing was said.

    Args:
        text: the option.
        but: what is about to be corrected, and so isn't ordinary.

    Raises:
        BadInput: the file isn't one of questions.
    """
    if text is None or text == "none":
        return None if text is None else []
    from errata.log.recent import questions

    return [query for query in questions(Path(words(text, "pool"))) if query not in but]


def rules_for(path: Path | None) -> RulesValue | None:
    """The rules in a file; None where no file is given. An edit that they name may be the one that is about to be made.

    Raises:
        BadInput: the file can't be read; every fault is named with its line.
    """
    if path is None:
        return None
    from errata.session.rules_file import read_rules

    return read_rules(path).rules


def recent_in(path: Path | None) -> list[Query]:
    """The recent questions in a file; none where no file is given.

    Raises:
        BadInput: it isn't such a file.
    """
    if path is None:
        return []
    from errata.log.recent import recent

    return recent(path)


def until_of(text: str) -> str:
    """A time as records hold it: ISO 8601 in UTC.

    Raises:
        BadInput: it is no time.
    """
    return instant(words(text, "time")).isoformat(timespec="seconds").replace("+00:00", "Z")


def once(names: list[str], what: str) -> list[str]:
    """The names, of which none may come twice.

    Args:
        what: begins the sentence, as "A model is".

    Raises:
        BadInput: one does.
    """
    if len(set(names)) < len(names):
        raise BadInput(f"{what} named twice. Name each once.")
    return names
