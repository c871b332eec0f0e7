"""Proposals: one person puts a correction forward, another applies it. Where the branch asks for two people it must be another.

A proposal moves no state, so it needs no turn: it's appended wherever the log ends, beside whoever writes to the branch. What it
is compared with is the state of the moment; it's guarded again when it is approved.
"""

from __future__ import annotations

from typing import Final

from errata.core.errors import BadInput
from errata.core.records import Edit, EditId, Provenance
from errata.core.rules import Rules
from errata.log import Kind
from errata.session.checks import check_waits
from errata.session.receipts import Receipt, receipt_in, receipt_under
from errata.session.session import Session

_PROPOSED: Final[tuple[Kind, ...]] = ("proposed",)


def propose(session: Session, edit: Edit, by: Provenance | None = None, *, key: str = "", rules: Rules | None = None) -> Receipt:
    """Put a correction before those who may approve it: the log keeps it with the receipt that it would have; the state stays.

    Args:
        session: of the present; its branch need not be held.
        edit: the correction.
        by: who, and why.
        key: names the request, as in `Session.edit`.
        rules: what it must not break, now and when it is approved.

    Raises:
        BadInput, LogError: as `Session.edit`.
    """
    done = receipt_under(session.log, key, edit)
    if done is not None:
        return done
    tried = session.attempted(edit, rules=rules, again=False)
    entry = session.record("proposed", edit, by, details=tried.details(committed=False), key=key, anywhere=True)
    return tried.receipt("proposed", entry.seq, why=tried.why)


def approve(session: Session, edit_id: EditId, by: Provenance | None = None, *, rules: Rules | None = None) -> Receipt:
    """Apply a proposed correction, as its proposer gave it; it is guarded again, by what is true now.

    Raises:
        BadInput: no such proposal waits, or the branch asks for two people and this one proposed it; nothing was changed.
    """
    by = by or Provenance()
    check_waits(session.log, edit_id)
    session.log.check_alone("approved", edit_id, by.author)
    proposal = next(session.log.find(edit_id, kinds=_PROPOSED))
    if "rules" in proposal.details and rules is None:
        raise BadInput(f"The edit {edit_id[:12]} was proposed under rules. Give them again (--rules), so that it is held to them.")
    edit = session.log.edit(edit_id)
    session.prepare(edit)
    session.record("approved", None, by, edit_id=edit_id)
    return session.edit(edit, by, rules=rules)


def reject(session: Session, edit_id: EditId, by: Provenance | None = None) -> Receipt:
    """Turn a proposed correction down.

    Raises:
        BadInput: no such proposal waits; nothing was changed.
    """
    check_waits(session.log, edit_id)
    session.prepare()
    entry = session.record("refused", None, by, edit_id=edit_id, details={"why": "the proposal was turned down"})
    return receipt_in(entry)
