"""What a command asks of a running server, and what comes back, as the same values that a session gives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from errata.cli._options import By
from errata.cli._server import Server, pictures, within
from errata.cli.log.listed import Sizes, Which, size_shown
from errata.core.canonical import JSON
from errata.core.errors import BadInput
from errata.core.images import Image
from errata.core.records import Edit, EditId, Query
from errata.log.entry import Entry
from errata.log.fold import Standing
from errata.log.listing import Listed, Page, image_named

if TYPE_CHECKING:
    from errata.session.receipts import Answer, Moved, Receipt, Returned

_PAGE = 1000


def put(
    server: Server, queries: Sequence[Query], point: str, max_new_tokens: int | None, *, each: bool = False
) -> tuple[list[Answer | str], list[tuple[EditId, ...] | None], int]:
    """Answers, or what is wrong with a question; the edits that each needs; the last entry of the log.

    Args:
        each: leave each edit out once that may have spoken.

    Raises:
        BadInput: a question is more than words and pictures.
    """
    body: dict[str, JSON] = {"questions": [_wording(query) for query in queries], "at": point, "leave_one_out": each}
    if max_new_tokens is not None:
        body["max_new_tokens"] = max_new_tokens
    found = server.post("/v1/ask", body)
    answers = [_answer(one) for one in found["data"]]
    return answers, [None if one["needed"] is None else tuple(one["needed"]) for one in found["data"]], int(found["entry"])


def give(server: Server, edit: Edit, *, mode: str, supersede: Sequence[str], by: By, key: str) -> Receipt:
    """A correction tried, proposed or applied."""
    body: dict[str, JSON] = {
        "question": edit.query.text,
        "images": pictures(edit.query.images),
        "answer": edit.target,
        "also": [query.text for query in edit.also],
        "keep": [query.text for query in edit.keep],
        "reach": edit.reach,
        "subject": edit.subject,
        "valid_until": edit.valid_until,
        "supersede": list(supersede),
        "mode": mode,
        **_why(by),
    }
    return receipt_of(server.post("/v1/edits", body, key=key))


def one(server: Server, edit: str, verb: str, by: By) -> Receipt:
    """Something done to one edit: approve, reject or restore."""
    return receipt_of(server.post(f"/v1/edits/{within(edit.strip().lower())}/{verb}", _why(by)))


def reverted(server: Server, by: By, *, dry_run: bool, **which: JSON) -> dict[str, Any]:
    """Edits taken back: `edits`, `entries` or `to`."""
    return server.post("/v1/reverts", {**which, **_why(by), "dry_run": dry_run})


def page(server: Server, which: Which, *, limit: int | None, offset: int) -> tuple[Page, Sizes]:
    """Edits as they are listed, and the sizes of their pictures.

    Args:
        which: as it is checked, with the statuses in it.
        limit: at most so many, the newest; None: all.
        offset: leave out so many of the newest first.
    """
    picture = image_named(which.image) if which.image else ""
    asked = {"author": which.author, "text": which.text, "since": which.since, "image": picture, "status": which.status or []}
    found: list[dict[str, Any]] = []
    wanted, first, last = None if limit is None else offset + limit, None, None
    while last is None or (last["has_more"] and (wanted is None or len(found) < wanted)):
        most = _PAGE if wanted is None else min(_PAGE, wanted - len(found))
        last = server.get("/v1/edits", **asked, limit=most, after="" if last is None else last["last_id"])
        first = first or last
        found += last["data"]
    sizes = {digest: size for one in found for digest, size in one["sizes"].items()}
    erased = {digest for one in found for digest in one["erased"]}
    rows = tuple(_rows(found[offset:wanted][::-1]))
    shown = Page(rows, int((first or {})["found"]), int((first or {})["total"]))
    return shown, lambda digest: size_shown(sizes.get(digest), erased=digest in erased)


def _rows(found: Sequence[Mapping[str, Any]]) -> Iterator[Listed]:
    """Listed edits as a log gives them; of an entry what is shown of it."""
    for each in found:
        by = {name: each[name] for name in ("author", "reason", "ticket")}
        body = {"by": by, "details": {}, "edit": each["content"], "edit_id": each["id"]}
        entry = Entry(each["entry"], "", "applied", each["time"], body, "", "")
        edit = Edit.from_json(each["content"], lambda digest: Image(digest, b""))
        taker = each["superseded_by"]
        yield Listed(entry, Standing(each["status"], each["entry"], None if taker is None else EditId(taker)), edit)


def receipt_of(told: Mapping[str, Any]) -> Receipt:
    """A receipt as it was told."""
    from errata.session.receipts import Receipt  # lists of edits need none of it

    return Receipt(
        EditId(told["id"]),
        told["status"],
        told["seq"],
        told["why"],
        told["before"],
        told["after"],
        tuple(told["kept"]),
        told["telemetry"],
        told["write_ms"],
        told["guard_ms"],
        tuple(told["supersedes"]),
        moved_of(told["moved"]),
        told["asked"],
        told["beside"],
        tuple(told["lost"]),
        moved_of(told["unsaid"]),
        told["unprotected"],
        told["beside_ms"],
    )


def returned_of(told: Mapping[str, Any]) -> Returned:
    """What going back did, as it was told; each edit's answer stands once."""
    from errata.session.receipts import Moved, Returned

    answers = {each["edit"]: Moved(each["query"], each["before"], each["after"]) for each in told["answers"]}
    out, back = (tuple(EditId(each) for each in told[name]) for name in ("reverted", "applied"))
    own = tuple(answers[each] for each in (*out, *back))
    return Returned(told["to"], out, back, own, moved_of(told["moved"]), told["asked"])


def moved_of(told: Sequence[Mapping[str, str]]) -> tuple[Moved, ...]:
    from errata.session.receipts import Moved

    return tuple(Moved(each["query"], each["before"], each["after"]) for each in told)


def _answer(told: Mapping[str, Any]) -> Answer | str:
    if told["error"] is not None:
        return str(told["error"])
    scored = told["decision"]
    from errata.core.model import Decision
    from errata.session.receipts import Answer

    decision = None if scored is None else Decision(EditId(scored["edit"]), scored["score"], scored["inside"])
    return Answer(told["answer"], tuple(told["edits"]), decision, told["exact"], told["whole"])


def _wording(query: Query) -> dict[str, JSON]:
    if query != Query.ask(query.text, *query.images):
        raise BadInput("A conversation can't go through a server by this command. Give --no-server, or ask /v1/chat/completions.")
    return {"question": query.text, "images": pictures(query.images)}


def _why(by: By) -> dict[str, JSON]:
    given = by.provenance
    return {"reason": given.reason, "ticket": given.ticket}
