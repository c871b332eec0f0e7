"""`/v1/recent` and `/v1/queue`: answers that were given, those that somebody flagged, and what else a person should look at."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Path, Query

from errata.core.errors import ErrataError
from errata.core.given import words
from errata.log import EditLog
from errata.log.listing import Sought, edits
from errata.serve.recent import Completion, forget_pictures
from errata.serve.routes._common import Asker, Proposer, read
from errata.serve.service import Served
from errata.serve.wire.edits import digests_of, image_paths, listed_json
from errata.serve.wire.errors import not_found
from errata.serve.wire.logs import Flag, Queue, RecentAnswer, RecentAnswers, Waiting
from errata.session.audit import Audit

router = APIRouter(prefix="/v1", tags=["recent"])

_ALL = 10**9


@router.get("/recent")
async def recent(
    caller: Proposer,
    service: Served,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    flagged: Annotated[bool | None, Query(description="Only those that are flagged, or only those that aren't.")] = None,
) -> RecentAnswers:
    """The newest answers that the server remembers, newest first. Those that aren't flagged are gone when it ends."""
    held = await asyncio.to_thread(lambda: list(service.recent.newest(caller.branch, _ALL, pictures=False)))
    found = [one for one in held if flagged in (None, one.flagged)]
    return RecentAnswers(data=[answer_json(one) for one in found[:limit]])


@router.post("/recent/{completion}/flag")
async def flag(
    completion: Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,128}$", description="A completion's id.")],
    body: Flag,
    caller: Asker,
    service: Served,
) -> RecentAnswer:
    """Mark an answer as suspect, so that it is in the queue, or no longer."""
    held = await asyncio.to_thread(service.recent.find, caller.branch, completion)
    if held is not None and not caller.may("propose") and held.caller != caller.name:
        held = None  # who only asks has nothing to do with others' answers
    if held is None:
        raise not_found("No such completion is remembered here.")
    note = words(body.note, "note") if body.flag else ""
    found = await asyncio.to_thread(partial(service.recent.flag, caller.branch, completion, flagged=body.flag, note=note))
    if found is None:
        raise not_found("No such completion is remembered here.")
    return answer_json(found)


@router.get("/queue")
async def queue(caller: Proposer, service: Served, limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> Queue:
    """What a person should look at, the most suspect first: flagged answers, what the last audit here found, proposals."""
    audit = service.audits.get(caller.branch)

    def waiting(log: EditLog) -> list[Waiting]:
        forget_pictures(service.beside, log.erased(), caller.branch)
        flagged = [_flagged(one) for one in service.recent.flagged(caller.branch)]
        return [*flagged, *_faded(log, audit), *_proposed(log)]

    return Queue(data=(await read(service, caller, waiting))[:limit])


def answer_json(one: Completion) -> RecentAnswer:
    return RecentAnswer(
        id=one.id,
        created=one.created,
        model=one.model,
        caller=one.caller,
        question=one.query.text,
        images=image_paths(tuple(image.digest for image in one.query.images)),
        answer=one.said.text,
        edits=list(one.said.edits),
        told=one.said.told,
        seq=one.said.seq,
        flagged=one.flagged,
        note=one.note,
    )


def _flagged(one: Completion) -> Waiting:
    told = answer_json(one)
    return Waiting(
        kind="flagged",
        score=1.0,
        id=one.id,
        question=told.question,
        answer=told.answer,
        images=told.images,
        note=one.note,
        by=one.caller,
        answered=told,
    )


def _faded(log: EditLog, audit: Audit | None) -> list[Waiting]:
    """What the last audit found that is still in force."""
    standing = set(log.ids_in_force())
    found = []
    for one in () if audit is None else audit.bad:
        with suppress(ErrataError):  # erased since
            if one.edit in standing:
                made = log.words(one.edit)
                said = "; ".join(str(each) for each in one.told)
                found.append(
                    Waiting(
                        kind="faded",
                        score=0.9,
                        id=one.edit,
                        question=one.question,
                        answer=one.target,
                        images=image_paths(digests_of(made)),
                        note=said,
                        by="audit",
                    )
                )
    return found


def _proposed(log: EditLog) -> list[Waiting]:
    rows = edits(log, Sought(fates=frozenset({"proposed"}))).rows
    return [
        Waiting(
            kind="proposed",
            score=0.5,
            id=told.id,
            question=told.question,
            answer=told.answer,
            images=told.images,
            note=told.reason,
            by=told.author,
            edit=told,
        )
        for told in (listed_json(log, one) for one in rows)
    ]
