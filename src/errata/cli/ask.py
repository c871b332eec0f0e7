"""`errata ask`: a question to the model as its log has made it, or a file of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from errata.cli._groups import grouped
from errata.cli._open import session_to_ask
from errata.cli._options import AsJson, Place
from errata.cli._print import SHORT, complain, note, say, say_json, watched
from errata.cli._server import Served, Server, refused, server_for
from errata.cli._through import put
from errata.core.canonical import JSON
from errata.core.errors import BadInput
from errata.core.given import asked, picture, words
from errata.core.records import EditId, Query, instant
from errata.log.recent import remember

if TYPE_CHECKING:
    from errata.log import EditLog
    from errata.log.formats.questions import Question
    from errata.session.receipts import Answer
    from errata.session.session import Session

_TOGETHER = 16
"""Questions of a file that are asked in one batch."""

SOME_BAD = 3
"""Exit code: a file had rows that couldn't be asked."""

_NAMED = 5
"""Speaking edits that are named; the rest are counted."""


@grouped
def ask(
    question: Annotated[str | None, typer.Argument(help="What to ask; not given: what --file holds.")] = None,
    image: Annotated[list[Path] | None, typer.Option("--image", help="A picture; may be given several times.")] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", help="Ask what this file holds: JSON objects or a table with question, image, id; or corrections."),
    ] = None,
    at: Annotated[
        str, typer.Option("--at", help="As the model was after this entry of the log (0: unedited), at this alias or time.")
    ] = "",
    keep_in: Annotated[
        Path | None, typer.Option("--remember", help="Keep the question and its pictures in this file of recent questions.")
    ] = None,
    max_new_tokens: Annotated[
        int | None,
        typer.Option("--max-new-tokens", min=1, max=4096, help="Longest answer; else 64, or what a correction that speaks needs."),
    ] = None,
    without_each: Annotated[
        bool,
        typer.Option("--leave-one-out", help="Leave each edit out once that may have spoken, also where all share weights."),
    ] = False,
    served: Served = Served(),
    place: Place = Place(),
    as_json: AsJson = False,
) -> None:
    """Ask the model, with every correction of the log in force.

    The answer goes to standard output; which edits spoke, to standard error. Without a store, the unedited model answers. Who spoke
    is exact where each edit has a place of its own (codebook, scoped editors); where edits share weights, --leave-one-out tells.

    Of a file, every row is answered by a JSON object on a line, with the edits that spoke. A bad row is named, has its error in the
    place of an answer, and the others are answered; the exit code is then 3.

    \b
    Examples:
      errata ask "what is the thing at the top left called?" --image scene.png
      errata ask "where does mibo live?" --at 17
      errata ask "what is there?" --image scene.png --json
      errata ask "what is there?" --image scene.png --remember asked.jsonl
      errata ask "where does mibo live?" --leave-one-out
      errata ask --file questions.jsonl > answers.jsonl
      errata ask --file questions.csv --at 17
    """
    point = words(at, "point")
    _check_one(question, file, image)
    if file is not None:
        _ask_all(file, place, served, point=point, keep_in=keep_in, max_new_tokens=max_new_tokens)
        return
    query = asked(question or "", [picture(path) for path in image or ()])
    server = server_for(place.where, served, refuses=refused(place))
    if server is not None:
        (answer,), (needed,), entry = put(server, [query], point, max_new_tokens, each=without_each)
        if isinstance(answer, str):
            raise BadInput(answer)
    else:
        answer, needed, entry = _ask_here(query, place, point=point, max_new_tokens=max_new_tokens, each=without_each)
    if keep_in is not None:
        remember(keep_in, query)
    _tell(answer, needed, entry, as_json)


def _ask_here(
    query: Query, place: Place, *, point: str, max_new_tokens: int | None, each: bool
) -> tuple[Answer, tuple[EditId, ...] | None, int]:
    """The answer of the model opened here, the edits that it needs, and the log's last entry."""
    with session_to_ask(place, check=partial(_known, point)) as present:
        session = _then(present, point) if point else present
        (answer,) = session.ask([query], max_new_tokens=max_new_tokens)
        return answer, _needed(session, query, answer) if each or answer.told else None, len(session.log)


def _check_one(question: str | None, file: Path | None, image: list[Path] | None) -> None:
    """Whether it is one question that is asked, or one file."""
    if (question is None) == (file is None):
        raise BadInput("Ask one question, or those of a file: give one of QUESTION and --file.")
    if file is not None and image:
        raise BadInput("Of --file, the pictures stand in the file, under 'image'. Leave --image out.")


def _tell(answer: Answer, needed: tuple[EditId, ...] | None, entry: int, as_json: bool) -> None:
    if as_json:
        causes: dict[str, JSON] = {} if needed is None else {"needed": list(needed)}
        say_json({**_told(answer), **causes, "entry": entry})
    else:
        _show(answer, needed)


def _show(answer: Answer, needed: tuple[EditId, ...] | None) -> None:
    """An answer as text: who spoke, and what a scope said, on standard error."""
    say(answer.text)
    if not answer.whole:
        note("The answer was cut there. For more of it: --max-new-tokens NUMBER")
    _tell_who(answer, needed)
    if answer.decision is not None:
        which, side = answer.decision.edit[:SHORT], "in scope" if answer.decision.inside else "out of scope"
        note(f"the scope scored {which} at {answer.decision.score:.3f}: {side}")


def _needed(session: Session, query: Query, answer: Answer) -> tuple[EditId, ...] | None:
    """The edits without which the answer would be another; None where one of those that spoke was pinned, and can't be left out."""
    from errata.session.takeback import left_out

    if answer.told:
        return None if session.log.fixed() & {*answer.edits} else left_out(session, [query], [answer])[0]
    with watched("left out") as progress:
        return left_out(session, [query], [answer], progress=progress)[0]


def _tell_who(answer: Answer, needed: tuple[EditId, ...] | None) -> None:
    if not answer.told and needed is None:
        note(f"edits whose weights are shared: {_named(answer.edits)}. Which of them made the answer: --leave-one-out")
    elif not answer.told:
        note(f"edits without which the answer would be another: {_named(needed or ())}")
    else:
        note(f"edits that spoke: {_named(answer.edits)}")
        idle = () if needed is None else tuple(edit for edit in answer.edits if edit not in needed)
        if idle:
            note(f"the answer would be the same without {_named(idle)}")


def _named(edits: tuple[EditId, ...]) -> str:
    more = f" and {len(edits) - _NAMED} more" if len(edits) > _NAMED else ""
    return (", ".join(edit[:SHORT] for edit in edits[:_NAMED]) or "none") + more


def _ask_all(file: Path, place: Place, served: Served, *, point: str, keep_in: Path | None, max_new_tokens: int | None) -> None:
    """Answer what a file holds, some rows at a time; each has its line, in the order of the file."""
    from errata.log.formats.questions import questions  # every format of corrections comes with it

    rows = questions(file)
    first = next(rows, None)  # before a model is loaded: is there such a file, and a question in it?
    if first is None:
        note(f"{file}: no questions")
        return
    bad, left = 0, chain((first,), rows)
    server = server_for(place.where, served, refuses=refused(place))
    with ExitStack() as held:
        if server is not None:
            answering = partial(_there, server, point, max_new_tokens)
        else:
            present = held.enter_context(session_to_ask(place, check=partial(_known, point)))
            answering = partial(_here, _then(present, point) if point else present, max_new_tokens)
        while some := list(islice(left, _TOGETHER)):
            for row, answer in answering(some):
                named: dict[str, JSON] = {"row": row.number} | ({} if row.id is None else {"id": row.id})
                if isinstance(row.found, str) or answer is None:
                    bad += 1
                    complain(f"{file}, row {row.number}: {row.found}")
                    say_json({**named, "error": str(row.found)})
                    continue
                if keep_in is not None:
                    remember(keep_in, row.found)
                say_json({**named, "question": row.found.text, **_told(answer)})
    if bad:
        raise typer.Exit(SOME_BAD)


def _here(session: Session, max_new_tokens: int | None, rows: Sequence[Question]) -> Iterator[tuple[Question, Answer | None]]:
    """Rows with their answers; one that can't be asked with what is wrong with it in the place of its question."""
    checked = [_checked(session, row) for row in rows]
    queries = [row.found for row in checked if not isinstance(row.found, str)]
    answers = iter(session.ask(queries, max_new_tokens=max_new_tokens) if queries else ())
    for row in checked:
        yield row, None if isinstance(row.found, str) else next(answers)


def _there(
    server: Server, point: str, max_new_tokens: int | None, rows: Sequence[Question]
) -> Iterator[tuple[Question, Answer | None]]:
    """The same from a server."""
    queries = [row.found for row in rows if not isinstance(row.found, str)]
    answers = iter(put(server, queries, point, max_new_tokens)[0] if queries else ())
    for row in rows:
        found = row.found if isinstance(row.found, str) else next(answers)
        yield (row._replace(found=found), None) if isinstance(found, str) else (row, found)


def _checked(session: Session, row: Question) -> Question:
    """The row, with what is wrong where this model can't be asked it."""
    if isinstance(row.found, str):
        return row
    try:
        session.model.check(row.found)
    except BadInput as error:
        return row._replace(found=str(error))
    return row


def _told(answer: Answer) -> dict[str, JSON]:
    """An answer as JSON."""
    decision = answer.decision
    scored: JSON = None if decision is None else {"edit": decision.edit, "score": decision.score, "inside": decision.inside}
    spoke: dict[str, JSON] = {"edits": list(answer.edits), "exact": answer.told}
    return {"answer": answer.text, "whole": answer.whole, **spoke, "decision": scored}


def _known(point: str, log: EditLog) -> None:
    """Whether the log has the point that is asked for, before a model is loaded."""
    if point:
        log.point(point)


def _then(session: Session, text: str) -> Session:
    """The session as it was at a point; at a moment, edits whose time was over by then don't speak."""
    moment = None if text.strip() in session.log.aliases() or re.fullmatch(r"\s*[0-9]{1,18}\s*", text) else instant(text.strip())
    return session.at(session.log.point(text), when=moment)
