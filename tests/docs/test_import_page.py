"""Every example of the page on import files is a file of the format that it stands under, and can be imported."""

import re
from pathlib import Path

import pytest

from errata.log.formats import FORMATS, guess, read
from tests.log.worlds import picture

PAGE = (Path(__file__).parent.parent.parent / "docs/reference/import-file.md").read_text(encoding="utf-8")
NAMED = dict(re.findall(r"^\| \[`(\w+)`\]\(#([\w-]+)\)", PAGE, re.MULTILINE))
SECTIONS = {
    re.sub(r"\W+", "-", title.lower()): text for title, text in re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S)
}
EXAMPLES = [
    (format, block)
    for format, section in NAMED.items()
    for block in re.findall(r"^```(?:json|csv)\n(.*?)^```", SECTIONS[section], re.M | re.S)
]


def test_every_format_has_a_section_with_an_example():
    assert set(NAMED) == set(FORMATS)
    assert {format for format, _ in EXAMPLES} == set(FORMATS)


@pytest.mark.parametrize(("format", "block"), EXAMPLES)
def test_an_example_is_a_file_of_its_format(tmp_path, format, block):
    for name in {*re.findall(r"[\w/-]+\.(?:png|jpg)", block)}:
        path = tmp_path / name.removeprefix("/data/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(1).data)
    file = tmp_path / "example"
    file.write_text(block, encoding="utf-8")
    assert guess(file) == format
    lines = list(read(file, format))
    assert [line.found for line in lines if isinstance(line.found, str)] == []
    assert len(lines) >= 1
