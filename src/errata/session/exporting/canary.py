"""The canary of an export: a question that must be answered as corrected, and one whose answer must not have moved.

Adapters that load and do nothing are a known fault of this trade, so an export says how to find out. Both questions are chosen by
asking: the first is an edit's own, which the model answers with its target with the edits and otherwise without them; the second
gets one and the same ended answer with them and without.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final, final

from errata.core.canonical import JSON, digest_of
from errata.core.counted import counted
from errata.core.endpoint import as_shown
from errata.core.errors import BadImage, BadInput, quoted, shortened
from errata.core.images import NEWEST, Image
from errata.core.matching import same
from errata.core.model import ANSWER_TOKENS, fits
from errata.core.records import Edit, Query
from errata.session.asking import heard, needed, unedited
from errata.session.pools import ON_PICTURES, made_pool, pool_in
from errata.session.session import Session

FILE: Final = "canary.json"

_PICTURES: Final = "canary"
"""The folder beside it that holds pictures, each named by digest."""

_VERSION: Final = 1
_TOGETHER: Final = 16
"""Questions that are asked in one batch while a canary is looked for."""

_MOST: Final = 128
"""Questions that are asked at most, of each sort."""


@final
@dataclass(frozen=True)
class Asked:
    """A question with the answer that is due."""

    query: Query
    due: str
    room: int
    """New tokens that it is asked with, at most."""


@final
@dataclass(frozen=True)
class Canary:
    """Two questions."""

    corrected: Asked
    before: str
    """What the model without edits answers to the first."""

    unmoved: Asked

    def judged(self, corrected: str, unmoved: str) -> tuple[str, ...]:
        """A sentence for each of the two that got another answer than is due; none: the export does what it should.

        Args:
            corrected: the answer to the first.
            unmoved: the answer to the second.
        """
        found = []
        if not same(corrected, self.corrected.due):
            base = " It answers as the model without them." if same(corrected, self.before) else ""
            found.append(
                f"The corrected question was answered {quoted(corrected)}, not {quoted(self.corrected.due)}: "
                f"the corrections aren't applied there.{base}"
            )
        if not same(unmoved, self.unmoved.due):
            found.append(
                f"The question that must not move was answered {quoted(unmoved)}, not {quoted(self.unmoved.due)}: "
                "something else moved. Look at the base's weights, the precision and the chat template there."
            )
        return tuple(found)


def chosen(session: Session, keep: Sequence[Query] = ()) -> Canary:
    """A canary for the edits in force.

    Args:
        session: is asked, with its edits and without; left as found.
        keep: questions to try first as the one that must not move.

    Raises:
        BadInput: no edit is in force, or no question does for one of the two.
    """
    if not session.standing():
        raise BadInput("No edit is in force, so there is nothing to export. Add edits first: errata edit add")
    edit, corrected, before = _corrected(session)
    asked = Asked(edit.query, corrected, needed(session.model, edit.query, edit.target))
    return Canary(asked, before, _unmoved(session, edit, keep))


def write(canary: Canary, folder: Path, told: Mapping[str, JSON], *, decoder: int = NEWEST) -> None:
    """Write a canary into a folder that is there: one JSON file, pictures beside it as PNG, or as the JPEG that they came as.

    Args:
        canary: what is written.
        folder: the export's.
        told: what else the file says of the export.
        decoder: how the model's log decodes pictures.
    """
    held: dict[str, JSON] = {}

    def question(asked: Asked) -> dict[str, JSON]:
        for image in asked.query.images:
            data, kind = as_shown(image, decoder)
            (folder / _PICTURES).mkdir(exist_ok=True)
            name = f"{_PICTURES}/{digest_of(data)[:12]}.{kind.replace('jpeg', 'jpg')}"
            (folder / name).write_bytes(data)
            held[image.digest] = name
        return {**asked.query.to_json(), "answer": asked.due, "max_new_tokens": asked.room}

    body: dict[str, JSON] = {
        "version": _VERSION,
        **told,
        "corrected": {**question(canary.corrected), "before": canary.before},
        "unmoved": question(canary.unmoved),
        "pictures": held,
    }
    (folder / FILE).write_text(json.dumps(body, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read(folder: Path) -> tuple[Canary, Mapping[str, Any]]:
    """The canary in a folder, and everything that its file says.

    Raises:
        BadInput: there is none, or it can't be read.
    """
    path = folder / FILE
    if not path.is_file():
        raise BadInput(f"There is no {FILE} in {shortened(folder)}. Name a folder that errata export wrote.")
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        if told["version"] != _VERSION:
            raise BadInput(f"{shortened(path)} is of version {told['version']}; {_VERSION} is known. Export again.")
        held: dict[str, str] = told["pictures"]

        def image(digest: str) -> Image:
            return Image.open(folder / held[digest])

        corrected, unmoved = told["corrected"], told["unmoved"]
        canary = Canary(_read(corrected, image), str(corrected["before"]), _read(unmoved, image))
    except BadInput:
        raise
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{shortened(path)} can't be read ({error!r}). Export again.") from error
    return canary, told


def _corrected(session: Session) -> tuple[Edit, str, str]:
    """The newest edit in force that shows: with what is said with it, and without."""
    asked = 0
    edits = _edits(session)
    while batch := list(islice(edits, min(_TOGETHER, _MOST - asked))):
        asked += len(batch)
        queries, targets = [edit.query for edit in batch], [edit.target for edit in batch]
        after = session.said(queries, session.state, targets)
        before = [one.text for one in heard(session.model, unedited, queries, targets=targets)]
        for edit, now, was in zip(batch, after, before, strict=True):
            if same(now, edit.target) and not same(was, edit.target):
                return edit, now, was
    raise BadInput(
        f"Of {counted(asked, 'edit')} in force none shows: each question is answered with its target without them too, or isn't "
        "with them, so none could tell whether an export works. Look at them: errata audit"
    )


def _edits(session: Session) -> Iterator[Edit]:
    """Edits in force, newest first, as far as their pictures are there."""
    for edit in reversed(session.standing()):
        try:
            yield session.log.edit(edit)
        except BadImage:
            continue


def _unmoved(session: Session, edit: Edit, keep: Sequence[Query]) -> Asked:
    """A question with the same ended answer with the edits and without."""
    corrected = {one.query.digest for one in _edits(session)}
    candidates = (query for query in _candidates(session, edit, keep) if query.digest not in corrected)
    seen = 0
    while batch := list(islice(candidates, min(_TOGETHER, _MOST - seen))):
        seen += len(batch)
        now = heard(session.model, session.read, batch)
        was = heard(session.model, unedited, batch)
        for query, one, other in zip(batch, now, was, strict=True):
            if one.text.strip() and one.whole and one.text == other.text:
                return Asked(query, one.text, ANSWER_TOKENS)
    raise BadInput(
        f"Of {counted(seen, 'question')} that the edits don't concern, none keeps its answer under them, so none could tell "
        "that nothing else moved. Name one: --keep TEXT"
    )


def _candidates(session: Session, edit: Edit, keep: Sequence[Query]) -> Iterator[Query]:
    """What may not move: what is given, what the edits' authors named, then neighbours of the edit, then the pool of the log.

    The editor may have stepped around the pool's questions, so that they would stay where neighbours move: they come last.
    """
    yield from keep
    for one in (edit, *_edits(session)):
        yield from one.keep
    first = next(session.log.entries(1, 2))
    own = [*pool_in(session.log, first), *made_pool(session.model)]
    yield from (query for query in [*_near(edit.query, own), *own] if fits(session.model, query))


def _near(query: Query, others: Sequence[Query]) -> Iterator[Query]:
    """The same words on other pictures, then other words on the same pictures; none of a query without any."""
    if not query.images:
        return
    pictures = {image.digest: image for other in others for image in other.images}
    for image in islice(pictures.values(), _TOGETHER):
        yield Query.ask(query.text, image)
    for text in ON_PICTURES:
        yield Query.ask(text, *query.images)


def _read(told: Mapping[str, Any], image: Any) -> Asked:
    return Asked(Query.from_json(told, image), str(told["answer"]), int(told["max_new_tokens"]))
