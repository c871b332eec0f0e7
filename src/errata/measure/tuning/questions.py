"""The questions that an editor is tuned by, in two halves: fields are chosen on one and told by figures of the other.

A row is an edit: its own question and answer are written, its `also` must follow, its `keep` must stay, and so must ordinary
questions, which belong to no row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Final, final

from errata.benchmarks.scopeworld.stream import ScopeWorldStream
from errata.core.benchmark import UNCHANGED, Case
from errata.core.counted import counted
from errata.core.errors import BadInput, shortened
from errata.core.matching import asks
from errata.core.model import Model, fits
from errata.core.records import Edit, Query
from errata.log.formats import Line, read, settled
from errata.measure.tuning.topics import TOPICS, Side
from errata.models import shipped
from errata.session.pools import made_pool

LEAST: Final = 6
"""Rows of a file at least: three to choose by and three to tell by are few enough."""

_ORDINARY: Final = 12
"""Ordinary questions of a half at most."""

_ROWS: Final = 10
"""Corrections of ScopeWorld in a half for a shipped model, which knows little else."""

_SEEDS: Final[Mapping[Side, int]] = MappingProxyType({"search": 71, "held out": 72})
"""Below 100: seeds that nothing is reported on."""

_PICTURES: Final = 3
"""Corrections on pictures in a half for another model that sees."""

_IN_SCOPE: Final = ("text_generality", "image_generality", "cross_modal")
_ON_PICTURES: Final = ("text_generality", "specificity_out", "image_locality")
"""The kinds of probes that don't ask whether a model knows ScopeWorld."""


@final
@dataclass(frozen=True)
class Half:
    """Rows that are written together, and what is asked of them."""

    rows: tuple[Edit, ...]
    ordinary: tuple[Query, ...]

    @property
    def follow(self) -> list[tuple[int, Query]]:
        """(row, wording) of everything that must follow."""
        return [(row, query) for row, edit in enumerate(self.rows) for query in edit.also]

    @property
    def keep(self) -> list[Query]:
        """What the rows say must stay, each question once."""
        return list({query.digest: query for edit in self.rows for query in edit.keep}.values())


@final
@dataclass(frozen=True)
class Questions:
    """Both halves, and whose they are."""

    search: Half
    held_out: Half
    source: str


def made(model: Model) -> Questions:
    """Questions of errata's own for a model: of ScopeWorld for a shipped one; else `topics`, and pictures where it sees.

    Raises:
        BadInput: too few of them can be put to the model.
    """
    pool = made_pool(model)
    halves = [
        Half(tuple(edit for each in _own(model, side) if (edit := _fitting(model, each)) is not None), _some(pool[start::2]))
        for start, side in enumerate(TOPICS)
    ]
    if any(len(half.rows) < LEAST // 2 or not half.follow for half in halves):
        raise BadInput(
            f"Too few of errata's own questions can be put to {model.name}: its vocabulary lacks their words. "
            "Give questions of yours: --questions FILE"
        )
    search, held_out = halves
    return Questions(search, held_out, "errata's own")


def given(path: Path, model: Model) -> Questions:
    """The questions of a file of corrections, dealt to the halves in turn.

    Raises:
        BadInput: the file can't be read, a row can't be used or put to the model, or there are too few.
    """
    rows = list(_rows(path, model))
    if len(rows) < LEAST:
        raise BadInput(f"{shortened(path)} has {counted(len(rows), 'question')}. Half are held out: give at least {LEAST}.")
    telling = [edit for edit in rows if edit.also]
    if len(telling) < 2:
        raise BadInput(
            f"{shortened(path)} has {counted(len(telling), 'row')} with other wordings, and without them nothing says how far a "
            "correction should reach. Give 'also' in two rows or more, best in all."
        )
    dealt = [*telling, *(edit for edit in rows if not edit.also)]
    used = {query.digest for edit in rows for query in (edit.query, *edit.also, *edit.keep)}
    pool = [query for query in made_pool(model) if query.digest not in used]
    search, held_out = (Half(tuple(dealt[start::2]), _some(pool[start::2])) for start in range(2))
    return Questions(search, held_out, shortened(path))


def _rows(path: Path, model: Model) -> Iterator[Edit]:
    """The rows of a file, each of which can be put to the model."""
    asked: dict[str, str] = {}
    for line in read(path, settled(path, None)):
        edit = _usable(line, path, model)
        before = asked.setdefault(asks(edit.query), line.place)
        if before != line.place:
            raise BadInput(f"{_at(path, line)} asks what {before} asks. Keep one of them.")
        yield edit


def _usable(line: Line, path: Path, model: Model) -> Edit:
    if isinstance(line.found, str):
        raise BadInput(f"{_at(path, line)} can't be used: {line.found}")
    edit, _ = line.found
    try:
        model.check(edit.query, edit.target)
        for query in (edit.query, *edit.also, *edit.keep):
            model.check(query)
            model.check_read(query)
    except BadInput as error:
        raise BadInput(f"{_at(path, line)} can't be put to {model.name}: {error}") from None
    return edit


def _at(path: Path, line: Line) -> str:
    return f"{shortened(path)}, {line.place},"


def _some(queries: Sequence[Query]) -> tuple[Query, ...]:
    """As many as are asked, drawn evenly."""
    return tuple(queries[:: max(1, len(queries) // _ORDINARY)][:_ORDINARY])


def _own(model: Model, side: Side) -> Iterator[Edit]:
    stream = ScopeWorldStream(seed=_SEEDS[side], edits=_ROWS)
    if model.name in shipped():
        yield from (_row(case, _IN_SCOPE, None) for case in stream.truth(_ROWS) if case.probes)
        return
    for topic in TOPICS[side]:
        yield from topic.edits()
    yield from (_row(case, _ON_PICTURES, _ON_PICTURES) for case in stream.truth(_PICTURES) if case.probes)


def _row(case: Case, follow: Sequence[str], stay: Sequence[str] | None) -> Edit:
    """A benchmark's case as a row: probes of these kinds that expect the target follow, those that expect no change stay."""
    also = [probe.query for probe in case.probes if probe.kind in follow and probe.expect == case.edit.target]
    keep = [probe.query for probe in case.probes if probe.expect is UNCHANGED and (stay is None or probe.kind in stay)]
    return replace(case.edit, also=tuple(also), keep=tuple(keep))


def _fitting(model: Model, edit: Edit) -> Edit | None:
    """The row with what can be put to the model; None where it can't itself."""
    if not (fits(model, edit.query, edit.target) and _reads(model, edit.query)):
        return None
    also, keep = (tuple(query for query in some if fits(model, query) and _reads(model, query)) for some in (edit.also, edit.keep))
    return replace(edit, also=also, keep=keep)


def _reads(model: Model, query: Query) -> bool:
    try:
        model.check_read(query)
    except BadInput:
        return False
    return True
