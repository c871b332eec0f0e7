"""An attempt: an edit is written into a state beside the session's own and read back; nothing has happened yet."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from errata.core.canonical import JSON
from errata.core.editor import Editor, Explains
from errata.core.model import Model
from errata.core.records import Edit, EditId
from errata.core.rules import Breach, Rules
from errata.log import EditLog
from errata.session.asking import said
from errata.session.guard import Gives, Verdict, read_back
from errata.session.neighbours import Beside, readable
from errata.session.neighbours import beside as asked_beside
from errata.session.receipts import Moved, Receipt, Status
from errata.session.rules import broken


@dataclass(frozen=True)
class Attempt:
    """A write, and what the guard found."""

    edit: Edit
    state: Any
    verdict: Verdict
    breaches: tuple[Breach, ...]
    rules: Rules | None
    telemetry: Mapping[str, JSON]
    supersedes: tuple[EditId, ...]
    write_ms: float
    guard_ms: float
    asks: str
    """The name of its question on the branch (`EditLog.asks`)."""

    beside: Beside = Beside()
    """Which corrections in force were asked again, and which would be lost."""

    unsaid: tuple[Moved, ...] = ()
    """Earlier wordings of the same question, of edits whose place it takes, that aren't answered with its target."""

    beside_ms: float = 0.0
    """Of `guard_ms`, what asking them took."""

    unprotected: bool = False
    """Nothing keeps the write off ordinary answers (`pools.unprotected`)."""

    @property
    def why(self) -> str:
        """Why it must be refused; empty when it may pass."""
        return self.verdict.why or "; ".join(breach.sentence for breach in self.breaches) or self.beside.why

    def receipt(self, status: Status, seq: int, *, why: str, moved: tuple[Moved, ...] = (), asked: int = 0) -> Receipt:
        verdict = self.verdict
        return Receipt(
            self.edit.id, status, seq, why, verdict.before, verdict.after, verdict.kept, self.telemetry,
            self.write_ms, self.guard_ms, self.supersedes, moved, asked, len(self.beside.asked),
            tuple(one.edit for one in self.beside.lost), self.unsaid, self.unprotected, self.beside_ms,
        )  # fmt: skip

    def details(self, *, committed: bool) -> dict[str, JSON]:
        """What an entry on it remembers."""
        edit, verdict = self.edit, self.verdict
        details: dict[str, JSON] = {
            "before": verdict.before,
            "after": verdict.after,
            "kept": list(verdict.kept),
            "why": "" if committed else self.why,
            "telemetry": dict(self.telemetry),
        }
        if verdict.also:
            details["also"] = list(verdict.also)
        if verdict.keep:
            details["keep"] = [list(pair) for pair in verdict.keep]
        if committed:
            details["asks"] = self.asks
        if committed and edit.valid_until is not None:
            details["until"] = edit.valid_until
        if committed and self.supersedes:
            details["supersedes"] = list(self.supersedes)
        if self.beside.asked:
            details["beside"] = {"asked": len(self.beside.asked), "lost": [one.to_json() for one in self.beside.lost]}
        if committed and self.unsaid:
            details["unsaid"] = [one.to_json() for one in self.unsaid]
        if self.unprotected:
            details["unprotected"] = True
        if self.rules is not None:
            details["rules"] = {"digest": self.rules.digest, "broken": [breach.to_json() for breach in self.breaches]}
        return details


def attempt(
    model: Model,
    editor: Editor[Any],
    *,
    state: Any,
    base: Any,
    edit: Edit,
    supersedes: tuple[EditId, ...],
    rules: Rules | None,
    log: EditLog,
    beside: bool,
    gives: Gives,
) -> Attempt:
    """Write an edit and read it back.

    Args:
        model: the model; left as found.
        editor: the editor.
        state: the state in force, which the answers before come from.
        base: the state to write into: `state`, without what the edit supersedes.
        edit: the edit.
        supersedes: the edits whose place it takes.
        rules: what it must not break.
        log: where it would stand.
        beside: whether it must not take away other corrections in force, which are then asked again.
        gives: how an answer is read.
    """
    started = time.perf_counter()
    written = editor.write(model, base, edit)
    settled()
    middle = time.perf_counter()
    verdict = read_back(model, editor, before=state, after=written, edit=edit, gives=gives)
    found = () if rules is None else broken(model, editor, before=state, after=written, edit=edit, rules=rules)
    apart = time.perf_counter()
    others = asked_beside(model, editor, log, before=state, after=written, edit=edit, but=supersedes) if beside else Beside()
    beside_ms = (time.perf_counter() - apart) * 1000
    unsaid = _unsaid(model, editor, log, before=state, after=written, edit=edit, supersedes=supersedes, gives=gives)
    guard_ms = (time.perf_counter() - middle) * 1000
    telemetry = dict(editor.telemetry(written)) if isinstance(editor, Explains) else {}
    write_ms, named = (middle - started) * 1000, log.asks(edit.query)
    return Attempt(
        edit, written, verdict, found, rules, telemetry, supersedes, write_ms, guard_ms, named, others, unsaid, beside_ms
    )  # fmt: skip


def _unsaid(
    model: Model,
    editor: Editor[Any],
    log: EditLog,
    *,
    before: Any,
    after: Any,
    edit: Edit,
    supersedes: tuple[EditId, ...],
    gives: Gives,
) -> tuple[Moved, ...]:
    """The same question as it was typed before, where the edit speaks to its own wording alone."""
    mine, given = log.asks(edit.query), {query.digest for query in (edit.query, *edit.also)}
    old = [one.query for each in supersedes if (one := readable(log, each)) is not None]
    asked = [query for query in old if query.digest not in given and log.asks(query) == mine]
    if not asked:
        return ()
    targets = [edit.target] * len(asked)
    was = said(model, partial(editor.read, model, before), asked, targets=targets)
    now = said(model, partial(editor.read, model, after), asked, targets=targets)
    return tuple(Moved(query.text, then, text) for query, then, text in zip(asked, was, now, strict=True) if not gives(edit, text))


def settled() -> None:
    """Wait until an accelerator has done what it was given, so that a clock reads what it should."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
