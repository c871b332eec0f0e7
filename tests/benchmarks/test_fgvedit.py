"""The authors' layout of FGVEdit, with made-up records in it: what is read, and what is said of a file that can't be used."""

from __future__ import annotations

import json

import pytest

from errata.benchmarks.fgvedit import FIELDS, FGVEdit
from errata.core.benchmark import UNCHANGED, Probe
from errata.core.errors import BadInput
from tests.benchmarks.fgv_files import record, write_fgvedit
from tests.conftest import picture


def test_a_record_becomes_an_edit_and_five_probes(tmp_path):
    folder = write_fgvedit(tmp_path)
    fgv = FGVEdit(folder)
    assert len(fgv) == 3
    case = fgv[1]
    assert case.edit.query.images == (picture(2),)
    assert (case.edit.query.text, case.edit.target, case.edit.reach) == ("how many things are there? 2", "two", "image")
    assert [(p.kind, p.query.text, len(p.query.images), p.expect) for p in case.probes] == [
        ("reliability", "how many things are there? 2", 1, "two"),
        ("text_generality", "tell me how many. 2", 1, "two"),
        ("specificity_in", "are there many? 2", 1, "no"),
        ("specificity_out", "what is the star called? 2", 1, UNCHANGED),
        ("text_locality", "nq question: where is the harbor 2", 0, UNCHANGED),
    ]
    assert [(p.kind, p.in_scope, p.hard) for p in fgv.pairs(1)] == [
        ("reliability", True, False), ("text_generality", True, False), ("specificity_in", True, False),
        ("specificity_out", False, True), ("text_locality", False, False),
    ]  # fmt: skip
    assert len(FGVEdit(folder, split="train")) == 1
    assert fgv.truth(2) == [fgv[0], fgv[1]]


def test_a_question_that_another_record_corrects_is_held_to_its_answer(tmp_path):
    folder = write_fgvedit(tmp_path, test=[{**record(1), "fg_loc_q": "tell me how many. 2", "image": "val2014/2.png"}, record(2)])
    one = FGVEdit(folder)
    assert one.truth(2) == [one[0], one[1]]
    values = json.loads((folder / "test_data.json").read_text())
    values[0]["fg_loc_q"] = values[1]["src"]
    (folder / "test_data.json").write_text(json.dumps(values))
    two = FGVEdit(folder)
    assert two.truth(1) == [two[0]]
    crossed = [probe for probe in two.truth(2)[0].probes if probe.kind == "cross_edit"]
    assert crossed == [Probe("cross_edit", two[1].edit.query, "two")]


def test_a_template_is_put_around_questions_on_pictures_alone(tmp_path):
    fgv = FGVEdit(write_fgvedit(tmp_path), template="Question: {} Short answer:")
    texts = [probe.query.text for probe in fgv[0].probes]
    assert all(text.startswith("Question: ") and text.endswith(" Short answer:") for text in texts[:4])
    assert texts[4] == "nq question: where is the harbor 1"
    with pytest.raises(BadInput, match="needs one {}"):
        FGVEdit(tmp_path, template="Question:")


def test_a_seed_draws_which_records_are_taken(tmp_path):
    folder = write_fgvedit(tmp_path)
    assert {FGVEdit(folder, edits=1, seed=seed)[0].edit.target for seed in range(12)} == {"one", "two", "three"}
    digests = {FGVEdit(folder, edits=2, seed=3).digest, FGVEdit(folder, edits=2, seed=3).digest}
    assert len(digests) == 1
    assert FGVEdit(folder).digest not in digests
    (folder / "images" / "val2014" / "2.png").write_bytes(picture(9).data)
    assert FGVEdit(folder, edits=3).digest != FGVEdit(write_fgvedit(tmp_path / "again"), edits=3).digest


def test_pictures_may_lie_beside_the_files(tmp_path):
    folder = write_fgvedit(tmp_path)
    for child in (folder / "images").iterdir():
        child.rename(folder / child.name)
    (folder / "images").rmdir()
    assert FGVEdit(folder)[0].edit.query.images == (picture(1),)


@pytest.mark.parametrize("name", FIELDS)
def test_a_missing_field_is_named_with_its_file_and_record(tmp_path, name):
    for broken in ({k: v for k, v in record(2).items() if k != name}, {**record(2), name: "  "}, {**record(2), name: 7}):
        folder = write_fgvedit(tmp_path, test=[record(1), broken])
        with pytest.raises(BadInput, match=rf"test_data\.json, record 2: the field '{name}'"):
            FGVEdit(folder, edits=1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "isn't JSON"),
        ("[]", "holds no record"),
        ("", "holds no record"),
        ('{"src": "x"}', "line 1: the field 'alt' is missing"),
        ("[3]", "record 1 isn't an object"),
        ("[" * 100_000, "nested too deep|isn't JSON"),
    ],
)
def test_a_file_that_is_no_list_of_records_is_refused(tmp_path, text, said):
    folder = write_fgvedit(tmp_path)
    (folder / "test_data.json").write_text(text)
    with pytest.raises(BadInput, match=said):
        FGVEdit(folder)


def test_pictures_that_are_missing_or_broken_are_named_with_their_record(tmp_path):
    folder = write_fgvedit(tmp_path)
    (folder / "images" / "val2014" / "2.png").write_bytes(b"not a picture")
    with pytest.raises(BadInput, match=r"test_data\.json, record 2, field 'image': .*isn't a picture"):
        FGVEdit(folder)[1]
    (folder / "images" / "val2014" / "2.png").unlink()
    with pytest.raises(BadInput, match=r"test_data\.json, record 2, field 'image': there is no picture at .*2\.png"):
        FGVEdit(folder)


def test_what_is_asked_for_must_be_there(tmp_path):
    with pytest.raises(BadInput, match=r"no .*test_data\.json"):
        FGVEdit(tmp_path)
    folder = write_fgvedit(tmp_path)
    with pytest.raises(BadInput, match="has 3 records; 4 edits"):
        FGVEdit(folder, edits=4)
    with pytest.raises(BadInput, match="at least 1 edit"):
        FGVEdit(folder, edits=0)
    (folder / "test_data.json").write_text(json.dumps([{**record(1), "fg_loc_hard": "yes"}]))
    with pytest.raises(BadInput, match="'fg_loc_hard' must be true or false"):
        FGVEdit(folder)
