"""FGVEdit's construction (Zeng et al., §4.2) for a user's own questions on pictures.

    the first question on a picture is the criterion, and the edit
    each other one: does a change of the criterion's answer change this one's? asked with the picture, then without it
    yes with the picture: in scope; no: out of scope; anything else: left out
    hard is what the words alone don't settle: without the picture the judge says something else than with it
    the criterion reworded is the probe of generality; a question of the user's file in words, that of locality

A picture is kept when it has a question of either side, one of the two hard; where one side has no hard question, an easy one
stands in. One picture in four goes to the test file, whole. Whatever the judge says is kept in a file, and nothing is asked twice.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, get_args

import numpy as np

from errata.benchmarks._records import records, text_of
from errata.benchmarks.fgvedit import FILES, Split
from errata.core import given
from errata.core.canonical import digest_of_json
from errata.core.counted import counted
from errata.core.errors import BadImage, BadInput, quoted
from errata.core.images import Image

Ask = Callable[[str, Image | None], str]
"""Puts a prompt, with a picture or without, to a judge; its reply as text."""

Verdict = Literal["yes", "no", "unclear"]

KEPT: Final = "judge.jsonl"
"""The file of what the judge said, in the folder that is built."""

_TEST: Final = 4
"""One picture in so many is for the test file."""


Reason = Literal["one question alone", "nothing in scope or nothing out of it", "nothing hard", "not reworded"]
"""Why a picture is left out: there is nothing to judge; one side is empty; the words alone settle both sides; the criterion came
back as it was, or empty."""

LEFT_OUT: Final[tuple[Reason, ...]] = get_args(Reason)


@dataclass(frozen=True)
class Asked:
    """A question with its right answer."""

    question: str
    answer: str


@dataclass(frozen=True)
class Pictured:
    """Every question on one picture, in the order of the file."""

    name: str
    """As the file says it: a path under the folder of pictures."""

    path: Path
    asked: tuple[Asked, ...]


@dataclass(frozen=True)
class Built:
    """What became of the pictures."""

    train: int
    test: int
    left_out: Mapping[Reason, int]
    """How many pictures were left out for each reason."""

    unclear: int
    """Judgements that were neither yes nor no; those questions were left out."""


def read_questions(path: Path, images: Path) -> list[Pictured]:
    """The pictures of a VQA-style file with their questions: a JSON list, or a line each, of objects {image, question, answer}.

    Raises:
        BadInput: the file can't be used; the sentence names the record and the field.
        BadImage: there is no such picture.
    """
    by_name: dict[str, list[Asked]] = {}
    for place, value in records(path):
        name, question, answer = (text_of(value, field, place) for field in ("image", "question", "answer"))
        at = Path(name)
        if at.is_absolute() or ".." in at.parts or "\0" in name:
            raise BadInput(f"{place}: the picture {quoted(name)} isn't a path under {images}. Name it as it lies in that folder.")
        if not (images / at).is_file():
            raise BadImage(f"{place}: there is no picture at {images / at}. Put the pictures there.")
        by_name.setdefault(at.as_posix(), []).append(Asked(question, answer))
    return [Pictured(name, images / name, tuple(asked)) for name, asked in by_name.items()]


def read_locality(path: Path) -> list[Asked]:
    """Questions in words with their answers: a JSON list, or a line each, of objects {question, answer}.

    Raises:
        BadInput: the file can't be used; the sentence names the record and the field.
    """
    return [Asked(text_of(value, "question", place), text_of(value, "answer", place)) for place, value in records(path)]


class Kept:
    """A judge that remembers: what it said is appended to a file, flushed to the disk, and never asked again.

    Args:
        path: the file, read first; a last line that a kill cut short is dropped.
        ask: the judge.
        model: its name; another one's answers aren't taken for its own.

    Raises:
        BadInput: the file holds something else.
    """

    def __init__(self, path: Path, ask: Ask, *, model: str) -> None:
        self._path, self._ask, self._model = path, ask, model
        self._said = _kept_in(path)
        self._lock = threading.Lock()
        self._turns: dict[str, threading.Lock] = {}
        self.new = 0
        """How many answers this run asked for."""

    def __call__(self, prompt: str, image: Image | None) -> str:
        """The reply to a prompt, from the file or from the judge. May be called by several threads."""
        seen = None if image is None else _seen(image)
        key = digest_of_json([self._model, prompt, seen])
        with self._lock:
            turn = self._turns.setdefault(key, threading.Lock())
        with turn:  # two pictures may have the same words: the second waits for what the first hears
            if key not in self._said:
                told = {"key": key, "model": self._model, "image": seen, "prompt": prompt}
                self._keep(key, {**told, "said": self._ask(prompt, image)})
            return self._said[key]

    def _keep(self, key: str, told: Mapping[str, str | None]) -> None:
        line = json.dumps(told, ensure_ascii=False, sort_keys=True)
        with self._lock, self._path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(line + "\n")
            file.flush()
            os.fsync(file.fileno())
            self._said[key] = str(told["said"])
            self.new += 1


def _seen(image: Image) -> str:
    """The name of what the judge sees. Earlier versions sent the file as it is: where it shows other pixels, it is asked anew."""
    try:
        as_before = image.shown(1) == image.shown()
    except BadImage:  # it couldn't be decoded then
        as_before = False
    return image.digest if as_before else image.shown()


def build(
    pictures: Sequence[Pictured],
    locality: Sequence[Asked],
    ask: Ask,
    out: Path,
    *,
    seed: int,
    parallel: int = 1,
    progress: Callable[[str, int, int], None],
) -> Built:
    """Judge every picture and write `train_data.json`, `test_data.json` and the pictures that they name under `out/images`.

    Args:
        ask: the judge, as a rule a `Kept` one; it is called by up to `parallel` threads.
        seed: draws which pictures are for the test file, and the questions in words.
        progress: told after each picture.

    Raises:
        BadInput: no question in words, no picture, or none that was kept.
        BadImage: a picture is broken.
        ErrataError: whatever the judge raises; what it said before is kept, and the next run goes on from there.
    """
    if not pictures or not locality:
        raise BadInput(
            f"There are {counted(len(pictures), 'picture')} and {len(locality)} questions in words. At least one of each is needed."
        )
    judged = _all_judged(pictures, ask, parallel=parallel, progress=progress)
    if all(isinstance(each.made, str) for each in judged):
        raise BadInput("No picture was kept: each needs a question in scope and one out of scope, one of them hard. Give more.")
    to_test = _split(len(pictures), seed)
    texts = np.random.default_rng([seed, 10]).integers(len(locality), size=len(pictures))
    listed: dict[Split, list[dict[str, Any]]] = {"train": [], "test": []}
    left_out = dict.fromkeys(LEFT_OUT, 0)
    for place, (pictured, each) in enumerate(zip(pictures, judged, strict=True)):
        if isinstance(each.made, str):
            left_out[each.made] += 1
            continue
        spare = locality[int(texts[place])]
        listed["test" if place in to_test else "train"].append(each.made | {"loc": spare.question, "loc_ans": spare.answer})
        _put(out / "images" / pictured.name, pictured.path.read_bytes())
    for split, file in FILES.items():
        _put(out / file, (json.dumps(listed[split], ensure_ascii=False, indent=1) + "\n").encode())
    return Built(len(listed["train"]), len(listed["test"]), left_out, sum(each.unclear for each in judged))


@dataclass(frozen=True)
class _Judged:
    """A record without its question in words, or why there is none; and how many judgements were unclear."""

    made: dict[str, Any] | Reason
    unclear: int = 0


@dataclass(frozen=True)
class _Sorted:
    asked: Asked
    hard: bool


def _all_judged(
    pictures: Sequence[Pictured], ask: Ask, *, parallel: int, progress: Callable[[str, int, int], None]
) -> list[_Judged]:
    """Every picture, several at once; after a failure, or a Ctrl-C, nothing more is asked than what is under way."""
    stopped = threading.Event()

    def heard(prompt: str, image: Image | None) -> str:
        if stopped.is_set():
            raise CancelledError
        return ask(prompt, image)

    judged: list[_Judged] = []
    with ThreadPoolExecutor(max_workers=parallel) as pool:
        waiting = [pool.submit(_judged, pictured, heard) for pictured in pictures]
        try:
            for pictured, found in zip(pictures, waiting, strict=True):
                judged.append(found.result())
                progress(pictured.name, len(judged), len(pictures))
        finally:
            stopped.set()
            for each in waiting:
                each.cancel()
    return judged


def _judged(pictured: Pictured, ask: Ask) -> _Judged:
    """One picture through the whole construction."""
    criterion, *others = pictured.asked
    if not others:
        return _Judged("one question alone")
    image = given.picture(pictured.path)
    inside: list[_Sorted] = []
    outside: list[_Sorted] = []
    unclear = 0
    for other in others:
        seen = verdict(ask(entailment_prompt(criterion, other, pictured=True), image))
        if seen == "unclear":
            unclear += 1
            continue
        blind = verdict(ask(entailment_prompt(criterion, other, pictured=False), None))
        (inside if seen == "yes" else outside).append(_Sorted(other, blind != seen))
    if not inside or not outside:
        return _Judged("nothing in scope or nothing out of it", unclear)
    picked = [next((each for each in side if each.hard), side[0]) for side in (inside, outside)]
    if not any(each.hard for each in picked):
        return _Judged("nothing hard", unclear)
    reworded = ask(rewording_prompt(criterion), None).strip()
    if not reworded or reworded.casefold() == criterion.question.strip().casefold():
        return _Judged("not reworded", unclear)
    record: dict[str, Any] = {
        "src": criterion.question,
        "alt": criterion.answer,
        "rephrase": reworded,
        "image": pictured.name,
        "fg_gen_q": picked[0].asked.question,
        "fg_gen_a": picked[0].asked.answer,
        "fg_loc_q": picked[1].asked.question,
        "fg_loc_a": picked[1].asked.answer,
        "fg_gen_hard": picked[0].hard,
        "fg_loc_hard": picked[1].hard,
    }
    return _Judged(record, unclear)


def entailment_prompt(criterion: Asked, other: Asked, *, pictured: bool) -> str:
    """What the judge is asked of two questions; the two stages differ in the picture, and in that it is spoken of."""
    picture = "Both questions are about the attached picture. Look at it"
    about = picture if pictured else "You can't see the picture. Use the words alone"
    return (
        f"Question 1: {criterion.question}\nAnswer 1: {criterion.answer}\n\n"
        f"Question 2: {other.question}\nAnswer 2: {other.answer}\n\n"
        f"{about} and decide: suppose Answer 1 turned out to be something else. Would Answer 2 then have to change as well? "
        "Reply with one word: Yes, No or Maybe."
    )


def rewording_prompt(criterion: Asked) -> str:
    """What the judge is asked for a probe of generality."""
    return (
        "Say this question in other words, so that it still has the same answer. Reply with the new question alone.\n\n"
        f"{criterion.question}"
    )


def verdict(said: str) -> Verdict:
    """What a reply comes to; whatever isn't plainly yes or no is unclear."""
    word = said.strip().strip("\"'`*.!").casefold()
    return "yes" if word == "yes" else "no" if word == "no" else "unclear"


def _split(count: int, seed: int) -> frozenset[int]:
    """The places of the pictures that are for the test file: one in four, of every file the same for the same seed."""
    order = np.random.default_rng([seed, 9]).permutation(count)
    return frozenset(int(place) for place in order[: count // _TEST])


def _kept_in(path: Path) -> dict[str, str]:
    """What was said before. A line without its end was cut by a kill: it goes, so that the next one begins a line of its own."""
    if not path.exists():
        return {}
    data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    if len(whole) < len(data):
        with path.open("r+b") as file:
            file.truncate(len(whole))
    found: dict[str, str] = {}
    for number, line in enumerate(whole.splitlines(), start=1):
        try:
            value = json.loads(line)
            found[str(value["key"])] = str(value["said"])
        except (ValueError, KeyError, TypeError):
            raise BadInput(
                f"{path}, line {number} isn't an answer of a judge. Move the file away to ask everything again."
            ) from None
    return found


def _put(path: Path, data: bytes) -> None:
    """Write a file whole, or leave what was there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.part")
    beside.write_bytes(data)
    beside.replace(path)
