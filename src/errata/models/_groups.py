"""Which rows of a batch can be answered together: low-rank and unpatched rows with each other, everything else by patch."""

from __future__ import annotations

from collections.abc import Hashable, Sequence, Set
from dataclasses import dataclass, field
from typing import final

from errata.core.model import Patch
from errata.core.records import Query
from errata.nn.patches import Handed, LowRank, NoPatch, Replaced, Rewrite, Through, Verbatim

MAX_ROWS = 128
"""The most rows of one forward pass."""

MAX_TOKENS = 8192
"""The most positions of one forward pass, padding included; one row may have more."""


@final
@dataclass(frozen=True)
class Group:
    """Rows that share whatever has to be in force around them."""

    around: Patch
    """In force for every row of the group; NoPatch for the rows that carry their own."""

    rows: list[int] = field(default_factory=list)
    """Places in the batch."""

    queries: list[Query] = field(default_factory=list)
    each: list[NoPatch | LowRank] = field(default_factory=list)
    """What each row carries itself."""


def group(queries: Sequence[Query], patches: Sequence[Patch], *, by_row: Set[str]) -> list[Group]:
    """The batch, shared out. A rewritten query joins the rows that are asked as they stand; another model's rows go together.

    Args:
        queries: of the rows.
        patches: one for each.
        by_row: the paths where each row of a pass can have something of its own added.
    """
    groups: dict[Hashable, Group] = {}
    for row, (query, patch) in enumerate(zip(queries, patches, strict=True)):
        together = isinstance(patch, NoPatch | Rewrite | Verbatim) or (isinstance(patch, LowRank) and patch.deltas.keys() <= by_row)
        own = patch if together and isinstance(patch, NoPatch | LowRank) else NoPatch()
        around = NoPatch() if together else Through(patch.speaker) if isinstance(patch, Handed) else patch
        found = groups.setdefault(("rows",) if together else _key(patch), Group(around))
        found.rows.append(row)
        found.queries.append(patch.query if isinstance(patch, Rewrite | Handed) else query)
        found.each.append(own)
    return list(groups.values())


def _key(patch: Patch) -> tuple[Hashable, ...]:
    """Of a patch that doesn't go by row: one for those that hold the very same weights, whoever made them; else one for each."""
    if isinstance(patch, Replaced):
        return ("weights", *sorted((path, id(weight)) for path, weight in patch.weights.items()))
    if isinstance(patch, Handed):
        return ("speaker", id(patch.speaker))
    return ("patch", id(patch))


def chunks(lengths: Sequence[int]) -> list[list[int]]:
    """Rows in passes of like length, so that little is padded: at most MAX_ROWS rows and, beyond one row, MAX_TOKENS positions."""
    passes: list[list[int]] = []
    for row in sorted(range(len(lengths)), key=lambda row: lengths[row]):
        # Sorted: this row is the longest of its pass so far, so the pass would be as long as this row.
        if not passes or len(passes[-1]) == MAX_ROWS or (len(passes[-1]) + 1) * lengths[row] > MAX_TOKENS:
            passes.append([])
        passes[-1].append(row)
    return passes
