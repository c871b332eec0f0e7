"""Receipts on the screen: what became of an edit, or would, and which other answers move."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from errata.cli._print import SHORT, fields, say, say_json, table
from errata.core.canonical import JSON

if TYPE_CHECKING:
    from errata.session.receipts import Moved, Receipt


REFUSED = 1
"""Exit code: the model refused the edit."""

UNPROTECTED = "nothing: the branch began without ordinary questions (--pool), so any other answer may have moved"
"""Of an edit that nothing kept off ordinary answers."""


def show_receipt(receipt: Receipt, as_json: bool) -> None:
    """One receipt, as text or as a JSON value."""
    if as_json:
        say_json(_json(receipt))
        return
    kept = f"{sum(receipt.kept)} of {len(receipt.kept)} answers" if receipt.kept else ""
    at = f", entry {receipt.seq}" if receipt.seq else "; nothing was changed"
    timed = f"write {receipt.write_ms:.0f} ms, read back {receipt.guard_ms:.0f} ms" if receipt.write_ms else ""
    fields(
        {
            receipt.status: f"edit {receipt.edit[:SHORT]}{at}",
            "why": receipt.why,
            "supersedes": ", ".join(edit[:SHORT] for edit in receipt.supersedes),
            "before": receipt.before,
            "after": receipt.after,
            "kept": kept,
            "beside": f"{receipt.beside} other corrections asked again" if receipt.beside else "",
            "protected": UNPROTECTED if receipt.unprotected else "",
            "time": timed,
        }
    )
    show_moved(receipt.moved, receipt.asked)


def show_moved(moved: Sequence[Moved], asked: int) -> None:
    """Which of the other questions are answered otherwise."""
    if not asked:
        return
    say(f"{len(moved)} of {asked} other answers change{':' if moved else ''}")
    if moved:
        table(("question", "before", "after"), [(one.query, one.before, one.after) for one in moved])


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
        "unprotected": receipt.unprotected,
        "telemetry": dict(receipt.telemetry),
        "write_ms": receipt.write_ms,
        "guard_ms": receipt.guard_ms,
    }
