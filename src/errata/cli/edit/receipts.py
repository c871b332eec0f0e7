"""Receipts on the screen: what became of an edit, or would, and which other answers move."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from errata.cli._print import SHORT, fields, say, say_json, table
from errata.core.canonical import JSON
from errata.core.counted import counted

if TYPE_CHECKING:
    from errata.session.receipts import Moved, Receipt


REFUSED = 1
"""Exit code: the model refused the edit."""

FEW = 10
"""Receipts that are shown whole; of more, a summary and the first of them."""

_MOVED = 20
"""Answers that change which are shown; the rest are counted."""

UNPROTECTED = "nothing: the branch began without ordinary questions (--pool), so any other answer may have moved"
"""Of an edit that nothing kept off ordinary answers."""


def show_receipts(receipts: Sequence[Receipt], as_json: bool) -> None:
    """What became of several edits: each receipt where they are few, else what they have in common and the first of them."""
    if as_json or len(receipts) <= FEW:
        for receipt in receipts:
            show_receipt(receipt, as_json)
        return
    first, *_, last = receipts
    how = dict.fromkeys(receipt.why.split(";", 1)[0] for receipt in receipts)
    at = f", entries {first.seq} to {last.seq}" if first.seq else "; nothing was changed"
    fields({first.status: f"{counted(len(receipts), 'edit')}{at}", "why": "; ".join(how)})
    table(("edit", "before", "after"), [(receipt.edit[:SHORT], receipt.before, receipt.after) for receipt in receipts[:FEW]])
    each = f"`errata log show --from {first.seq} --last {len(receipts)}` or --json shows" if first.seq else "--json shows"
    say(f"and {len(receipts) - FEW} more; {each} each")
    if old := sum(";" in receipt.why for receipt in receipts):
        say(f"{old} of them had superseded others, which stay out; `errata edit restore ID` brings one back, --json names them")
    show_moved(first.moved, first.asked)


def show_receipt(receipt: Receipt, as_json: bool) -> None:
    """One receipt, as text or as a JSON value."""
    if as_json:
        say_json(_json(receipt))
        return
    kept = f"{sum(receipt.kept)} of {counted(len(receipt.kept), 'answer')}" if receipt.kept else ""
    at = f", entry {receipt.seq}" if receipt.seq else "; nothing was changed"
    timed = f"write {receipt.write_ms:.0f} ms, read back {receipt.guard_ms:.0f} ms" if receipt.write_ms else ""
    if receipt.beside and timed:
        timed += f", of which other corrections {receipt.beside_ms:.0f} ms, {receipt.share_beside:.0%} of all"
    fields(
        {
            receipt.status: f"edit {receipt.edit[:SHORT]}{at}",
            "why": receipt.why,
            "supersedes": ", ".join(edit[:SHORT] for edit in receipt.supersedes),
            "before": receipt.before,
            "after": receipt.after,
            "kept": kept,
            "beside": f"{counted(receipt.beside, 'other correction')} asked again" if receipt.beside else "",
            "took away": ", ".join(edit[:SHORT] for edit in receipt.lost) if receipt.status == "applied" else "",
            "protected": UNPROTECTED if receipt.unprotected else "",
            "time": timed,
        }
    )
    for one in receipt.unsaid:
        say(f"typed as {one.query!r}, it is answered {one.after!r}, and was {one.before!r}: give that wording too (--also)")
    show_moved(receipt.moved, receipt.asked)


def show_moved(moved: Sequence[Moved], asked: int) -> None:
    """Which of the other questions are answered otherwise."""
    if not asked:
        return
    say(f"{len(moved)} of {counted(asked, 'other answer')} {'changes' if asked == 1 else 'change'}{':' if moved else ''}")
    if moved:
        table(("question", "before", "after"), [(one.query, one.before, one.after) for one in moved[:_MOVED]])
    if len(moved) > _MOVED:
        say(f"and {len(moved) - _MOVED} more; --json shows each")


def _json(receipt: Receipt) -> dict[str, JSON]:
    return {
        "edit": receipt.edit,
        "status": receipt.status,
        "entry": receipt.seq,
        "why": receipt.why,
        "before": receipt.before,
        "after": receipt.after,
        "kept": list(receipt.kept),
        "supersedes": list(receipt.supersedes),
        "moved": [one.to_json() for one in receipt.moved],
        "asked": receipt.asked,
        "beside": receipt.beside,
        "lost": list(receipt.lost),
        "unsaid": [one.to_json() for one in receipt.unsaid],
        "unprotected": receipt.unprotected,
        "telemetry": dict(receipt.telemetry),
        "write_ms": receipt.write_ms,
        "guard_ms": receipt.guard_ms,
        "beside_ms": receipt.beside_ms,
        "share_beside": receipt.share_beside,
    }
