"""`errata bench pictures`: what is there, whose it is, and whether it is what the table says."""

from __future__ import annotations

import json

import pytest

from errata.benchmarks.atlas.pictures import table
from errata.benchmarks.atlas.pictures.packages import INSTALL
from tests.pictures_there import FLAGS, needed, needs_photographs


@pytest.mark.skipif(FLAGS, reason="the packages are installed here")
def test_without_the_packages_there_is_a_sentence_and_the_command(inside):
    done = inside("bench", "pictures")
    assert done.code == 2
    assert INSTALL in " ".join(done.err.split())


@needed
def test_each_collection_is_counted_and_agrees_with_the_table(inside):
    done = inside("bench", "pictures", "--json")
    assert done.code == 0, done.err
    found = {each["collection"]: each for each in map(json.loads, done.out.splitlines())}
    assert {"iso-flags", "noto-flags", "noto-emoji"} <= set(found)
    for each in found.values():
        states = sum(each[state] for state in ("as in the table", "other than in the table", "not in the table"))
        assert states == each["pictures"] == sum(each["licences"].values())
    flags = found["iso-flags"]
    assert (flags["as in the table"], flags["gone"]) == (flags["pictures"], 0)


@needed
def test_pictures_of_one_name_are_shown_and_drawn(inside, tmp_path):
    from PIL import Image

    done = inside("bench", "pictures", "--of", "flag of norway", "--sheet", "sheet.png", "--json")
    assert done.code == 0, done.err
    found = [json.loads(line) for line in done.out.splitlines()]
    assert [each["picture"] for each in found] == ["iso-flags/NO", "noto-flags/NO"]
    assert {each["name"] for each in found} == {"the flag of Norway"}
    with Image.open(tmp_path / "sheet.png") as drawn:
        assert drawn.mode == "RGB"
        assert drawn.width > drawn.height


@needed
def test_the_table_that_is_written_holds_what_was_listed(inside, tmp_path):
    done = inside("bench", "pictures", "--of", "flag of norway", "--table", "here.tsv")
    assert done.code == 0, done.err
    here = (tmp_path / "here.tsv").read_text()
    assert here == table.written(table.rows()[key] for key in ("iso-flags/NO", "noto-flags/NO"))


@needed
@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--of", "nothing at all"), "No picture has 'nothing at all' in its name."),
        (("--of", "flag of norway", "--sheet", "nowhere/a.png"), "nowhere/a.png can't be written"),
        (("--of", "flag of norway", "--table", "nowhere/a.tsv"), "nowhere/a.tsv can't be written"),
    ],
)
def test_what_cannot_be_done_is_a_sentence(inside, options, said):
    done = inside("bench", "pictures", *options)
    assert done.code == 2
    assert said in " ".join(done.err.split())


@needed
@needs_photographs
def test_every_photograph_is_attributed(inside):
    done = inside("bench", "pictures", "--of", "eiffel", "--attributions")
    assert done.code == 0, done.err
    lines = [line for line in done.out.splitlines() if line.startswith("gcompris/")]
    assert len(lines) == 2
    assert any("Alex Liivet" in line and line.endswith("CC0-1.0") for line in lines)
