"""Pictures and lessons laid out as a batch, so that a picture is seen once for several questions.

A row of a batch holds one picture and several lessons. Each lesson attends to the picture's prefix and to itself alone, and
counts its positions from the prefix's end, so that it is computed exactly as if it stood alone; a text-only lesson attends to
itself alone. Statements that several questions stand behind are laid out once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from errata.benchmarks.scopeworld.lessons import Lesson, Mention
from errata.models.small.training import Trainee
from errata.school.curriculum import Row
from errata.school.readers import Meanings, meanings

_PART = 8
"""Rows of a step that one thread works on at a time: few enough for their activations to stay in a cache."""

_ROW = 176
"""Tokens after which a row takes no further lesson: one long row would pad all others."""


class Batch(NamedTuple):
    """A packed step. R: rows, L: tokens."""

    pixels_RHWC: Tensor
    ids_RL: Tensor
    positions_RL: Tensor
    segments_RL: Tensor
    """0: the picture's prefix; 1, 2, ...: lessons, and statements that several stand behind; -1: padding."""

    stems_RL: Tensor
    """The segment of the statements that the token's lesson stands behind; its own where there are none."""

    sees_RL: Tensor
    """Whether the token's lesson attends to the prefix."""

    learn_RL: Tensor
    """True where the token is to be predicted."""

    own_RL: Tensor
    """True for what every family's prompt has: the picture's tokens, the lesson's own words and its answer."""

    meanings: Meanings
    lessons: int
    """How many lessons there are."""

    def to(self, device: torch.device) -> Batch:
        """The batch on a device."""
        pixels, ids, positions, segments, stems, sees, learn, own = (each.to(device, non_blocking=True) for each in self[:8])
        return Batch(pixels, ids, positions, segments, stems, sees, learn, own, self.meanings.to(device), self.lessons)


def packed_parts(trainee: Trainee, rows: Sequence[Row]) -> list[Batch]:
    """A step's rows, packed: those of like length together, few enough for a cache."""
    return [pack(trainee, some) for some in fitting_parts(trainee, rows)]


def fitting_parts(trainee: Trainee, rows: Sequence[Row]) -> list[list[Row]]:
    """The rows with those of their lessons that fit, a few of like length together."""
    size = _PART if trainee.device.type == "cpu" else len(rows)
    counted = sorted((_fitting(trainee, row) for row in rows), key=lambda found: -found[0])  # the last part to end is a short one
    return [[row for _, row in counted[start : start + size]] for start in range(0, len(rows), size)]


def _fitting(trainee: Trainee, row: Row) -> tuple[int, Row]:
    """A row's tokens, and the row with those of its lessons that fit; one does in any case."""
    length = len(trainee.prefix)
    kept: list[Lesson] = []
    for item in row.lessons:
        prompt, answer = trainee.encode([_opened(trainee, item) + trainee.wording.answer, item.answer])
        more = len(prompt) + len(answer) + 1 - (_stem(trainee, item) if kept and _same_stem(kept[-1], item) else 0)
        if not kept or length + more <= _ROW:
            length += more
            kept.append(item)
    return length, Row(row.pixels_HWC, kept)


class _Laid:
    """One row as it is laid out, token by token."""

    def __init__(self, trainee: Trainee) -> None:
        count = len(trainee.prefix)
        self.ids, self.positions, self.segments = list(trainee.prefix), list(range(count)), [0] * count
        self.stems, self.sees, self.learn = [0] * count, [True] * count, [False] * count
        self.own = [token == trainee.image for token in trainee.prefix]
        self.last: Lesson | None = None
        self.stem = (0, 0)
        """Segment and first token of the statements said last."""

    def add(self, tokens: Sequence[int], *, start: int, stem: int, sees: bool, learn: Sequence[bool], own: Sequence[bool]) -> int:
        """One more segment from a position on; returns the place of its first token."""
        first, segment = len(self.ids), max(self.segments) + 1
        self.ids += tokens
        self.positions += range(start, start + len(tokens))
        self.segments += [segment] * len(tokens)
        self.stems += [stem or segment] * len(tokens)
        self.sees += [sees] * len(tokens)
        self.learn += learn
        self.own += own
        return first


def pack(trainee: Trainee, rows: Sequence[Row]) -> Batch:
    """Lay out pictures and lessons as a batch, not yet on the model's device."""
    flat = [(index, item) for index, (_, items) in enumerate(rows) for item in items]
    prompts = trainee.encode([_opened(trainee, item) + trainee.wording.answer for _, item in flat])
    answers = trainee.encode([item.answer for _, item in flat])
    phrases: list[tuple[int, int, Mention]] = []
    told, seen, after = (
        len(ids) for ids in trainee.encode([trainee.wording.told.strip(), trainee.wording.seen.strip(), trainee.wording.answer])
    )
    laid = [_Laid(trainee) for _ in rows]
    for (row, item), prompt, answer in zip(flat, prompts, answers, strict=True):
        line, start, stem = laid[row], len(trainee.prefix) if item.visual else 0, _stem(trainee, item)
        opening = seen if item.visual else told
        tokens = [*prompt, *answer, trainee.eos]
        learn = [place >= len(prompt) for place in range(len(tokens))]
        own = [place >= len(prompt) or opening <= place < len(prompt) - after for place in range(len(tokens))]
        again = line.last is not None and _same_stem(line.last, item)
        line.last = item
        if stem and not again:
            at = line.add(tokens[:stem], start=start, stem=0, sees=item.visual, learn=learn[:stem], own=own[:stem])
            line.stem = (line.segments[-1], at)
        behind = line.stem[0] if stem else 0
        first = line.add(tokens[stem:], start=start + stem, stem=behind, sees=item.visual, learn=learn[stem:], own=own[stem:])
        for mention in item.mentions:
            place = _tokens_to(trainee, item, mention.end) - 1
            if place >= stem:
                phrases.append((row, first + place - stem, mention))
            elif not again:
                phrases.append((row, line.stem[1] + place, mention))
    length = max(len(line.ids) for line in laid)

    def padded(columns: Iterable[Sequence[int]], value: int) -> Tensor:
        return torch.tensor([[*column, *([value] * (length - len(column)))] for column in columns])

    return Batch(
        torch.from_numpy(np.stack([image for image, _ in rows])),
        padded((line.ids for line in laid), trainee.pad),
        padded((line.positions for line in laid), 0),
        padded((line.segments for line in laid), -1),
        padded((line.stems for line in laid), -1),
        padded((line.sees for line in laid), 0).bool(),
        padded((line.learn for line in laid), 0).bool(),
        padded((line.own for line in laid), 0).bool(),
        meanings(phrases),
        len(flat),
    )


def _stem(trainee: Trainee, item: Lesson) -> int:
    """Tokens of the statements that a question stands behind."""
    return _tokens_to(trainee, item, item.behind) if item.behind else 0


def _same_stem(before: Lesson, item: Lesson) -> bool:
    """Whether two lessons begin with the same statements: said once, they serve both."""
    return item.behind > 0 and (before.visual, before.prompt[: before.behind]) == (item.visual, item.prompt[: item.behind])


def _opened(trainee: Trainee, item: Lesson, end: int | None = None) -> str:
    """A lesson's prompt up to a character of it, as its tokens begin: a picture's prefix may have said who speaks already."""
    return (trainee.wording.seen if item.visual else trainee.wording.told) + item.prompt[:end]


def _tokens_to(trainee: Trainee, item: Lesson, end: int) -> int:
    """Tokens of a prompt up to a character at which a word ends: no token spans two words."""
    return len(trainee.encode([_opened(trainee, item, end)])[0])
