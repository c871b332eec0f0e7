"""The book of many versions decides as `errata.nn.codes.Reading` does for each of them, however rows are cut into steps."""

from __future__ import annotations

import pytest
import torch

from errata.core.errors import BadInput
from errata.core.records import EditId
from errata.editors.codebook import Part
from errata.nn.codes import SILENT, Reading
from errata_vllm.book import BASE, Book, Lens, Piece
from errata_vllm.near import Near
from walks import OUT, PARTS, VERSIONS, WIDTH, blank, expected, state_of, walk


def made(*states, slots=64):
    book = Book(Lens.of(blank().book), slots=slots, out_features=OUT, like=torch.zeros(1))
    numbers = []
    for state in states:
        numbers.append(book.put(state, keep=numbers))
    return book, numbers


def moved_by(book, slots, y):
    moved = y.clone()
    if slots is not None:
        book.move(slots, moved)
    return moved


def last(slots):
    return SILENT if slots is None else int(slots[-1])


@pytest.mark.parametrize("seed", range(20))
def test_each_request_is_read_under_its_own_version_as_a_reading_alone_would(seed):
    book, numbers = made(*VERSIONS)
    xs = [walk(seed * 10 + number) for number in range(len(VERSIONS))]
    ys = [torch.randn(len(x), OUT) for x in xs]
    at, pieces = 0, []
    for number, x in zip(numbers, xs, strict=True):
        pieces.append(Piece(slice(at, at + len(x)), number, SILENT, whole=True))
        at += len(x)
    slots = book.speaking(book.codes(torch.cat(xs)), pieces)
    moved = moved_by(book, slots, torch.cat(ys)).split([len(x) for x in xs])
    for state, x, y, got in zip(VERSIONS, xs, ys, moved, strict=True):
        assert torch.equal(got, expected(state, x, y))
    assert any(slot != SILENT for slot in slots.tolist())


@pytest.mark.parametrize("seed", range(20))
def test_however_a_prompt_is_cut_into_steps_the_same_slots_speak(seed):
    book, numbers = made(*VERSIONS)
    number, x = numbers[-1], walk(seed)
    codes = book.codes(x)
    whole = book.speaking(codes, [Piece(slice(0, len(x)), number, SILENT, whole=True)])
    cuts = sorted({0, len(x), *torch.randint(len(x), (8,), generator=torch.Generator().manual_seed(seed)).tolist()})
    found, before = [], SILENT
    for start, stop in zip(cuts, cuts[1:], strict=False):
        part_T = book.speaking(codes[start:stop], [Piece(slice(0, stop - start), number, before, whole=True)])
        assert last(book.speaking(codes[start:stop], [Piece(slice(0, stop - start), number, before)])) == last(part_T)
        before = last(part_T)
        found.append(torch.full((stop - start,), SILENT) if part_T is None else part_T)
    assert torch.equal(torch.cat(found), whole)
    one_by_one, before = [], SILENT
    for row in codes:
        before = last(book.speaking(row[None], [Piece(slice(0, 1), number, before)]))
        one_by_one.append(before)
    assert one_by_one == whole.tolist()


@pytest.mark.parametrize("seed", range(40))
def test_what_speaks_at_the_end_of_a_prompt_is_found_without_the_beginning_where_no_run_reaches_it(seed, monkeypatch):
    book, numbers = made(*VERSIONS)
    looked, pairs = [], Near.pairs
    monkeypatch.setattr(Near, "pairs", lambda near, codes, reach: looked.append(len(codes)) or pairs(near, codes, reach))
    far = torch.nn.functional.normalize(-sum(part.keys_KR.sum(0) for part in PARTS.values()) + torch.zeros(30, WIDTH), dim=-1)
    quiet = torch.cat([walk(seed, 20), far, walk(seed + 1, 3)[-1:]])
    for x in (walk(seed, 40), quiet, torch.cat([far, walk(seed, 6)])):
        codes, version = book.codes(x), numbers[seed % len(numbers)]
        meant = last(book.speaking(codes, [Piece(slice(0, len(x)), version, SILENT, whole=True)]))
        looked.clear()
        assert last(book.speaking(codes, [Piece(slice(0, len(x)), version, SILENT)])) == meant
        assert looked[0] == 5, "the longest run has five slots"
        begun = Reading(VERSIONS[seed % len(numbers)].book)._starting(codes[None])[0, -5:-1] != SILENT
        assert looked[1:] == [len(x) - 5] * bool(begun.any())


def test_the_version_without_edits_leaves_outputs_as_they_are():
    book, _ = made(*VERSIONS)
    x = walk(1)
    slots = book.speaking(book.codes(x), [Piece(slice(0, 40), BASE, SILENT)])
    assert slots is None


def test_what_only_versions_that_ended_have_makes_room_and_what_stays_is_not_moved():
    first, second, third = (state_of(*list(PARTS)[:3]), state_of(list(PARTS)[2], list(PARTS)[3]), state_of(list(PARTS)[4]))
    book, (one, two) = made(first, second, slots=13)  # 3 + 3 + 5 and 2 more: full
    assert book.taken == 13
    with pytest.raises(BadInput, match="13 slots, 13 are taken, and 5 more are needed.*ERRATA_SLOTS=26"):
        book.put(third, keep=[one, two])
    three = book.put(third, keep=[two])
    for number, state in ((two, second), (three, third)):
        x, y = walk(5), torch.randn(40, OUT)
        slots = book.speaking(book.codes(x), [Piece(slice(0, 40), number, SILENT, whole=True)])
        assert torch.equal(moved_by(book, slots, y), expected(state, x, y))


def test_an_edit_that_fell_silent_in_one_version_speaks_in_the_one_before():
    edits = list(PARTS)
    PARTS[EditId("f" * 64)] = Part(PARTS[edits[0]].keys_KR, torch.ones(3, OUT), (3,), (1.0,))
    before, after = state_of(edits[0]), state_of(edits[0], EditId("f" * 64))
    del PARTS[EditId("f" * 64)]
    assert after.book.shut_M.any()
    book, (one, two) = made(before, after)
    x, y = PARTS[edits[0]].keys_KR, torch.zeros(3, OUT)
    for number, state in ((one, before), (two, after)):
        slots = book.speaking(book.codes(x), [Piece(slice(0, 3), number, SILENT)])
        assert torch.equal(moved_by(book, slots, y), expected(state, x, y))
