"""The committed picture is the one that its table gives, and another table gives another picture."""

from xml.etree import ElementTree

import pytest

from tools import pictures

TABLE = pictures.PAGE.read_text(encoding="utf-8")
SVG = "{http://www.w3.org/2000/svg}"


def drawn(page, kind):
    """The widths of a kind's bars, without its key in the legend."""
    bars = ElementTree.fromstring(pictures.draw(page)).iter(f"{SVG}rect")
    return [int(bar.attrib["width"]) for bar in bars if bar.attrib["class"] == kind][1:]


def test_the_committed_picture_is_what_its_table_gives():
    assert list(pictures.stale()) == [], "run: make docs"


@pytest.mark.parametrize("kind", [*pictures.CHANGE.kinds, *pictures.STAY.kinds])
def test_every_editor_of_the_table_has_a_bar_as_long_as_its_figure(kind):
    row = next(line for line in TABLE.splitlines() if line.startswith(f"| {kind} |"))  # of the first table
    means = [int(cell.split("±")[0]) for cell in row.strip("|").split("|")[1:]]
    assert drawn(TABLE, kind) == [pictures.SCALE * mean for mean in means]


@pytest.mark.parametrize(
    ("cell", "other"),
    [
        ("| reliability | 0 ± 0 | 61 ± 2 |", "| reliability | 0 ± 0 | 62 ± 2 |"),
        ("| near_locality | 100 ± 0 | 57 ± 1 |", "| near_locality | 100 ± 0 | 57 ± 2 |"),
        ("| scopeedit | codebook |", "| scopeedit | ledger |"),
    ],
)
def test_a_changed_table_without_a_new_picture_is_stale(cell, other, tmp_path):
    page, picture = tmp_path / "page.md", tmp_path / "page.svg"
    page.write_text(TABLE, encoding="utf-8")
    picture.write_text(pictures.draw(TABLE), encoding="utf-8")
    assert pictures.stale(page) == {}
    assert TABLE.count(cell) == 1
    page.write_text(TABLE.replace(cell, other), encoding="utf-8")
    assert list(pictures.stale(page)) == [picture]
