"""Which entry a time names, whatever the clock did; and which edit its first digits name.

A clock may be put back between two entries, so that times alone don't say what came first; the chain does. An entry is there from
the latest time of all entries up to it: one that was written while the clock stood behind an earlier entry came after that latest
time, at a moment that no clock has told. So a time names the last entry that was surely there by then.

What a time names can't change any more once an entry as late as it is in the log. Whatever is appended afterwards has a later
time, or was written while the clock was behind, and is passed over by every time up to the latest so far; `entry.stamped` gives no
entry the very time of the latest one. A time after all entries names the last one, as it must: what comes next isn't known yet.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from errata.core.counted import counted
from errata.core.errors import BadInput, Unknown, quoted
from errata.core.records import EditId, instant

_PREFIX: Final = 6
"""Digits that name an edit, at least."""

_SHOWN: Final = 12


def last_by(times: Iterable[str], until: datetime) -> int:
    """The number of the last entry that was there by a moment; 0 for none.

    Args:
        times: of the entries, in the order of the chain.
        until: the moment, in UTC.
    """
    latest: datetime | None = None
    behind = False  # whether the clock was put back since the latest time so far
    found = 0
    for number, text in enumerate(times, start=1):
        time = instant(text)
        if latest is None or time > latest:
            latest, behind = time, False
        elif time < latest:
            behind = True
        if latest > until or (behind and latest == until):
            break
        found = number
    return found


def resolved(prefix: str, known: Sequence[EditId]) -> EditId:
    """The id of an edit.

    Args:
        prefix: the id, or its first digits (at least 6) where no other id begins with them.
        known: the ids that there are, in the order in which they were named.

    Raises:
        BadInput: too short, or fits several edits.
        Unknown: fits none.
    """
    wanted = prefix.strip().lower()
    if len(wanted) < _PREFIX:
        raise BadInput(f"{quoted(prefix)} is too short to name an edit. Give at least {_PREFIX} digits of its id.")
    found = [edit for edit in known if edit.startswith(wanted)]
    if not found:
        raise Unknown("edit", prefix, [edit[:_SHOWN] for edit in known[-_SHOWN:]])
    if len(found) > 1:
        named = ", ".join(edit[:_SHOWN] for edit in found[:_SHOWN])
        raise BadInput(f"{quoted(prefix)} fits {counted(len(found), 'edit')}: {named}. Give more digits.")
    return found[0]
