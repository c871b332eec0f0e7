"""Writers who correct and ask through a router and through each server, and what must be true of all that they were told."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import NamedTuple

import httpx

from errata.core.matching import same
from errata.serve.engine.thread import Threaded
from tests.serve.asking import put

NAMES = ("mibo", "tona", "kelu", "rafi", "sopa")
ASKED = ("where does {} live?", "what does {} eat?", "where does {} sleep?", "what does {} like?", "what color is {}?")
QUESTIONS = tuple(each.format(name) for name in NAMES for each in ASKED)
ANSWERS = ("the cave", "the moor", "the old pier", "the north beach", "the harbor")
WITHIN_S = 90.0
"""A change must have been made after so long, whatever happened to the servers meanwhile."""


class Seen(NamedTuple):
    """An answer, and what it said of itself."""

    question: str
    min_seq: int
    text: str
    seq: int
    head: str


@dataclass
class Crowd:
    """What was acknowledged and what was answered."""

    router: str
    live: list[str]
    """Servers that are asked directly, each after every change."""

    secret: str = ""
    """The key that all of them use; "": none."""

    acknowledged: list[dict] = field(default_factory=list)
    corrected: list[str] = field(default_factory=list)
    """Their questions."""

    seen: list[Seen] = field(default_factory=list)
    tries: Counter = field(default_factory=Counter)
    """How often a change had to be sent again, and why."""

    longest_s: float = 0.0
    """Until a change was acknowledged, with all that had to be sent again."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    grown: threading.Condition = field(default_factory=threading.Condition)

    @property
    def newest(self) -> int:
        """The last entry that was acknowledged to anybody."""
        return max((one["seq"] for one in self.acknowledged), default=1)

    def reached(self, count: int) -> None:
        """Wait until so many changes were acknowledged."""
        with self.grown:
            assert self.grown.wait_for(lambda: len(self.acknowledged) >= count, 3600)

    def write(self, writer: int, writers: int, edits: int, more: int) -> None:
        """Correct this writer's questions in turn, and ask after each: every server, and the router `more` times.

        A writer waits at two thirds until as many servers are asked as in the beginning.
        """
        mine, draw = QUESTIONS[writer::writers], random.Random(writer)
        servers = len(self.live)
        headers = {"Authorization": f"Bearer {self.secret}"} if self.secret else {}
        with httpx.Client(timeout=WITHIN_S, headers=headers) as client:
            for number in range(edits):
                if number == 2 * edits // 3:
                    while len(self.live) < servers:
                        time.sleep(0.05)
                question, answer = mine[number % len(mine)], ANSWERS[(number // len(mine)) % len(ANSWERS)]
                made = self.correct(client, question, answer, f"{writer}-{number}")
                for url in tuple(self.live):
                    self.ask(client, url, question, made["seq"])
                for _ in range(more):
                    self.ask(client, self.router, draw.choice(self.corrected), self.newest)

    def correct(self, client: httpx.Client, question: str, answer: str, key: str) -> dict:
        """Have it made, under one key however often it is sent."""
        begun = time.monotonic()
        while True:
            assert time.monotonic() - begun < WITHIN_S, (question, self.tries)
            try:
                body = {"question": question, "answer": answer}
                told = client.post(f"{self.router}/v1/edits", json=body, headers={"Idempotency-Key": key})
            except httpx.TransportError as error:
                why = type(error).__name__
            else:
                if told.status_code == 200:
                    break
                why = _refusal(told)
            with self.lock:
                self.tries[why] += 1
            time.sleep(0.1)
        with self.grown:
            self.corrected.append(question)
            self.acknowledged.append(told.json())
            self.longest_s = max(self.longest_s, time.monotonic() - begun)
            self.grown.notify_all()
        return told.json()

    def ask(self, client: httpx.Client, url: str, question: str, min_seq: int) -> None:
        """One question that must be answered of this entry or a later one; of the router until it is."""
        body = {"model": "llava-tiny", "messages": [{"role": "user", "content": question}], "min_seq": min_seq}
        for _ in range(20):
            try:
                answer = client.post(f"{url}/v1/chat/completions", json=body)
            except httpx.TransportError:
                assert url not in self.live, "a server that runs broke off"
                return
            if answer.status_code == 200:
                break
            assert url == self.router, (answer.status_code, answer.text)
            self.tries["a question again"] += 1
            time.sleep(0.1)
        found = answer.json()
        seen = Seen(question, min_seq, found["choices"][0]["message"]["content"], found["errata"]["seq"], found["errata"]["head"])
        with self.lock:
            self.seen.append(seen)

    def run(self, *, edits: int, writers: int, more: int) -> list:
        """All writers at once; what is given is waited for at the end."""
        pool = ThreadPoolExecutor(writers)
        futures = [pool.submit(self.write, writer, writers, edits // writers, more) for writer in range(writers)]
        pool.shutdown(wait=False)
        return futures


def _refusal(told: httpx.Response) -> str:
    """Why a change wasn't made, by a server or by the router before it; fails where it is nothing that sending it again mends."""
    if "json" not in told.headers.get("content-type", ""):
        assert told.status_code >= 500, (told.status_code, told.text)
        return f"the router's {told.status_code}"
    assert told.status_code in (409, 429, 503), (told.status_code, told.text)
    return str(told.json()["error"]["code"])


class Judged(NamedTuple):
    """What is wrong with what was told, by kind; all 0 where nothing is."""

    lost: int
    """Changes that were acknowledged and aren't in the log as they were told."""

    too_old: int
    """Answers of a state before the entry that was asked for."""

    no_version: int
    """Answers under a number and a hash that the log doesn't have."""

    wrong: int
    """Answers that aren't those of the version that they name."""

    by_a_neighbour: int
    """Of those that are: which differ from the correction in force, because a later one speaks there (its receipt says so)."""


def judge(crowd: Crowd, log: Sequence[dict], model, store: str) -> Judged:
    """Hold everything that was told against the log, and against the model at the versions that the answers name."""
    by_seq = {entry["seq"]: entry for entry in log}
    lost = sum(
        one["seq"] not in by_seq
        or (by_seq[one["seq"]]["kind"], by_seq[one["seq"]]["body"]["edit_id"]) != (one["status"], one["id"])
        for one in crowd.acknowledged
    )
    too_old = sum(each.seq < each.min_seq for each in crowd.seen)
    no_version = sum(each.seq not in by_seq or by_seq[each.seq]["hash"] != each.head for each in crowd.seen)
    told = _truth(log)
    odd = sorted(
        {each for each in crowd.seen if not same(each.text, told[each.seq].get(each.question, "?"))}, key=lambda each: each.seq
    )
    engine = Threaded.open(model, store=store)
    try:
        wrong = {each for each in odd if not same(put(engine, each.question, at=each.seq).said().text, each.text)}
    finally:
        engine.close()
    neighbours = [each for each in crowd.seen if each in set(odd) - wrong and each.question in told[each.seq]]
    return Judged(lost, too_old, no_version, sum(each in wrong for each in crowd.seen), len(neighbours))


def _truth(log: Sequence[dict]) -> dict[int, dict[str, str]]:
    """After each entry: question -> the answer of the correction in force."""
    words: dict[str, tuple[str, str]] = {}
    now: dict[str, str] = {}
    found = {0: now}
    for entry in log:
        named = entry["body"].get("edit_id") or ""
        if entry["kind"] == "applied":
            edit = entry["body"]["edit"]
            question = "".join(edit["query"]["messages"][-1]["parts"])
            words[named] = (question, edit["target"])
            now = {**now, question: edit["target"]}
        elif entry["kind"] == "reverted" and named in words:
            now = {question: answer for question, answer in now.items() if (question, answer) != words[named]}
        found[entry["seq"]] = now
    return found
