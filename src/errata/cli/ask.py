"""`errata ask`: a question to the model as its log has made it."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from errata.cli._groups import grouped
from errata.cli._open import session_to_ask
from errata.cli._options import AsJson, Place
from errata.cli._print import SHORT, note, say, say_json, watched
from errata.core.canonical import JSON
from errata.core.given import asked, picture, words
from errata.core.records import EditId, Query, instant
from errata.log.recent import remember

if TYPE_CHECKING:
    from errata.log import EditLog
    from errata.session.receipts import Answer
    from errata.session.session import Session

_NAMED = 5
"""Speaking edits that are named; the rest are counted."""


@grouped
def ask(
    question: Annotated[str, typer.Argument(help="What to ask.")],
    image: Annotated[list[Path] | None, typer.Option("--image", help="A picture; may be given several times.")] = None,
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
    place: Place = Place(),
    as_json: AsJson = False,
) -> None:
    """Ask the model, with every correction of the log in force.

    The answer goes to standard output; which edits spoke, to standard error. Without a store, the unedited model answers. Who spoke
    is exact where each edit has a place of its own (codebook, scoped editors); where edits share weights, --leave-one-out tells.

    \b
    Examples:
      errata ask "what is the thing at the top left called?" --image scene.png
      errata ask "where does mibo live?" --at 17
      errata ask "what is there?" --image scene.png --json
      errata ask "what is there?" --image scene.png --remember asked.jsonl
      errata ask "where does mibo live?" --leave-one-out
    """
    query = asked(question, [picture(path) for path in image or ()])
    point = words(at, "point")
    with session_to_ask(place, check=partial(_known, point)) as present:
        session = _then(present, point) if point else present
        (answer,) = session.ask([query], max_new_tokens=max_new_tokens)
        needed = _needed(session, query, answer) if without_each or answer.told else None
        if keep_in is not None:
            remember(keep_in, query)
        if as_json:
            decision = answer.decision
            scored: JSON = None if decision is None else {"edit": decision.edit, "score": decision.score, "inside": decision.inside}
            told: dict[str, JSON] = {
                "answer": answer.text,
                "whole": answer.whole,
                "edits": list(answer.edits),
                "exact": answer.told,
            }
            causes: dict[str, JSON] = {} if needed is None else {"needed": list(needed)}
            say_json({**told, **causes, "decision": scored, "entry": len(session.log)})
            return
        say(answer.text)
        if not answer.whole:
            note("The answer was cut there. For more of it: --max-new-tokens NUMBER")
        _tell_who(answer, needed)
        if answer.decision is not None:
            which, side = answer.decision.edit[:SHORT], "in scope" if answer.decision.inside else "out of scope"
            note(f"the scope scored {which} at {answer.decision.score:.3f}: {side}")


def _needed(session: Session, query: Query, answer: Answer) -> tuple[EditId, ...]:
    """The edits without which the answer would be another."""
    from errata.session.takeback import left_out

    if answer.told:
        return left_out(session, [query], [answer])[0]
    with watched("left out") as progress:
        return left_out(session, [query], [answer], progress=progress)[0]


def _tell_who(answer: Answer, needed: tuple[EditId, ...] | None) -> None:
    if not answer.told and needed is None:
        note(f"edits whose weights are shared: {_named(answer.edits)}. Which of them made the answer: --leave-one-out")
    elif not answer.told:
        note(f"edits without which the answer would be another: {_named(needed or ())}")
    else:
        note(f"edits that spoke: {_named(answer.edits)}")
        idle = tuple(edit for edit in answer.edits if edit not in (needed or ()))
        if idle:
            note(f"the answer would be the same without {_named(idle)}")


def _named(edits: tuple[EditId, ...]) -> str:
    more = f" and {len(edits) - _NAMED} more" if len(edits) > _NAMED else ""
    return (", ".join(edit[:SHORT] for edit in edits[:_NAMED]) or "none") + more


def _known(point: str, log: EditLog) -> None:
    """Whether the log has the point that is asked for, before a model is loaded."""
    if point:
        log.point(point)


def _then(session: Session, text: str) -> Session:
    """The session as it was at a point; at a moment, edits whose time was over by then don't speak."""
    moment = None if text.strip() in session.log.aliases() or re.fullmatch(r"\s*[0-9]{1,18}\s*", text) else instant(text.strip())
    return session.at(session.log.point(text), when=moment)
