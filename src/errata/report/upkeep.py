"""The four figures that lead a report: what an operator asks of an editor first."""

from __future__ import annotations

from collections.abc import Sequence

from errata.measure.upkeep import MANY, TITLES, Upkeep, said
from errata.report.markup import Markup, el, table

HOW = (
    "Neighbours: probes next to an edit that must stay, something else in the same words or something else of the same thing. "
    "A fix: a write with its guard's questions, the median. "
    f"The state at {MANY:,} edits is reckoned from what the run's own took on a disk. "
    "After a restart, from the log alone, the edits' own questions were asked again."
)


def four(rows: Sequence[tuple[str, Upkeep]], caption: str) -> Markup:
    """A row for each editor.

    Args:
        rows: the editor's label and its figures.
        caption: of what they are.
    """
    head = [el("tr", {}, *(el("th", {"scope": "col"}, word) for word in ("Editor", *TITLES)))]
    body = [
        el("tr", {}, el("th", {"scope": "row"}, label), *(el("td", {}, text) for text in said(figures))) for label, figures in rows
    ]
    return table(caption, head=head, body=body, css="rates")
