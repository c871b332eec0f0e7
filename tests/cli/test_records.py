"""Import files are read as streams; every bad line is told apart and says what is wrong with it."""

from __future__ import annotations

import json

import pytest

from errata.cli._records import read_lines
from errata.core.errors import BadInput
from errata.core.records import Edit, Provenance
from tests.log.worlds import picture

BY = Provenance("ann", "because", "T-1")
GOOD = {"image": "a.png", "question": "what is it?", "target": "a ring"}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "a.png").write_bytes(picture(1).data)
    (tmp_path / "b.png").write_bytes(picture(2).data)
    return tmp_path


def written(folder, *lines: object):
    path = folder / "in.jsonl"
    path.write_bytes(b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines))
    return path


def why(folder, line: object) -> str:
    (found,) = read_lines(written(folder, line), BY)
    assert isinstance(found.found, str)
    return found.found


def test_a_record_becomes_the_edit_that_it_says(folder):
    more = {"also": ["and now?", {"image": "b.png", "question": "and here?"}], "keep": [{"question": "1 plus 1?"}]}
    record = {**GOOD, **more, "subject": "the ring", "reach": "kind", "author": "bob", "reason": "seen"}
    (line,) = read_lines(written(folder, record), BY)
    assert not isinstance(line.found, str)
    edit, by = line.found
    assert isinstance(edit, Edit)
    assert (edit.query.text, edit.query.images, edit.target) == ("what is it?", (picture(1),), "a ring")
    assert [(query.text, query.images) for query in edit.also] == [("and now?", (picture(1),)), ("and here?", (picture(2),))]
    assert [(query.text, query.images) for query in edit.keep] == [("1 plus 1?", ())]
    assert (edit.subject, edit.reach) == ("the ring", "kind")
    assert by == Provenance("bob", "seen", "T-1")


def test_blank_lines_are_passed_over_and_numbers_are_those_of_the_file(folder):
    path = written(folder, GOOD, b"", b"  ", {**GOOD, "target": ""}, GOOD)
    lines = list(read_lines(path, BY))
    assert [line.number for line in lines] == [1, 4, 5]
    assert [isinstance(line.found, str) for line in lines] == [False, True, False]
    assert lines[-1].read_bytes == path.stat().st_size


def test_a_byte_order_mark_is_no_part_of_the_record(folder):
    (line,) = read_lines(written(folder, b"\xef\xbb\xbf" + json.dumps(GOOD).encode()), BY)
    assert not isinstance(line.found, str)


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (b"{nope", "isn't JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b"[1]", "isn't a JSON object"),
        (b"\xff\xfe{}", "isn't UTF-8"),
        ({"question": "q"}, "'target' is missing"),
        ({"target": "t"}, "'question' is missing"),
        ({**GOOD, "target": " "}, "target is empty"),
        ({**GOOD, "question": ""}, "prompt is empty"),
        ({**GOOD, "question": 3}, "'question' isn't text"),
        ({**GOOD, "image": "none.png"}, "no image at"),
        ({**GOOD, "image": "in.jsonl"}, "isn't a picture"),
        ({**GOOD, "image": "."}, "can't be read"),
        ({**GOOD, "image": "a\0b"}, "zero character"),
        ({**GOOD, "image": 7}, "'image' is neither"),
        ({**GOOD, "image": ["a.png", None]}, "'image' is neither"),
        ({**GOOD, "target": "\ud800"}, "valid Unicode"),
        ({**GOOD, "image": "\ud800.png"}, "valid Unicode"),
        ({**GOOD, "reach": "far"}, "reach 'far' isn't known"),
        ({**GOOD, "colour": "red"}, "'colour' isn't known"),
        ({**GOOD, "also": "x"}, "'also' isn't a list"),
        ({**GOOD, "keep": [3]}, "item of 'keep'"),
        ({**GOOD, "keep": [{"q": "x"}]}, "item of 'keep'"),
        ({**GOOD, "also": [{"image": "none.png", "question": "x"}]}, "no image at"),
    ],
)
def test_a_bad_line_says_what_is_wrong_with_it(folder, record, said):
    assert said in why(folder, record)


@pytest.mark.parametrize("name", ["missing.jsonl", "."])
def test_a_file_that_cannot_be_read_is_refused_whole(folder, name):
    with pytest.raises(BadInput, match="can't be read"):
        next(read_lines(folder / name, BY))


def test_only_the_line_at_hand_is_read(folder):
    lines = read_lines(written(folder, GOOD, b"{nope", GOOD), BY)
    first = next(lines)
    assert first.read_bytes < (folder / "in.jsonl").stat().st_size
