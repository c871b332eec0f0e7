"""`/v1/edits`: corrections tried, proposed, applied, listed, approved, taken back and brought back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, Final, get_args

from fastapi import APIRouter, Query, Request

from errata.core.given import words
from errata.core.images import Image
from errata.core.records import Edit, instant
from errata.core.records import Query as Asked
from errata.log import EditLog
from errata.log.fold import Fate
from errata.log.listing import STANDING, Sought, edits, image_named
from errata.serve import corrections
from errata.serve.access import Caller
from errata.serve.asked import query_of
from errata.serve.corrections import Given
from errata.serve.routes._common import (
    Approver,
    EditPath,
    Proposer,
    RequestKey,
    SentPictures,
    by_of,
    changed,
    check_recent,
    point_of,
    read,
    recent_of,
    wordings,
)
from errata.serve.service import Served, Service
from errata.serve.wire.edits import (
    EditReceipt,
    Edits,
    NewEdit,
    OwnAnswer,
    Questions,
    Reason,
    Receipts,
    Reverts,
    Score,
    Scores,
    WentBack,
    WholeEdit,
    Why,
    as_object,
    digests_of,
    entry_json,
    image_paths,
    in_words,
    listed_json,
    moved_json,
    receipt_json,
)
from errata.serve.wire.errors import bad_request, forbidden, not_found
from errata.session.receipts import Receipt, Status, receipt_in

router = APIRouter(prefix="/v1", tags=["edits"])

_SPEAKS: Final = 0.5
"""From this score on an edit speaks: every scope is bent so (`errata.editors.scoped`)."""

_RECEIPTS: Final = frozenset(get_args(Status))


@router.post("/edits")
async def give(body: NewEdit, request: Request, caller: Proposer, service: Served, key: RequestKey = None) -> EditReceipt:
    """Try a correction (`mode` dry_run), propose it, or apply it, which needs the role approve. One that the model doesn't learn,
    or that would move what it must not, is refused whole: the receipt says why, and the status is 200."""
    if body.mode == "apply" and not caller.may("approve"):
        raise forbidden(f"Applying needs the role approve, and the key has the role {caller.role}. Propose it: mode propose.")
    check_recent(body.recent, body.mode == "dry_run")
    made = await _edit(body, caller, service)
    if body.completion is not None:  # remembered here alone: passed on to another server, it is what was asked
        request.state.instead = in_words(body, made.query)
    given = Given(
        made,
        by_of(caller, body.reason, body.ticket),
        body.mode,
        key="" if key is None or body.mode == "dry_run" else key,
        supersede=tuple(body.supersede),
        recent=tuple(await recent_of(service, caller)) if body.recent else (),
    )
    return receipt_json(await changed(service, caller, corrections.give, given))


@router.get("/edits")
async def list_edits(
    caller: Proposer,
    service: Served,
    status: Annotated[list[Fate] | None, Query(description="What became of them; none given: those in force.")] = None,
    everything: Annotated[bool, Query(alias="all", description="Whatever became of them.")] = False,
    author: Annotated[str, Query(max_length=256)] = "",
    text: Annotated[str, Query(max_length=1024)] = "",
    since: Annotated[str, Query(max_length=128, description="After an entry's number, an alias or a time.")] = "",
    image: Annotated[str, Query(pattern=r"^[0-9a-f]{6,64}$|^$")] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    after: Annotated[str, Query(pattern=r"^[0-9a-f]{6,64}$|^$", description="The last edit of the page before.")] = "",
) -> Edits:
    """The edits that fit, newest first, a page at a time."""

    def page(log: EditLog) -> Edits:
        fates = frozenset(get_args(Fate)) if everything else frozenset(status or STANDING)
        sought = Sought(
            author, point_of(log, since, param="since") if since else 0, text, fates, image_named(image) if image else ""
        )
        before = None
        if after:
            standing = log.fates().get(log.resolve(after))
            before = None if standing is None else standing.seq
        found = edits(log, sought, limit=limit + 1, before=before)
        rows = [listed_json(log, one) for one in reversed(found.rows)]
        shown = rows[:limit]
        last = shown[-1].id if shown else None
        return Edits(data=shown, has_more=len(rows) > limit, last_id=last, found=found.found, total=found.total)

    if status and everything:
        raise bad_request("Say which edits in one way: all or status.", param="all")
    for each, what in ((author, "author"), (text, "text"), (since, "since")):
        words(each, what)
    return await read(service, caller, page)


@router.get("/edits/{edit}")
async def one_edit(edit: EditPath, caller: Proposer, service: Served) -> WholeEdit:
    """One edit with all that the log says of it."""
    return await read(service, caller, lambda log: _whole(log, edit))


@router.post("/edits/{edit}/approve")
async def approve(edit: EditPath, body: Why, caller: Approver, service: Served) -> EditReceipt:
    """Apply what was proposed, guarded by what is true now. Where the branch asks for two people, who proposed it can't (403)."""
    return await _on(edit, corrections.approve, body, caller, service)


@router.post("/edits/{edit}/reject")
async def reject(edit: EditPath, body: Reason, caller: Approver, service: Served) -> EditReceipt:
    """Turn down what was proposed."""
    by = by_of(caller, body.reason, body.ticket)
    return receipt_json(await changed(service, caller, corrections.reject, edit, by))


@router.post("/edits/{edit}/revert")
async def revert(edit: EditPath, body: Why, caller: Approver, service: Served) -> EditReceipt:
    """Take an edit back: the model then answers as if it had never been made. A dry run asks the questions of the newest edits in
    force, and tells whose answers would change."""
    return await _on(edit, corrections.revert, body, caller, service)


@router.post("/edits/{edit}/restore")
async def restore(edit: EditPath, body: Why, caller: Approver, service: Served) -> EditReceipt:
    """Apply an edit again that was in force once, guarded by what is true now."""
    return await _on(edit, corrections.restore, body, caller, service)


@router.post("/reverts")
async def reverts(body: Reverts, caller: Approver, service: Served) -> Receipts | WentBack:
    """Take several edits back together, with one fold: those that are named, those that a range of entries applied, or all that
    changed since a point, which also brings back what was in force then."""
    if sum((bool(body.edits), bool(body.entries), bool(body.to))) != 1:
        raise bad_request("Say what to take back in one way: edits, entries or to.")
    check_recent(body.recent, body.dry_run)
    recent = await recent_of(service, caller) if body.recent else []
    by = by_of(caller, body.reason, body.ticket)
    if body.to:
        await read(service, caller, lambda log: point_of(log, body.to, param="to"))
        done = await changed(service, caller, corrections.go_back, body.to, by, body.dry_run, recent)
        answers = {edit: one for edit, one in zip((*done.out, *done.back), done.own, strict=True)}
        return WentBack(
            to=done.seq,
            done=not body.dry_run,
            reverted=list(done.out),
            applied=list(done.back),
            answers=[OwnAnswer(edit=edit, query=one.query, before=one.before, after=one.after) for edit, one in answers.items()],
            moved=[moved_json(one.query, one.before, one.after) for one in done.moved],
            asked=done.asked,
        )
    named: list[str] = list(body.edits)
    if body.entries:
        named = list(await service.done(caller.branch, lambda session: corrections.applied_by(body.entries, session)))
    found = await changed(service, caller, corrections.withdraw, named, by, body.dry_run, recent)
    return Receipts(data=[receipt_json(one) for one in found])


@router.post("/edits/{edit}/questions")
async def score(edit: EditPath, body: Questions, caller: Proposer, service: Served) -> Scores:
    """What this edit's scope says of questions, or of the recent ones of the branch, highest first, as if no other were in force.
    Editors without a scope score nothing."""
    asked = await wordings(SentPictures(service), body.questions, (), param="questions") or await recent_of(service, caller)
    found = await service.done(caller.branch, lambda session: corrections.scores(edit, asked, session))
    rows = [
        Score(
            question=query.text,
            images=image_paths(tuple(image.digest for image in query.images)),
            edit=None if one is None else one.edit,
            score=None if one is None else one.score,
            inside=None if one is None else one.inside,
        )
        for query, one in zip(asked, found, strict=True)
    ]
    return Scores(data=sorted(rows, key=lambda row: -1.0 if row.score is None else row.score, reverse=True), threshold=_SPEAKS)


async def _on(edit: str, what: Callable[..., Receipt], body: Why, caller: Caller, service: Service) -> EditReceipt:
    """What is done with one edit, or would be."""
    check_recent(body.recent, body.dry_run)
    recent = await recent_of(service, caller) if body.recent else []
    by = by_of(caller, body.reason, body.ticket)
    return receipt_json(await changed(service, caller, what, edit, by, body.dry_run, recent))


async def _edit(body: NewEdit, caller: Caller, service: Service) -> Edit:
    """The correction that is meant, its question from words, from a conversation, or from a completion that is remembered."""
    if sum(each is not None for each in (body.question, body.messages, body.completion)) != 1:
        raise bad_request("Say what was asked in one way: question, messages or completion.")
    if body.image is not None and body.images:
        raise bad_request("Give image or images, not both.", param="image")
    urls = [body.image] if body.image is not None else body.images
    if urls and body.question is None:
        raise bad_request("The pictures are in what was asked. Leave image and images out.", param="images")
    sent = SentPictures(service)
    images = await sent.read(urls, param="images")
    query, images = await _asked(body, images, sent, caller, service)
    also, keep = [await wordings(sent, each, images, param=name) for each, name in ((body.also, "also"), (body.keep, "keep"))]
    subject = None if body.subject is None else words(body.subject, "subject")
    until = None if body.valid_until is None else _until(body.valid_until)
    return Edit(query, words(body.answer, "answer"), tuple(also), tuple(keep), body.reach, subject, until)


async def _asked(
    body: NewEdit, images: list[Image], sent: SentPictures, caller: Caller, service: Service
) -> tuple[Asked, list[Image]]:
    if body.question is not None:
        return Asked.ask(words(body.question, "question"), *images), images
    if body.messages is not None:
        query = await asyncio.to_thread(query_of, body.messages, sent.reader, most=service.serving.max_pictures)
        return query, list(query.images)
    named = body.completion or ""
    held = await asyncio.to_thread(service.recent.find, caller.branch, named)
    if held is None:
        raise not_found("No such completion is remembered here. Give question and images instead.", param="completion")
    return held.query, list(held.query.images)


def _until(text: str) -> str:
    return instant(words(text, "valid_until")).isoformat(timespec="seconds").replace("+00:00", "Z")


def _whole(log: EditLog, prefix: str) -> WholeEdit:
    named = log.resolve(prefix)
    history = list(log.find(named))
    standing = log.fates().get(named)
    if standing is None:
        raise not_found(f"The log names the edit {named[:12]} but doesn't hold its content.")
    holder = next(entry for entry in history if entry.seq == standing.seq)
    made = log.words(named)
    told = next((entry for entry in reversed(history) if entry.kind in _RECEIPTS), None)
    receipt = None if told is None else receipt_in(told)
    return WholeEdit(
        id=named,
        status=standing.fate,
        superseded_by=standing.superseded_by,
        in_force=named in log.ids_in_force(),
        question=made.query.text,
        answer=made.target,
        images=image_paths(digests_of(made)),
        also=[query.text for query in made.also],
        keep=[query.text for query in made.keep],
        reach=made.reach,
        subject=made.subject,
        valid_until=made.valid_until,
        author=holder.by.author,
        time=holder.time,
        reason=holder.by.reason,
        ticket=holder.by.ticket,
        content=as_object(holder.body["edit"]),
        receipt=None if receipt is None else receipt_json(receipt),
        telemetry={} if receipt is None else dict(receipt.telemetry),
        history=[entry_json(entry) for entry in history],
    )
