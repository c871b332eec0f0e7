"""The pictures of Atlas: how they are called, whose they are, and what is said where a package is missing."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from errata.benchmarks.atlas import things
from errata.benchmarks.atlas.pictures import called, catalogue, emoji, photographs, sheet, stamps, table
from errata.benchmarks.atlas.pictures.credits import credits
from errata.benchmarks.atlas.pictures.packages import FURTHER, INSTALL, NEEDED, installed
from errata.core.errors import BadInput
from tests.pictures_there import GCOMPRIS, STAMPS, needed, needs_photographs, needs_stamps

TWICE = {
    "Christ the Redeemer", "Mount Rushmore", "the Eiffel Tower", "the Great Wall of China", "the Qutub Minar",
    "the Statue of Liberty", "the Taj Mahal",
}  # fmt: skip
"""Monuments of which there are two photographs."""


@pytest.mark.parametrize("package", NEEDED)
def test_a_missing_package_is_a_sentence_with_the_command(package):
    with pytest.raises(BadInput) as said:
        installed(package, "/nowhere/at/all")
    assert package in str(said.value)
    assert str(said.value).endswith(f"Run: {INSTALL}")


@pytest.mark.parametrize("package", FURTHER)
def test_a_missing_further_package_is_installed_by_itself(package):
    with pytest.raises(BadInput, match=f"Run: sudo apt-get install --no-install-recommends {package}$"):
        installed(package, "/nowhere/at/all")


@pytest.mark.parametrize(
    ("unicodes", "name"),
    [
        ("ELEPHANT", "an elephant"), ("UNICORN FACE", "a unicorn"), ("BUSTS IN SILHOUETTE", ""), ("CHERRIES", "a cherry"),
        ("POLICE CARS REVOLVING LIGHT", "a police light"), ("CLINKING GLASSES", "clinking glasses"), ("CHESS PAWN", ""),
        ("HEAVY BLACK HEART", "a red heart"), ("UP-POINTING SMALL RED TRIANGLE", ""), ("BROCCOLI", "broccoli"), ("", ""),
    ],
)  # fmt: skip
def test_an_emoji_is_called_what_people_call_it(unicodes, name):
    assert emoji.said(unicodes) == name


def test_no_two_emoji_are_spelled_alike_and_none_is_shown_and_left_out():
    counts = Counter(name for name in called.SPELLED.values() if name)
    assert {name for name, count in counts.items() if count > 1} == set()
    assert not called.NOT_SHOWN & set(called.SPELLED)


@pytest.mark.parametrize(
    ("stem", "name"),
    [("hammer2", "a hammer"), ("red_panda", "a red panda"), ("eiffelTower", "the Eiffel Tower"), ("igloo", "an igloo"),
     ("windmill11", "a windmill"), ("windmill6", "a wind turbine"), ("fish12", "a fish"), ("fish25", "a goldfish")],
)  # fmt: skip
def test_a_photograph_is_named_by_its_file(stem, name):
    assert photographs.named(stem) == name


@pytest.mark.parametrize(
    ("title", "name"),
    [("Eiffel Tower", "the Eiffel Tower"), ("Polar bear", "a polar bear"), ("Owl", "an owl"), ("Petra", "Petra"),
     ("Mount Rushmore", "Mount Rushmore"), ("Taj Mahal, India", "the Taj Mahal"), ("Komodo dragon", "a Komodo dragon")],
)  # fmt: skip
def test_a_photograph_is_named_by_its_title(title, name):
    assert photographs.titled(title) == name


@pytest.mark.parametrize(
    ("sentence", "name"),
    [("A crow.", "a crow"), ("An owl.", "an owl"), ("A ripe, red tomato!", "a tomato"), ("Boom!!!", ""), ("", ""),
     ("A candy cane is a traditional Christmas treat in the United States.", ""), ("A key.", "a door key")],
)  # fmt: skip
def test_a_stamp_is_named_by_its_sentence(sentence, name):
    assert stamps.named(sentence) == name


def test_a_credit_is_read_with_its_licence_as_spdx_writes_it():
    readme = (
        "Copyright: A. Nother\nLicense: CC-BY-SA 4.0\nSource: https://example.org/a\nFiles:\na.webp\nb.webp\n\nFiles:\nc.webp\n"
    )
    found = credits(readme)
    assert set(found) == {"a.webp", "b.webp"}  # nobody is named for c.webp
    assert found["a.webp"].licence == "CC-BY-SA-4.0"
    assert str(found["b.webp"]) == "A. Nother, https://example.org/a"


def test_the_table_has_one_whole_row_for_each_picture():
    text = (Path(table.__file__).parent / "table.tsv").read_text(encoding="utf-8")
    rows = table.rows()
    assert len(text) < 300_000
    assert len(rows) == text.count("\n") - 1 > 1500
    assert table.written(rows.values()) == text
    for row in rows.values():
        assert all((row.name, row.licence, row.attribution))
        assert len(row.digest) == 16
        assert set(row.digest) <= set("0123456789abcdef")
    assert {key.split("/")[0] for key in rows} == {"iso-flags", "noto-flags", "noto-emoji", "gcompris", "tuxpaint"}


def test_no_two_pictures_of_the_table_are_the_same_but_under_one_name():
    names: dict[str, set[str]] = {}
    for row in table.rows().values():
        names.setdefault(row.digest, set()).add(row.name)
    # An entry that flies another's flag isn't shown.
    assert {digest: found for digest, found in names.items() if len(found) > 1} == {}


def test_a_digest_tells_pixels_and_shape():
    picture = np.zeros((2, 3, 4), np.uint8)
    other = picture.copy()
    other[0, 0, 0] = 1
    assert len({table.digest(each) for each in (picture, other, picture.reshape(3, 2, 4))}) == 3


def test_a_picture_is_as_in_the_table_or_not():
    row = next(iter(table.rows().values()))
    assert table.state(row) == "as in the table"
    assert table.state(table.Row(row.key, row.name, row.licence, row.attribution, "0" * 16)) == "other than in the table"
    assert table.state(table.Row("gcompris/x", *(["x"] * 4))) == "not in the table"


def test_a_long_name_takes_two_lines_of_a_sheet():
    assert sheet.lines("a banana") == ("a banana",)
    assert sheet.lines("a face with a finger on its lips and more") == ("a face with a", "finger on its…")


@needed
def test_every_needed_picture_opens_and_is_called_once():
    listed = emoji.listed()
    assert len(listed) > 900
    assert max(Counter(each.name for each in listed).values()) == 1
    assert max(len(each.name.split()) for each in listed) <= 8
    for each in catalogue.pictures()[::40]:
        opened = catalogue.pixels(each)
        assert opened.dtype == np.uint8
        assert opened.ndim == 3
        assert opened.shape[2] == 4
        assert max(opened.shape[:2]) <= 160


@needed
def test_what_is_shown_is_a_picture_of_the_table():
    for each in catalogue.pictures()[::60]:
        assert table.rows()[each.key].name == each.name
        assert table.rows()[each.key].licence == each.licence


@needed
def test_no_name_is_spelled_for_a_picture_that_is_not_there():
    shown = {each.name for each in emoji.listed()}
    assert {name for name in called.SPELLED.values() if name} - shown == set()


@needs_photographs
def test_every_photograph_has_its_own_author_and_licence():
    listed = photographs.listed()
    assert len(listed) == 241
    assert all(each.licence and each.attribution for each in listed)
    assert sum(each.licence.startswith("CC-BY") for each in listed) == 30
    eiffel = next(each for each in listed if each.own.endswith("monuments/eiffelTower"))
    assert eiffel.attribution.startswith("Alex Liivet, https://")


@needs_photographs
def test_seven_monuments_are_on_two_photographs_that_differ():
    listed = [each for each in photographs.listed() if "onuments/" in each.own]
    counts = Counter(each.name for each in listed)
    assert {name for name, count in counts.items() if count == 2} == TWICE
    assert max(counts.values()) == 2
    for name in TWICE:
        one, other = (catalogue.pixels(each) for each in listed if each.name == name)
        assert table.digest(one) != table.digest(other)


@needs_photographs
def test_a_photograph_of_a_thing_of_atlas_has_it_for_a_subject():
    subjects = {each.subject for each in photographs.listed()} - {None}
    assert {"a hammer", "a screwdriver", "a polar bear", "a goldfish", "a pillow"} <= subjects <= set(things.NAMES)


@needs_stamps
def test_every_stamp_opens_and_names_one_thing():
    listed = stamps.listed()
    assert len(listed) > 300
    assert all(len(each.name.split()) <= 5 for each in listed)
    assert "a grasshopper" in {each.subject for each in listed}
    assert max(catalogue.pixels(listed[0]).shape) <= 160


def test_more_is_what_is_installed():
    found = {each.collection for each in catalogue.more()}
    assert found == ({"gcompris"} if GCOMPRIS else set()) | ({"tuxpaint"} if STAMPS else set())
