"""Recent answers, by their ids: what a correction may name, and what the studio lists.

They are in memory, so many for each branch. What somebody flagged is kept beside the store, with its question and its pictures,
until it isn't flagged any more: a server that is started anew has it still, and so has every other server on the store.
"""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, cast, final

from errata.core.canonical import JSON, canonical
from errata.core.errors import BadInput
from errata.core.images import Image
from errata.core.model import Decision
from errata.core.records import EditId, Query
from errata.serve.beside.kept import Beside, InMemory
from errata.serve.engine.seam import Said

KEPT: Final = 1000
"""Completions of a branch that are remembered, and that can be flagged at a time, unless said otherwise."""


@dataclass(frozen=True)
class Completion:
    """An answer that was given."""

    id: str
    """chatcmpl-..."""

    created: int
    """Seconds since 1970, UTC."""

    model: str
    """As it was asked for, with its pin."""

    query: Query
    said: Said
    caller: str
    """The name of whoever asked."""

    user: str | None = None
    """Who asked, in the client's own words."""

    metadata: Mapping[str, str] = field(default_factory=dict)
    """What the client wants to be kept with it."""

    flagged: bool = False
    note: str = ""
    """Why it was flagged."""


@final
class Recent:
    """The newest completions of each branch, and those that are flagged; threads may share it.

    Args:
        kept: of each branch, >= 0.
        beside: where flagged ones are kept.
    """

    def __init__(self, kept: int = KEPT, beside: Beside | None = None) -> None:
        self._kept = kept
        self._beside = InMemory() if beside is None else beside
        self._lock = threading.Lock()
        self._held: dict[str, OrderedDict[str, Completion]] = {}

    def remember(self, branch: str, completion: Completion) -> None:
        """Keep one more, and let go of what is too old."""
        with self._lock:
            held = self._held.setdefault(branch, OrderedDict())
            held[completion.id] = completion
            while len(held) > self._kept:
                held.popitem(last=False)

    def find(self, branch: str, id: str) -> Completion | None:  # noqa: A002  OpenAI's name
        """A completion of this branch; None: it isn't remembered, or is another branch's.

        Raises:
            LogError: what is kept beside the store can't be read.
        """
        flagged = self._beside.get("flagged", branch, id)
        if flagged is not None:
            return _read(flagged, self._pictures(branch))
        with self._lock:
            return self._held.get(branch, OrderedDict()).get(id)

    def newest(self, branch: str, limit: int, *, pictures: bool = True) -> Iterator[Completion]:
        """The newest first, flagged ones among them, however old.

        Args:
            pictures: False: questions of flagged ones name their pictures by digest alone, which is less to read.

        Raises:
            LogError: as `find`.
        """
        with self._lock:
            held = dict(self._held.get(branch, OrderedDict()))
        found = held | {one.id: one for one in self.flagged(branch)}
        chosen = sorted(reversed(found.values()), key=lambda one: -one.created)[: max(limit, 0)]
        for one in chosen:
            whole = held.get(one.id)
            if whole is not None:
                yield replace(one, query=whole.query)
            elif pictures and one.query.images:
                again = self.find(branch, one.id)
                if again is not None:  # else it was let go of meanwhile
                    yield again
            else:
                yield one

    def flagged(self, branch: str) -> list[Completion]:
        """What is flagged, the last that was flagged first; pictures by their digests alone.

        Raises:
            LogError: as `find`.
        """
        return [_read(value, _named) for _, _, value in reversed(self._beside.all("flagged", branch))]

    def picture(self, branch: str, digest: str) -> bytes | None:
        """The picture of this digest in a question of the branch; None: there is none.

        Raises:
            LogError: as `find`.
        """
        with self._lock:
            held = [image for one in self._held.get(branch, {}).values() for image in one.query.images]
        shown = next((image.data for image in held if image.digest == digest), None)
        return self._beside.get("shown", branch, digest) if shown is None else shown

    def flag(self, branch: str, id: str, *, flagged: bool, note: str = "") -> Completion | None:  # noqa: A002  as above
        """Mark an answer as suspect, or no longer; None: it isn't remembered.

        Raises:
            BadInput: as many are flagged as can be.
            LogError: as `find`, or it can't be written.
        """
        found = self.find(branch, id)
        if found is None:
            return None
        marked = replace(found, flagged=flagged, note=note)
        if not flagged:
            if _drop(self._beside, branch, [id]):
                self.remember(branch, marked)
            return marked
        if not found.flagged and len(self._beside.all("flagged", branch)) >= max(self._kept, 1):
            raise BadInput(f"{self._kept} answers are flagged. Go through the queue before more are.")
        for image in marked.query.images:
            self._beside.put("shown", branch, image.digest, image.data)
        self._beside.put("flagged", branch, id, _written(marked))
        return marked

    def _pictures(self, branch: str) -> Callable[[str], Image]:
        def shown(digest: str) -> Image:
            return Image(digest, self._beside.get("shown", branch, digest) or b"")

        return shown


def forget_pictures(beside: Beside, digests: Collection[str], branch: str | None = None) -> int:
    """Let go of every flagged answer that has one of these pictures in its question; how many there were.

    Args:
        branch: of this branch; None: of all.
    """
    if not digests:
        return 0
    found = [(of, one.id) for of, _, value in beside.all("flagged", branch) if _shows(one := _read(value, _named), digests)]
    return sum(_drop(beside, of, [id for its, id in found if its == of]) for of in sorted({of for of, _ in found}))


def _drop(beside: Beside, branch: str, ids: Collection[str]) -> int:
    """How many of these were flagged; they go, and the pictures that no other shows."""
    kept = [_read(value, _named) for _, _, value in beside.all("flagged", branch)]
    shown = {image.digest for one in kept if one.id not in ids for image in one.query.images}
    for digest in {image.digest for one in kept if one.id in ids for image in one.query.images} - shown:
        beside.drop("shown", branch, digest)
    return sum(beside.drop("flagged", branch, id) for id in ids)


def _named(digest: str) -> Image:
    return Image(digest, b"")


def _shows(one: Completion, digests: Collection[str]) -> bool:
    return any(image.digest in digests for image in one.query.images)


def _written(one: Completion) -> bytes:
    said = one.said
    decision = None if said.decision is None else [said.decision.edit, said.decision.score, said.decision.inside]
    return canonical(
        {
            "id": one.id,
            "created": one.created,
            "model": one.model,
            "query": one.query.to_json(),
            "said": {
                "text": said.text,
                "finish": said.finish,
                "edits": list(said.edits),
                "told": said.told,
                "decision": cast("JSON", decision),
                "seq": said.seq,
                "head": said.head,
                "prompt_tokens": said.prompt_tokens,
                "completion_tokens": said.completion_tokens,
            },
            "caller": one.caller,
            "user": one.user,
            "metadata": dict(one.metadata),
            "note": one.note,
        }
    )


def _read(value: bytes, images: Callable[[str], Image]) -> Completion:
    told: dict[str, Any] = json.loads(value)
    said = dict(told["said"])
    decision = said["decision"]
    said["edits"] = tuple(EditId(each) for each in said["edits"])
    said["decision"] = None if decision is None else Decision(EditId(decision[0]), decision[1], decision[2])
    query = Query.from_json(told["query"], images)
    named = {name: told[name] for name in ("id", "created", "model", "caller", "user", "metadata", "note")}
    return Completion(**named, query=query, said=Said(**said), flagged=True)
