"""How edits and entries are picked and shown in a list: one line each, with what tells it from the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated

import typer

from errata.cli._groups import Options
from errata.cli._print import SHORT, has_room, say, table
from errata.core.canonical import JSON
from errata.core.counted import counted
from errata.core.errors import Unknown
from errata.core.given import words
from errata.log import EditLog
from errata.log.entry import Entry
from errata.log.fold import Fate
from errata.log.listing import FATES, Listed, Page, Sought, image_named

Author = Annotated[str, typer.Option("--author", help="Those by this author, whatever the case.")]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="At most so many, the newest. Not given: all.")]
Offset = Annotated[int, typer.Option("--offset", min=0, help="Leave out so many of the newest first: the page before.")]


@dataclass(frozen=True)
class Which(Options):
    """Which edits or entries are listed."""

    author: Author = ""
    since: Annotated[str, typer.Option("--since", help="Those after this: a time in UTC, an alias or an entry's number.")] = ""
    text: Annotated[
        str,
        typer.Option("--text", help="Those with these words in question, target, subject, reason or ticket."),
    ] = ""
    status: Annotated[
        list[str] | None,
        typer.Option("--status", help=f"What became of the edit: {', '.join(FATES)}; may be given several times."),
    ] = None
    image: Annotated[
        str, typer.Option("--image", help="Those on this picture: its file, or its digest's first digits (at least 6).")
    ] = ""

    def checked(self) -> Which:
        """What can be refused before a store is opened is.

        Raises:
            BadInput: words that aren't Unicode, or a picture that isn't there.
            Unknown: no status of an edit.
        """
        for text, what in ((self.author, "author"), (self.since, "point"), (self.text, "text"), (self.image, "image")):
            words(text, what)
        self._fates()
        if self.image:
            image_named(self.image)
        return self

    def sought(self, log: EditLog) -> Sought:
        """As the log is asked.

        Raises:
            BadInput, LogError: the log has no such point.
        """
        return Sought(
            self.author,
            log.point(self.since) if self.since else 0,
            self.text,
            self._fates(),
            image_named(self.image) if self.image else "",
        )

    def _fates(self) -> frozenset[Fate]:
        named = {fate for fate in FATES if fate in (self.status or ())}
        for status in self.status or ():
            if status not in named:
                raise Unknown("status", status, FATES)
        return frozenset(named)


Sizes = Callable[[str], str]
"""How large a picture is, by its digest, as it is shown."""


def show_rows(sizes: Sizes, rows: Sequence[Listed], *, kinds: bool) -> None:
    """A table, or two lines for each where the terminal is too narrow for it; a column in which nothing stands is left out.

    Args:
        sizes: of pictures.
        kinds: whether it is entries that are listed, so that what each says happened is a column.
    """
    named = [(one.entry.edit_id or "")[:SHORT] for one in rows]
    columns: dict[str, list[str]] = {
        **({} if kinds else {"edit": named}),
        "entry": [str(one.entry.seq) for one in rows],
        "time (UTC)": [_moment(one.entry.time) for one in rows],
        **({"what": [one.entry.kind for one in rows], "edit": named} if kinds else {}),
        "status": [_status(one) for one in rows],
        "author": [one.entry.by.author for one in rows],
        "ticket": [one.entry.by.ticket for one in rows],
        "picture": [_pictures(sizes, one) for one in rows],
        "content": [summary(one.entry, one) for one in rows],
    }
    always = {"entry", "author", "content"}
    shown = {name: cells for name, cells in columns.items() if any(cells) or name in always}
    if has_room(shown):
        table(tuple(shown), list(zip(*shown.values(), strict=True)), numbers=("entry",))
        return
    marks = [name for name in shown if name != "content"]
    for place, content in enumerate(shown["content"]):
        told = [f"entry {shown[name][place]}" if name == "entry" else shown[name][place] for name in marks]
        say(", ".join(part for part in told if part))
        say(f"    {content}")


def status_json(one: Listed) -> dict[str, JSON]:
    """What the edit is now, for a list as JSON."""
    if one.standing is None:
        return {}
    taker = one.standing.superseded_by
    return {"status": one.standing.fate} | ({"superseded_by": taker} if taker is not None else {})


def paged(page: Page, what: str, offset: int) -> str:
    """How much is shown of what was found, of how many there are, and how the page before is reached.

    Args:
        what: one of them.
        offset: how many of the newest were left out.
    """
    shown, older = len(page.rows), page.found - offset - len(page.rows)
    fit = "" if page.found == page.total else f"{page.found} that fit, of "
    said = f"{shown} of {fit}{counted(page.total, what)}"
    return f"{said} (the page before: --offset {offset + shown})" if shown and older > 0 else said


def summary(entry: Entry, about: Listed | None = None) -> str:
    """What an entry is about, in a line."""
    if entry.holds_edit and about is not None and about.edit is not None:
        return f"{_line(about.edit.query.text)} -> {_line(about.edit.target)}"
    details = entry.details
    size, images = details.get("size"), details.get("images")
    told = {
        "aliased": f"{details.get('alias')}: the state after entry {details.get('entry')}",
        "checkpointed": f"{counted(size, 'entry') if isinstance(size, int) else size}, root {str(details.get('root'))[:SHORT]}",
        "superseded": f"by {str(details.get('by'))[:SHORT]}",
        "ruled": f"two people: {'on' if details.get('two_people') else 'off'}",
        "erased": f"image {', '.join(str(image)[:SHORT] for image in images) if isinstance(images, list) else ''}",
    }.get(entry.kind, "")
    return _line("; ".join(part for part in (told, entry.by.reason) if part))


def _status(one: Listed) -> str:
    if one.standing is None:
        return ""
    taker = one.standing.superseded_by
    return f"superseded by {taker[:SHORT]}" if taker is not None else one.standing.fate


def _pictures(sizes: Sizes, one: Listed) -> str:
    return ", ".join(f"{digest[:SHORT]} {sizes(digest)}" for digest in one.pictures)


def sizes_in(log: EditLog) -> Sizes:
    """The sizes of a store's pictures."""

    def size(digest: str) -> str:
        count = log.store.blobs.size(digest)
        return size_shown(count, erased=count is None and digest in log.erased())

    return size


def size_shown(count: int | None, *, erased: bool = False) -> str:
    """The size of a picture that has so many bytes; None: that isn't there."""
    if count is None:
        return "(erased)" if erased else "(gone)"
    return f"{count} B" if count < 1000 else f"{count / 1000:.0f} kB"


def _moment(time: str) -> str:
    """A time as a person reads it: to the second."""
    return time[:19].replace("T", " ")


def _line(text: str) -> str:
    return " ".join(text.split())
