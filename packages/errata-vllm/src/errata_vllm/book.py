"""One book of slots for every version that is served at once: fixed buffers, and for each version which slots may start.

What an edit wrote doesn't depend on what came before it (`errata.editors.codebook`), so two versions of a log differ only in which
edits are in them and which fall silent. Each edit's slots are held once, and a version is a row of bits: a revert, or a pin to the
past, moves no key and no value. A read decides as `errata.nn.codes.Reading` does, for rows of several requests side by side.

Shapes: T rows of a step, I the module's input width, O its output width, R the code's width, M slots, V versions.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, final

import torch

from errata.core.counted import counted
from errata.core.errors import BadInput
from errata.core.records import EditId
from errata.nn.codes import SILENT, Codes, coded

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
        self._held, self._spans = held | {free: frozenset(state.edits)}, spans
        self._used = max((span.stop for span in spans.values()), default=0)
        self._fill(state, free)
        return free

    def speaking(self, codes_TR: Float[Tensor, "T R"], pieces: Sequence[Piece]) -> Int[Tensor, " T"]:
        """Which slot speaks at each row, SILENT where none does.

        Args:
            codes_TR: the rows' codes (`coded`).
            pieces: they cover rows from the first on, each once; rows behind them are padding.
        """
        slots_T = torch.full((len(codes_TR),), SILENT, device=codes_TR.device)
        loud = [piece for piece in pieces if not self.silent(piece.version)]
        if not loud:
            return slots_T
        versions = {piece.version for piece in loud}
        if len(versions) == 1 and len(loud) == len(pieces):
            slots_T[: pieces[-1].rows.stop] = self._starting(codes_TR[: pieces[-1].rows.stop], loud[0].version)
        else:
            for version in versions:
                mine = [row for piece in loud if piece.version == version for row in range(piece.rows.start, piece.rows.stop)]
                rows_N = torch.tensor(mine, device=codes_TR.device)
                slots_T[rows_N] = self._starting(codes_TR[rows_N], version)
        going = [piece for piece in loud if piece.before != SILENT]
        if going:
            rows_N = torch.tensor([piece.rows.start for piece in going], device=codes_TR.device)
            before_N = torch.tensor([piece.before for piece in going], device=codes_TR.device)
            slots_T[rows_N] = self._following(before_N, slots_T[rows_N], codes_TR[rows_N])
        for piece in loud:
            if piece.rows.stop - piece.rows.start > 1:
                self._run(codes_TR, slots_T, piece.rows)
        return slots_T

    def codes(self, x_TI: Float[Tensor, "T I"]) -> Float[Tensor, "T R"]:
        """Inputs of the module as codes."""
        return coded(x_TI, self._lens_RI)

    def moved(self, slots_T: Int[Tensor, " T"], y_TO: Float[Tensor, "T O"]) -> Float[Tensor, "T O"]:
        """The module's outputs with the values of the slots that speak added; elsewhere they are the module's own, bit for bit."""
        rows_N = (slots_T != SILENT).nonzero()[:, 0]
        if not len(rows_N):
            return y_TO
        return y_TO.index_copy(0, rows_N, y_TO[rows_N] + self._values_MO[slots_T[rows_N]])

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

    def _fill(self, state: State, version: int) -> None:
        book, at = state.book, 0
        starts_M = torch.zeros(self.room, dtype=torch.bool)
        for edit, span in zip(state.edits, state.spans, strict=True):
            here = self._spans[edit]
            theirs, mine = slice(at, at + len(here)), slice(here.start, here.stop)
            self._keys_MR[mine], self._values_MO[mine] = (
                book.keys_MR[theirs].to(self._keys_MR),
                book.values_MO[theirs].to(self._values_MO),
            )
            next_N = torch.arange(here.start + 1, here.stop + 1)
            ends = here.start - 1
            for length in span:
                ends += length
                next_N[ends - here.start] = SILENT
            self._next_M[mine] = next_N.to(self._next_M)
            starts_M[mine] = ~book.shut_M[theirs]
            at += len(here)
        self._starts_VM[version] = starts_M.to(self._starts_VM.device)

    def _starting(self, codes_NR: Float[Tensor, "N R"], version: int) -> Int[Tensor, " N"]:
        """The nearest slot of a version within reach."""
        used = self._used
        shut_M = ~self._starts_VM[version, :used]
        found = []
        for part_NR in torch.split(codes_NR, max(1, _AT_ONCE // max(used, 1))):
            best_N, slot_N = (part_NR @ self._keys_MR[:used].T).masked_fill_(shut_M, _NONE).max(-1)
            found.append(slot_N.masked_fill(best_N < self._reach, SILENT))
        return torch.cat(found)

    def _following(
        self, before_N: Int[Tensor, " N"], start_N: Int[Tensor, " N"], codes_NR: Float[Tensor, "N R"]
    ) -> Int[Tensor, " N"]:
        """The slot after the one that spoke before, where it is near enough; else the one that would start here."""
        next_N = self._next_M[before_N]
        cosines_N = (codes_NR * self._keys_MR[next_N.clamp(min=0)]).sum(-1)
        return torch.where((next_N != SILENT) & (cosines_N >= self._follow), next_N, start_N)

    def _run(self, codes_TR: Float[Tensor, "T R"], slots_T: Int[Tensor, " T"], rows: slice) -> None:
        """What follows inside a piece, written into `slots_T`, of which the first row is settled."""
        slots = slots_T[rows].tolist()
        begun = next((place for place, slot in enumerate(slots) if slot != SILENT), None)
        for place in range(begun + 1, len(slots)) if begun is not None else ():
            if slots[place - 1] == SILENT:
                continue
            row = rows.start + place
            before_1 = slots_T[row - 1 : row]
            slots_T[row : row + 1] = self._following(before_1, slots_T[row : row + 1], codes_TR[row : row + 1])
            slots[place] = int(slots_T[row])


def _gaps(spans: Collection[range], room: int) -> list[range]:
    """What lies between spans, from the first slot to the last."""
    found, at = list[range](), 0
    for span in sorted(spans, key=lambda span: span.start):
        found.append(range(at, span.start))
        at = span.stop
    return [*found, range(at, room)]
