"""`POST /v1/ask`: what `errata ask` tells, from a model that is open already."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from fastapi import APIRouter

from errata.core.errors import BadInput
from errata.core.given import asked
from errata.core.records import EditId, Query
from errata.door import Session
from errata.serve.delivery import Rows
from errata.serve.engine.seam import Ask, Said, Sampling
from errata.serve.routes._common import Asker, SentPictures, point_of, read
from errata.serve.service import Served, Service
from errata.serve.wire.ask import Answered, Answers, Decided, Questions
from errata.session import takeback
from errata.session.receipts import Answer

router = APIRouter(prefix="/v1", tags=["ask"])


@router.post("/ask")
async def ask(body: Questions, caller: Asker, service: Served) -> Answers:
    """Ask up to 16 questions of the model as the log has made it, or as it was, and be told which edits spoke and which were
    needed. Answers aren't remembered."""
    sent = SentPictures(service)
    queries = [
        asked(one.question, await sent.read(one.images, param=f"questions[{number}].images"))
        for number, one in enumerate(body.questions)
    ]
    if body.at:
        await read(service, caller, lambda log: point_of(log, body.at, param="at"))
        rows, entry = await service.done(caller.branch, lambda session: _then(session, queries, body))
        return Answers(data=rows, entry=entry)
    sampling = Sampling(max_new_tokens=body.max_new_tokens)
    asks = [Ask(query, caller.branch, min_seq=body.min_seq, sampling=sampling) for query in queries]
    found = await asyncio.gather(*(_said(service, one) for one in asks), return_exceptions=True)
    answers: list[Answer | str] = []
    for one in found:
        if isinstance(one, Said):
            answers.append(Answer(one.text, one.edits, one.decision, one.told, one.finish == "stop"))
        elif isinstance(one, BadInput):
            answers.append(str(one))
        elif isinstance(one, BaseException):
            raise one
    rows, entry = await service.done(caller.branch, lambda session: _whole(session, queries, answers, body.leave_one_out))
    return Answers(data=rows, entry=entry)


async def _said(service: Service, ask: Ask) -> Said:
    """The answer, at its end; where nobody waits for it any more its row is let go.

    Raises:
        Exception: what the engine delivered instead.
    """
    with Rows(service.engine, [ask]) as rows:
        while True:
            _, what = await rows.next()
            if isinstance(what, Said):
                return what


def _then(session: Session, queries: Sequence[Query], body: Questions) -> tuple[list[Answered], int]:
    """The answers at a point of the past."""
    past = session.at(body.at)
    answers: list[Answer | str] = []
    for query in queries:
        try:
            answers += past.inner.ask([query], max_new_tokens=body.max_new_tokens)
        except BadInput as error:
            answers.append(str(error))
    return _whole(past, queries, answers, body.leave_one_out)


def _whole(session: Session, queries: Sequence[Query], answers: Sequence[Answer | str], each: bool) -> tuple[list[Answered], int]:
    """The answers with the edits that they need, and the last entry of the log."""
    rows = [
        Answered(answer="", whole=True, edits=[], exact=True, decision=None, needed=None, error=answer)
        if isinstance(answer, str)
        else _told(answer, _needed(session, query, answer, each))
        for query, answer in zip(queries, answers, strict=True)
    ]
    return rows, len(session.inner.log)


def _told(answer: Answer, needed: tuple[EditId, ...] | None) -> Answered:
    scored = answer.decision
    return Answered(
        answer=answer.text,
        whole=answer.whole,
        edits=list(answer.edits),
        exact=answer.told,
        decision=None if scored is None else Decided(edit=scored.edit, score=scored.score, inside=scored.inside),
        needed=None if needed is None else list(needed),
    )


def _needed(session: Session, query: Query, answer: Answer, each: bool) -> tuple[EditId, ...] | None:
    """The edits without which the answer would be another; None where it isn't asked for, or one was pinned."""
    pinned = session.inner.log.fixed() & {*answer.edits}
    if pinned or not (answer.told or each):
        return None
    return takeback.left_out(session.inner, [query], [answer])[0]
