"""A view of a store as one HTML file: every edit with its picture, its answers before and after, who made it, what became of it.

Nothing is fetched. The one script in it shows what fits the chosen words, statuses and author; without it everything is shown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from errata.core.canonical import JSON
from errata.core.counted import counted
from errata.core.errors import BadImage
from errata.core.matching import same
from errata.core.records import Edit, EditId, Query
from errata.log import EditLog, Entry
from errata.log.listing import FATES, Listed, Page
from errata.report.markup import NOTHING, Attributes, Markup, el, fold, join, table
from errata.report.page import listed_facts, masthead, note, page
from errata.report.pictures import embedded

_THUMB = 192
"""The longest side of a picture, in pixels."""

_SHORT = 12
"""Digits of an id that are shown."""


def view_of(log: EditLog, found: Page, *, place: str) -> str:
    """The page: the newest edit first. The same log gives the same bytes.

    Args:
        log: where the edits are from.
        found: the edits that are shown (`errata.log.listing.edits`).
        place: the store's place, as it may be shown.
    """
    rows = found.rows[::-1]
    shots, history = _Shots(log), _history(log, [one.entry.edit_id for one in rows])
    there = {one.entry.edit_id for one in rows}
    cards = [_card(one, history, shots, there) for one in rows]
    left = found.total - len(rows)
    rest = f"{counted(left, 'edit')} of the {found.total} in the log {'is' if left == 1 else 'are'} not on this page."
    title = f"Corrections in {place}"
    return page(
        title,
        masthead(title, _lead(rows), _facts(log, place), kind="view of a store"),
        shots.held(),
        el("main", {}, _filters(rows), note(rest) if left else NOTHING, *(cards or [note("There is no edit to show.")])),
        style="store.css",
        script="store.js",
    )


class _Shots:
    """The pictures of a page, each held once, however many edits show it."""

    def __init__(self, log: EditLog) -> None:
        self._log = log
        self._shown: dict[str, Markup] = {}
        self._symbols: list[Markup] = []

    def of(self, digest: str, alt: str) -> Markup:
        if digest not in self._shown:
            self._shown[digest] = self._made(digest)
        shot = self._shown[digest]
        return shot if shot.html.startswith("<p") else el("a", {"title": f"{alt} ({digest[:_SHORT]})"}, shot)

    def held(self) -> Markup:
        """The pictures themselves, for the cards to point to."""
        box: Attributes = {"width": 0, "height": 0, "style": "position:absolute", "aria-hidden": "true"}
        return el("svg", box, *self._symbols) if self._symbols else NOTHING

    def _made(self, digest: str) -> Markup:
        try:
            made = embedded(self._log.image(digest), _THUMB)
        except BadImage:
            why = "erased" if digest in self._log.erased() else "can't be shown"
            return el("p", {"class": "gone"}, f"picture {digest[:_SHORT]} {why}")
        size = {"width": made.width, "height": made.height}
        css = {"class": "hard"} if made.hard else {}
        picture = el("image", {"href": made.source, **size, **css})
        self._symbols.append(el("symbol", {"id": f"p-{digest[:16]}", "viewBox": f"0 0 {made.width} {made.height}"}, picture))
        use = el("use", {"href": f"#p-{digest[:16]}", **size})
        said = {"role": "img", "aria-label": f"picture {digest[:_SHORT]}"}
        return el("svg", {"class": "shot", "viewBox": f"0 0 {made.width} {made.height}", **size, **said}, use)


def _lead(rows: Sequence[Listed]) -> str:
    fates = Counter(one.standing.fate for one in rows if one.standing is not None)
    told = ", ".join(f"{fates[fate]} {fate.replace('-', ' ')}" for fate in FATES if fates[fate])
    return f"{counted(len(rows), 'edit')}: {told}." if rows else "No edit fits."


def _facts(log: EditLog, place: str) -> Markup:
    head, first = log.head, next(log.entries(1, 2), None)
    begun = {} if first is None else {name: first.details.get(name) for name in ("asked", "model")}
    facts = {"Store": place, "Branch": log.branch, "Entries": f"{len(log):,}"}
    if head is not None:
        facts |= {"As of (UTC)": _moment(head.time), "Head": head.hash}
    facts |= {name.capitalize(): value for name, value in begun.items() if isinstance(value, str) and value}
    return listed_facts(facts)


def _filters(rows: Sequence[Listed]) -> Markup:
    """What the script shows by; hidden where none runs."""
    fates = Counter(one.standing.fate for one in rows if one.standing is not None)
    authors = sorted({one.entry.by.author for one in rows})
    boxes = [
        el(
            "label", {}, el("input", {"type": "checkbox", "name": "status", "value": fate, "checked": ""}),
            f" {fate} ({fates[fate]})",
        )
        for fate in FATES
        if fates[fate]
    ]  # fmt: skip
    options = [el("option", {"value": ""}, "everybody"), *(el("option", {"value": author}, author) for author in authors)]
    return el(
        "form", {"class": "filters", "hidden": ""},
        el("label", {"class": "field"}, "Words", el("input", {"type": "search", "name": "text", "autocomplete": "off"})),
        el("label", {"class": "field"}, "Author", el("select", {"name": "author"}, *options)),
        el("fieldset", {}, el("legend", {}, "Status"), *boxes),
        el("button", {"type": "reset"}, "Show all"),
        el("output", {"id": "shown"}),
    )  # fmt: skip


def _card(one: Listed, history: Mapping[EditId, Sequence[Entry]], shots: _Shots, there: set[EditId | None]) -> Markup:
    entry, edit, standing = one.entry, one.edit, one.standing
    named = entry.edit_id
    assert named is not None, "a listed edit has an id"
    assert edit is not None, "a listed edit has content"
    assert standing is not None, "a listed edit has a standing"
    pictures = [shots.of(digest, edit.query.text) for digest in one.pictures] or [el("p", {"class": "gone"}, "no picture")]
    marks = [part for part in (f"entry {entry.seq}", _moment(entry.time), f"by {entry.by.author}", entry.by.ticket) if part]
    taker = standing.superseded_by
    by = join([" by ", _link(taker, there)]) if taker is not None else NOTHING
    where = el(
        "p", {"class": "where"}, el("span", {"class": f"badge {standing.fate}"}, standing.fate), by, " · ".join(marks),
        el("abbr", {"title": named}, named[:_SHORT]),
    )  # fmt: skip
    old = entry.details.get("supersedes")
    takes = [_link(EditId(each), there) for each in old if isinstance(each, str)] if isinstance(old, list) else []
    took = el("p", {"class": "reason"}, "supersedes ", *_between(takes)) if takes else NOTHING
    reason = el("p", {"class": "reason"}, entry.by.reason) if entry.by.reason else NOTHING
    body = el(
        "div", {}, where, el("p", {"class": "question"}, edit.query.text), _change(entry, edit), reason, took,
        _more(edit), _told(history.get(named, ())),
    )  # fmt: skip
    marked: dict[str, str | int] = {"data-status": standing.fate, "data-author": entry.by.author}
    label = f"{standing.fate}: {edit.query.text}"
    return el(
        "article", {"class": "edit", "id": f"e-{named[:_SHORT]}", **marked, "aria-label": label},
        el("div", {"class": "shots"}, *pictures), body,
    )  # fmt: skip


def _change(entry: Entry, edit: Edit) -> Markup:
    """What was answered before, what is after, and the target where that isn't what is answered."""
    before, after = (_text(entry.details.get(name)) for name in ("before", "after"))
    parts: list[Markup | str] = []
    if before:
        parts += [el("del", {}, before), "→"]
    parts.append(el("ins", {}, after or edit.target))
    if after and not same(after, edit.target):
        parts.append(el("span", {"class": "aim"}, f"(target: {edit.target})"))
    why = _text(entry.details.get("why"))
    return join([el("p", {"class": "change"}, *parts), el("p", {"class": "reason"}, why) if why else NOTHING])


def _more(edit: Edit) -> Markup:
    """What else the edit says; nothing where it is question and target alone."""
    facts = {
        "Target": edit.target,
        "Reach": edit.reach if edit.reach != "open" else "",
        "Subject": edit.subject or "",
        "Valid until": edit.valid_until or "",
    }
    lists = [
        join(
            [el("p", {"class": "reason"}, said), el("ul", {"class": "lists"}, *(el("li", {}, _asked(query)) for query in queries))]
        )
        for said, queries in (("Also given for", edit.also), ("Must not move", edit.keep))
        if queries
    ]
    summary = f"what it says: {counted(1 + len(edit.also), 'wording')}, {len(edit.keep)} kept"
    return fold(summary, listed_facts({name: value for name, value in facts.items() if value}), *lists)


def _told(entries: Sequence[Entry]) -> Markup:
    """Every entry about the edit."""
    head = [el("tr", {}, *(el("th", {"scope": "col"}, word) for word in ("Entry", "What", "When (UTC)", "Who", "Why")))]
    body = [
        el("tr", {}, *(el("td", {}, part) for part in (str(e.seq), e.kind, _moment(e.time), e.by.author, _reasons(e))))
        for e in entries
    ]
    return fold(f"history: {', '.join(e.kind for e in entries)}", table("Every entry about it.", head=head, body=body))


def _reasons(entry: Entry) -> str:
    return "; ".join(part for part in (entry.by.reason, entry.by.ticket, _text(entry.details.get("why"))) if part)


def _history(log: EditLog, named: Sequence[EditId | None]) -> Mapping[EditId, Sequence[Entry]]:
    wanted: dict[EditId, list[Entry]] = {edit: [] for edit in named if edit is not None}
    for entry in log.entries() if wanted else ():
        if entry.edit_id in wanted:
            wanted[entry.edit_id].append(entry)
    return wanted


def _asked(query: Query) -> str:
    pictures = ", ".join(image.digest[:_SHORT] for image in query.images)
    return f"{query.text} [picture {pictures}]" if pictures else query.text


def _link(edit: EditId, there: set[EditId | None]) -> Markup:
    short = edit[:_SHORT]
    return el("a", {"href": f"#e-{short}"}, short) if edit in there else el("abbr", {"title": edit}, short)


def _between(parts: Sequence[Markup]) -> list[Markup | str]:
    return [piece for place, part in enumerate(parts) for piece in ((", ", part) if place else (part,))]


def _text(value: JSON) -> str:
    return value if isinstance(value, str) else ""


def _moment(time: str) -> str:
    return time[:19].replace("T", " ")
