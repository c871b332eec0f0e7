"""The side of the proof that runs on transformers: corrections are made, and questions asked before, midway and after.

It runs in a process of its own (`python -m errata_vllm.proof.authoring`), so that no weights are in memory beside vLLM's.
"""

from __future__ import annotations

import base64
import json
import random
import sys
import time
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from errata.benchmarks.atlas.stream import AtlasWords
from errata.benchmarks.scopeworld.stream import ScopeWorldStream
from errata.core.benchmark import Case, Stream
from errata.core.model import ANSWER_TOKENS
from errata.core.records import Provenance, Query
from errata.editors import parse
from errata.log import EditLog, SqliteStore
from errata.models import TransformersModel, load
from errata.session.session import Session

_BY = Provenance("proof", "a fact that changed")
_BATCH = 16


def make(out: Path, model: str, *, edits: int, questions: int, seed: int = 7) -> None:
    """Make corrections, and write what was asked and answered to `asked.json`.

    Args:
        out: a folder; the store is written to `errata.db` in it.
        model: the model's name.
        edits: how many corrections are made.
        questions: how many questions are asked; each correction's own is among them while there is room.
        seed: of the stream.
    """
    opened = load(model)
    cases = _stream(opened, edits=edits, seed=seed).truth(edits)
    queries = _questions(cases, questions)
    started = time.perf_counter()
    with SqliteStore(out / "errata.db") as store:
        session = Session.open(opened, parse("codebook"), EditLog(store), asked="codebook", beside=True)
        told: dict[str, Any] = {"base": _answers(opened, session, queries, seq=0)}
        refused, half = 0, len(session.log)
        for number, case in enumerate(cases, start=1):
            receipt = session.edit(case.edit, _BY)
            refused += receipt.status != "applied"
            if number == edits // 2:
                half = len(session.log)
                told["half"] = _answers(opened, session, queries, seq=half)
        told["after"] = _answers(opened, session, queries, seq=len(session.log))
        told |= {
            "model": model, "digest": opened.digest, "edits": len(session.standing()), "refused": refused,
            "half_seq": half, "seq": len(session.log), "questions": [_messages(query) for query in queries],
            "pictures": sum(bool(query.images) for query in queries), "seconds": time.perf_counter() - started,
        }  # fmt: skip
    (out / "asked.json").write_text(json.dumps(told), encoding="utf-8")


def revert_all(out: Path, model: str) -> None:
    """Take every correction back."""
    with SqliteStore(out / "errata.db") as store:
        session = Session.open(load(model), parse("codebook"), EditLog(store))
        session.withdraw("reverted", session.standing(), _BY)


def obey(out: Path, model: str, *, edits: int, seed: int = 8) -> None:
    """Correct and take back as lines on standard input say (`edit N`, `revert N`); a line of JSON acknowledges each."""
    opened = load(model)
    cases = _stream(opened, edits=edits, seed=seed).truth(edits)
    with SqliteStore(out / "errata.db") as store:
        session = Session.open(opened, parse("codebook"), EditLog(store), asked="codebook")
        queries = [case.edit.query for case in cases]
        before = [answer.text for answer in session.ask(queries)]
        print(json.dumps({"before": before, "questions": [_messages(query) for query in queries]}), flush=True)
        for line in sys.stdin:
            verb, number = line.split()
            edit = cases[int(number)].edit
            receipt = session.edit(edit, _BY) if verb == "edit" else session.revert(edit.id, _BY)
            answers = [answer.text for answer in session.ask(queries)]
            print(json.dumps({"status": receipt.status, "seq": len(session.log), "answers": answers}), flush=True)


def _stream(model: TransformersModel, *, edits: int, seed: int) -> Stream:
    """ScopeWorld's corrections for a model that sees; Atlas's, which are in words alone, for one that doesn't."""
    seeing = bool(model.writable["vision"])
    return ScopeWorldStream(edits=edits, seed=seed) if seeing else AtlasWords(edits=edits, seed=seed)


def _questions(cases: Sequence[Case], most: int) -> list[Query]:
    """A quarter are the corrections' own; the rest are drawn from all probes, with a picture and without by turns."""
    own = [case.edit.query for case in cases][: most // 4]
    around = list(dict.fromkeys(probe.query for case in cases for probe in case.probes if probe.query not in set(own)))
    random.Random(3).shuffle(around)
    pictured, worded = ([query for query in around if bool(query.images) is seen] for seen in (True, False))
    turns = [query for pair in zip_longest(pictured, worded) for query in pair if query is not None]
    return [*own, *turns][:most]


def _answers(model: TransformersModel, session: Session, queries: Sequence[Query], *, seq: int) -> list[Mapping[str, Any]]:
    view = session.at(seq) if seq else None
    found: list[Mapping[str, Any]] = []
    for start in range(0, len(queries), _BATCH):
        part = queries[start : start + _BATCH]
        read = (session.at(1) if view is None else view).read
        spoken = model.generated(part, [read(query) for query in part], max_new_tokens=ANSWER_TOKENS)
        found += [{"text": one.text, "tokens": one.tokens, "spoke": list(one.spoke or ())} for one in spoken]
        if view is not None:
            asked = view.ask(part, max_new_tokens=ANSWER_TOKENS)
            assert [answer.text for answer in asked] == [one.text for one in spoken], "a session says what its model says"
    return found


def _messages(query: Query) -> list[Any]:
    """The query as the messages of a chat completion."""
    return [
        {"role": message.role, "content": [_part(part) for part in message.parts]}
        for message in query.messages
    ]  # fmt: skip


def _part(part: Any) -> Mapping[str, Any]:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    return {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{base64.b64encode(part.data).decode()}"}}


if __name__ == "__main__":
    command, folder, name, *numbers = sys.argv[1:]
    if command == "make":
        make(Path(folder), name, edits=int(numbers[0]), questions=int(numbers[1]))
    elif command == "obey":
        obey(Path(folder), name, edits=int(numbers[0]))
    else:
        revert_all(Path(folder), name)
