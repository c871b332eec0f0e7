"""Whatever becomes of an import file on its way, it is edits or sentences: nothing that was put to a model is dropped unsaid."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from random import Random

import pytest

from errata.core.errors import BadInput
from errata.core.records import Edit
from errata.log.formats import FORMATS, Line, guess, read
from tests.log.files import with_pictures
from tests.log.kinds import BASE64, KINDS
from tests.log.mutants import ADDED, Mutant, mutant
from tests.log.worlds import picture
from tools.proofs import Record

LONGEST_SENTENCE = 2_500


def outcome(path: Path, made: Mutant, random: Random) -> list[Line] | str:
    """The lines of a file, or why it can't be read; read as what it looks like, or as what it was."""
    path.write_bytes(made.data)
    try:
        format = guess(path)
        if not made.added and random.random() < 0.1:
            format = random.choice((KINDS[made.name].format, *FORMATS))
        return list(read(path, format))
    except BadInput as error:
        return str(error)


def edits(lines: Iterable[Line]) -> list[Edit]:
    return [line.found[0] for line in lines if not isinstance(line.found, str)]


def words(lines: Iterable[Line]) -> str:
    queries = [query for edit in edits(lines) for query in (edit.query, *edit.also, *edit.keep)]
    parts = [part for query in queries for message in query.messages for part in message.parts if isinstance(part, str)]
    made = [line.found for line in lines if not isinstance(line.found, str)]
    return "\n".join([*parts, *(f"{edit.target}\n{edit.subject}\n{by.reason}\n{by.author}\n{by.ticket}" for edit, by in made)])


def dropped(made: Mutant, lines: list[Line]) -> list[str]:
    """What was put to a model and is neither in an edit nor in a record of which something is said."""
    said = {line.number for line in lines if isinstance(line.found, str)}
    numbers = sorted({line.number for line in lines})
    if len(numbers) == len(made.records):  # each record by itself
        lost = []
        for number, record in zip(numbers, made.records, strict=True):
            if number not in said:
                own = [line for line in lines if line.number == number]
                told, images = words(own), {image for edit in edits(own) for image in edit.images}
                lost += [mark for mark in made.marks if mark in record and mark not in told]
                lost += ["a.png"] if ("a.png" in record or BASE64 in record) and picture(1) not in images else []
                lost += ["b.png"] if "b.png" in record and ADDED not in images else []
        return lost
    if said:
        return []
    told, images = words(lines), {image for edit in edits(lines) for image in edit.images}
    lost = [mark for mark in made.marks if mark not in told] if edits(lines) or b"CORRECTION" in made.data else []
    lost += ["a.png"] if made.shows and picture(1) not in images and edits(lines) else []
    return lost


def unnamed(made: Mutant, lines: list[Line]) -> list[str]:
    """Sentences on a record whose only fault is a field that was added, and that name neither it nor what it says."""
    if not made.added:
        return []
    return [
        line.found
        for line in lines
        if isinstance(line.found, str) and not any(name in line.found for name in (made.added, "addedx", "b.png"))
    ]


@pytest.mark.proof(sample=300, full=5000)
@pytest.mark.timeout(1800)
def test_a_mutated_file_is_edits_or_sentences_and_no_input_is_dropped_unsaid(tmp_path: Path, trials: int, record: Record):
    folder = with_pictures(tmp_path)
    (folder / "3f2a-a.png").write_bytes(picture(1).data)
    tally: Counter[str] = Counter()
    for trial in range(trials):
        random = Random(f"mutant {trial}")
        made = mutant(random)
        lines = outcome(folder / "in.any", made, random)
        sentences = [lines] if isinstance(lines, str) else [line.found for line in lines if isinstance(line.found, str)]
        assert all(0 < len(each) < LONGEST_SENTENCE for each in sentences), (trial, made.steps, sentences)
        tally.update(files_refused=isinstance(lines, str), sentences=len(sentences), files_with_none=not sentences)
        if not isinstance(lines, str):
            tally.update(edits=len(edits(lines)), marks_looked_for=len(made.marks))
            assert dropped(made, lines) == [], (trial, made, lines)
            assert unnamed(made, lines) == [], (trial, made, lines)
    record.update(tally)
    assert min(tally["files_with_none"], tally["edits"], tally["sentences"]) > trials / 4
