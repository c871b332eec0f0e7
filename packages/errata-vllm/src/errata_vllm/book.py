"""One book of slots for every version that is served at once: fixed buffers, and for each version which slots may start.

What an edit wrote doesn't depend on what came before it (`errata.editors.codebook`), so two versions of a log differ only in which
edits are in them and which fall silent. Each edit's slots are held once, and a version is a row of bits: a revert, or a pin to the
past, moves no key and no value. A read decides as `errata.nn.codes.Reading` does, for rows of several requests side by side.

Of a prompt only what is said at its last position is felt, since the slots are in the last layer. What speaks there depends on the
positions before by runs alone, and a run is over after as many positions as it has slots: where no slot could start at any of the
last few positions, none of the others is looked at.

Shapes: T rows of a step, I the module's input width, O its output width, R the code's width, M slots, V versions, N rows that are
looked at, K pairs of such a row and a slot.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import TYPE_CHECKING, Final, NamedTuple, final

import torch

from errata.core.counted import counted
from errata.core.errors import BadInput
from errata.core.records import EditId
from errata.nn.codes import SILENT, Codes, coded
from errata_vllm.near import Near

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from torch import Tensor

    from errata.editors.codebook import State

_AT_ONCE: Final = 4_000_000
"""Cosines that are worked out at once, at most: a long prompt is read in parts."""

_NONE: Final = -2.0
"""Below any cosine."""

BASE: Final = 0
"""The version without edits."""


class Piece(NamedTuple):
    """The positions of one request in a step: neighbouring rows."""

    rows: slice
    version: int
    before: int
    """The slot that spoke at the position before the first, SILENT where none did or there is none."""

    whole: bool = False
    """Whether what speaks at every position is asked for, and not at the last alone."""


@dataclass(frozen=True)
class Lens:
    """What the log settled when it began: the metric of keys, and from which cosines slots speak."""

    lens_RI: Float[Tensor, "R I"]
    reach: float
    follow: float

    @staticmethod
    def of(book: Codes) -> Lens:
        return Lens(book.lens_RI, book.reach, book.follow)


@final
class Book:
    """The slots of all edits that some version in use has.

    Args:
        lens: of the log.
        slots: how many there is room for, of all versions together.
        out_features: the module's output width.
        like: a tensor on the device, and in the dtype, of the module's output.
        versions: how many may be in use at once, that without edits included.
    """

    def __init__(self, lens: Lens, *, slots: int, out_features: int, like: Tensor, versions: int = 256) -> None:
        device, rows = like.device, len(lens.lens_RI)
        self._lens_RI = lens.lens_RI.to(device)
        self._reach, self._follow = lens.reach, lens.follow
        self._keys_MR = torch.zeros(slots, rows, device=device)
        self._values_MO = torch.zeros(slots, out_features, device=device, dtype=like.dtype)
        self._next_M = torch.full((slots,), SILENT, device=device)
        self._starts_VM = torch.zeros(versions, slots, dtype=torch.bool, device=device)
        self._near = Near(self._keys_MR)
        self._longest = 1
        self._spans: dict[EditId, range] = {}
        self._held: dict[int, frozenset[EditId]] = {BASE: frozenset()}
        self._used = 0

    @property
    def room(self) -> int:
        """How many slots there are."""
        return len(self._keys_MR)

    @property
    def taken(self) -> int:
        """Slots that some version in use has."""
        return sum(map(len, self._spans.values()))

    @property
    def width(self) -> int:
        """R."""
        return len(self._lens_RI)

    def silent(self, version: int) -> bool:
        """Whether a version has no edit."""
        return not self._held[version]

    def edits_of(self, slots: Collection[int]) -> tuple[EditId, ...]:
        """The edits to which slots belong."""
        return tuple(edit for edit, span in self._spans.items() if any(slot in span for slot in slots))

    def put(self, state: State, *, keep: Collection[int]) -> int:
        """Take in a state as a version.

        Args:
            state: the fold of the edits that are in the version.
            keep: the versions in use, which stay; what only others have makes room.

        Returns:
            The version's number.

        Raises:
            BadInput: there is no room for what all versions in use hold together; nothing was changed.
        """
        kept = {BASE, *keep}
        held = {version: edits for version, edits in self._held.items() if version in kept}
        free = next((number for number in range(len(self._starts_VM)) if number not in held), None)
        if free is None:
            raise BadInput(f"{counted(len(held), 'version')} are in use, and there is no room for more. Let requests end first.")
        sizes = {edit: sum(span) for edit, span in zip(state.edits, state.spans, strict=True)}
        spans = self._placed(sizes, {edit for edits in held.values() for edit in edits})
        new = spans.keys() - self._spans.keys()
        self._held, self._spans = held | {free: frozenset(state.edits)}, spans
        self._used = max((span.stop for span in spans.values()), default=0)
        self._fill(state, free, new)
        return free

    def speaking(self, codes_TR: Float[Tensor, "T R"], pieces: Sequence[Piece]) -> Int[Tensor, " T"] | None:
        """Which slot speaks at the last row of each piece, or at each of its rows where they are asked for; None: none anywhere.

        Args:
            codes_TR: the rows' codes (`coded`).
            pieces: they cover rows from the first on, each once; rows behind them are padding.

        Returns:
            A slot for each row, SILENT where none speaks and in rows that weren't asked for.
        """
        loud = [piece for piece in pieces if not self.silent(piece.version)]
        looked = [self._end(piece) for piece in loud]
        slots_T = self._starting(codes_TR, looked)
        going = any(piece.before != SILENT for piece in loud)
        if slots_T is None and not going:
            return None
        if slots_T is None:
            slots_T = torch.full((len(codes_TR),), SILENT, device=codes_TR.device)
        unsure = [
            piece for piece, end in zip(loud, looked, strict=True) if end is not piece and _any_before_last(slots_T, end.rows)
        ]
        more_T = self._starting(codes_TR, [self._rest(piece) for piece in unsure])
        if more_T is not None:
            slots_T = torch.where(more_T != SILENT, more_T, slots_T)
        self._run([piece for piece, end in zip(loud, looked, strict=True) if end is piece or piece in unsure], codes_TR, slots_T)
        return slots_T

    def codes(self, x_TI: Float[Tensor, "T I"]) -> Float[Tensor, "T R"]:
        """Inputs of the module as codes."""
        return coded(x_TI, self._lens_RI)

    def move(self, slots_T: Int[Tensor, " T"], y_TO: Float[Tensor, "T O"]) -> None:
        """Add the values of the slots that speak to the module's outputs; elsewhere those stay as they are, bit for bit."""
        rows_N = (slots_T != SILENT).nonzero()[:, 0]
        y_TO.index_add_(0, rows_N, self._values_MO[slots_T[rows_N]])

    def _placed(self, sizes: dict[EditId, int], staying: Collection[EditId]) -> dict[EditId, range]:
        """Where each edit's slots stand: those that are there stay, and what is new fills the gaps, the lowest first."""
        spans = {edit: span for edit, span in self._spans.items() if edit in staying or edit in sizes}
        new = [edit for edit in sizes if edit not in spans]
        gaps = iter(_gaps(spans.values(), self.room))
        gap: range | None = next(gaps, None)
        for edit in new:
            while gap is not None and len(gap) < sizes[edit]:
                gap = next(gaps, None)
            if gap is None:
                need = sum(sizes[edit] for edit in new)
                raise BadInput(
                    f"The buffers have room for {counted(self.room, 'slot')}, {sum(map(len, spans.values()))} are taken, and "
                    f"{need} more are needed. Start again with more: ERRATA_SLOTS={2 * self.room}"
                )
            spans[edit], gap = gap[: sizes[edit]], gap[sizes[edit] :]
        return spans

    def _fill(self, state: State, version: int, new: Collection[EditId]) -> None:
        """Write what new edits hold, and which slots may start in this version."""
        sizes_E = torch.tensor([sum(span) for span in state.spans], dtype=torch.long)
        places_E = torch.tensor([self._spans[edit].start for edit in state.edits], dtype=torch.long)
        mine_K = torch.arange(int(sizes_E.sum())) + (places_E - sizes_E.cumsum(0) + sizes_E).repeat_interleave(sizes_E)
        starts_M = torch.zeros(self.room, dtype=torch.bool)
        starts_M[mine_K] = ~state.book.shut_M[: len(mine_K)].cpu()
        self._starts_VM[version] = starts_M.to(self._starts_VM.device)
        self._longest = max([self._longest, *(max(span) for span in state.spans)])
        is_new_E = [edit in new for edit in state.edits]
        theirs_K = torch.tensor(is_new_E, dtype=torch.bool).repeat_interleave(sizes_E).nonzero()[:, 0]
        mine_K = mine_K[theirs_K]
        lengths = [length for span in compress(state.spans, is_new_E) for length in span]
        ends_K = torch.tensor(lengths, dtype=torch.long).cumsum(0) - 1
        next_K = (mine_K + 1).index_fill_(0, ends_K, SILENT)
        to = mine_K.to(self._keys_MR.device)
        self._keys_MR[to] = state.book.keys_MR[theirs_K].to(self._keys_MR)
        self._values_MO[to] = state.book.values_MO[theirs_K].to(self._values_MO)
        self._next_M[to] = next_K.to(self._next_M)
        self._near.changed(to, self._used)

    def _end(self, piece: Piece) -> Piece:
        """The last positions of a piece, as many as the longest run has; itself where it isn't longer, or is asked for whole."""
        start, stop = piece.rows.start, piece.rows.stop
        if piece.whole or stop - start <= self._longest:
            return piece
        return Piece(slice(stop - self._longest, stop), piece.version, SILENT)

    def _rest(self, piece: Piece) -> Piece:
        """What comes before `_end`."""
        return Piece(slice(piece.rows.start, piece.rows.stop - self._longest), piece.version, SILENT)

    def _starting(self, codes_TR: Float[Tensor, "T R"], pieces: Sequence[Piece]) -> Int[Tensor, " T"] | None:
        """At each row of the pieces the nearest slot of its version within reach, SILENT at the others; None: none anywhere."""
        if not pieces:
            return None
        rows = [row for piece in pieces for row in range(piece.rows.start, piece.rows.stop)]
        found = list[tuple[torch.Tensor, torch.Tensor]]()
        at_once = max(1, _AT_ONCE // max(self._used, 1))
        for start in range(0, len(rows), at_once):
            part = rows[start : start + at_once]
            pairs = self._near.pairs(codes_TR if len(part) == len(codes_TR) else codes_TR[part], self._reach)
            if pairs is not None:
                found.append((torch.tensor(part, device=codes_TR.device)[pairs[0]], pairs[1]))
        if not found:
            return None
        rows_K, slots_K = (torch.cat(each) for each in zip(*found, strict=True))
        versions_T = torch.zeros(len(codes_TR), dtype=torch.long)
        for piece in pieces:
            versions_T[piece.rows] = piece.version
        open_K = self._starts_VM[versions_T.to(rows_K.device)[rows_K], slots_K]
        return self._nearest(codes_TR, rows_K[open_K], slots_K[open_K])

    def _nearest(
        self, codes_TR: Float[Tensor, "T R"], rows_K: Int[Tensor, " K"], slots_K: Int[Tensor, " K"]
    ) -> Int[Tensor, " T"] | None:
        """Of pairs that may be near those that are, at each row the nearest; of equally near ones the first."""
        at_once = max(1, _AT_ONCE // self.width)
        cosines_K = torch.cat([
            (codes_TR[rows] * self._keys_MR[slots]).sum(-1)
            for rows, slots in zip(torch.split(rows_K, at_once), torch.split(slots_K, at_once), strict=True)
        ])  # fmt: skip
        near_K = cosines_K >= self._reach
        rows_K, slots_K, cosines_K = rows_K[near_K], slots_K[near_K], cosines_K[near_K]
        if not len(rows_K):
            return None
        best_T = codes_TR.new_full((len(codes_TR),), _NONE).scatter_reduce_(0, rows_K, cosines_K, "amax")
        best_K = cosines_K == best_T[rows_K]
        first_T = torch.full((len(codes_TR),), self.room, device=codes_TR.device)
        first_T.scatter_reduce_(0, rows_K[best_K], slots_K[best_K], "amin")
        return first_T.masked_fill_(first_T == self.room, SILENT)

    def _following(
        self, before_N: Int[Tensor, " N"], start_N: Int[Tensor, " N"], codes_NR: Float[Tensor, "N R"]
    ) -> Int[Tensor, " N"]:
        """The slot after the one that spoke before, where it is near enough; else the one that would start here."""
        next_N = self._next_M[before_N]
        cosines_N = (codes_NR * self._keys_MR[next_N.clamp(min=0)]).sum(-1)
        return torch.where((next_N != SILENT) & (cosines_N >= self._follow), next_N, start_N)

    def _run(self, pieces: Sequence[Piece], codes_TR: Float[Tensor, "T R"], slots_T: Int[Tensor, " T"]) -> None:
        """What follows at each row of pieces, written into `slots_T`, which has what starts there."""
        going = [piece for piece in pieces if piece.before != SILENT]
        if going:
            rows_N = torch.tensor([piece.rows.start for piece in going], device=codes_TR.device)
            before_N = torch.tensor([piece.before for piece in going], device=codes_TR.device)
            slots_T[rows_N] = self._following(before_N, slots_T[rows_N], codes_TR[rows_N])
        for piece in pieces:
            before, *starts = slots_T[piece.rows].tolist() if piece.rows.stop - piece.rows.start > 1 else [SILENT]
            for row, start in enumerate(starts, piece.rows.start + 1):
                if before == SILENT:
                    before = start
                    continue
                slots_T[row : row + 1] = self._following(slots_T[row - 1 : row], slots_T[row : row + 1], codes_TR[row : row + 1])
                before = int(slots_T[row])


def _any_before_last(slots_T: Int[Tensor, " T"], rows: slice) -> bool:
    return bool((slots_T[rows.start : rows.stop - 1] != SILENT).any())


def _gaps(spans: Collection[range], room: int) -> list[range]:
    """What lies between spans, from the first slot to the last."""
    found, at = list[range](), 0
    for span in sorted(spans, key=lambda span: span.start):
        found.append(range(at, span.start))
        at = span.stop
    return [*found, range(at, room)]
