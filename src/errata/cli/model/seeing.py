"""The exam of `atlas`: what it sees, what it knows in words, on pictures, and blindfold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from errata.cli._print import percent, say, say_json, table
from errata.core.counted import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from errata.benchmarks.atlas.exam import Mark
    from errata.core.model import Model
    from errata.core.records import Query


def seeing(
    taken: Model,
    alone: Callable[[str], Model],
    *,
    each: int,
    answers: Callable[[Model, Sequence[Query]], list[str]],
    as_json: bool,
) -> bool:
    """Put a model through the exam, print it, and say whether it was passed.

    Args:
        taken: the model.
        alone: opens the language model by its name, where it is asked.
        each: questions of each topic and column.
        answers: what asks a model some queries.
        as_json: a line of JSON for each line of the exam.
    """
    from errata.benchmarks.atlas.exam import exam, grade
    from errata.models._borrowed import SMOLLM2

    items = exam(each=each)
    said = answers(taken, [item.query for item in items])
    in_words = [item.query for item in items if item.column == "words"]
    before = iter(answers(alone(SMOLLM2), in_words))
    marks = grade(items, said, [next(before) if item.column == "words" else None for item in items])
    if as_json:
        for mark in marks:
            say_json(
                {
                    "column": mark.column,
                    "topic": mark.topic,
                    "right": mark.right,
                    "n": mark.n,
                    "beside": mark.beside,
                    "needed": mark.needed,
                    "passed": mark.passed,
                }
            )
    else:
        rows = [
            (
                mark.column,
                mark.topic,
                percent(mark.share),
                str(mark.n),
                _shown(mark.beside),
                _needed(mark),
                "yes" if mark.passed else "NO",
            )
            for mark in marks
        ]
        table(
            ("column", "topic", "right, %", "n", "beside, %", "needed, %", "passed"), rows, numbers=("right, %", "n", "beside, %")
        )
        say("beside: of words the language model alone, of pictures the same facts in words, of the blind the best guess")
        passed = sum(mark.passed for mark in marks)
        say(f"{taken.name}: {'passed' if passed == len(marks) else 'not passed'}, {passed} of {counted(len(marks), 'line')}")
    return all(mark.passed for mark in marks)


def _shown(share: float | None) -> str:
    return "" if share is None else percent(share)


def _needed(mark: Mark) -> str:
    if mark.needed is None:
        return ""
    return f"{'at most' if mark.column == 'blind' else 'at least'} {percent(mark.needed)}"
