"""Who made each photograph of GCompris, and under which licence: read from the README beside it.

Debian's copyright file describes photographs of an older release under the same file names, so it is not what is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

_SPELLED: Final = {
    "public domain": "public domain",
    "cc-by-sa 4.0": "CC-BY-SA-4.0",
    "gplv2+": "GPL-2.0-or-later",
    "gplv3": "GPL-3.0-only",
}
"""Licences that the READMEs don't write as SPDX does."""


@dataclass(frozen=True)
class Credit:
    """What must be said beside a picture."""

    author: str
    licence: str
    source: str
    """An address; "": none is given."""

    def __str__(self) -> str:
        return f"{self.author}, {self.source}" if self.source else self.author


def credits(readme: str) -> Mapping[str, Credit]:
    """File, as the README names it -> its credit; a file without author or licence isn't there."""
    return dict(_each(readme))


def _each(readme: str) -> Iterator[tuple[str, Credit]]:
    """Paragraphs of "Copyright:", "License:", "Source:" and, last, "Files:" with one file on each line after it."""
    for paragraph in readme.replace("\r", "").split("\n\n"):
        said, _, files = paragraph.partition("Files:")
        fields = dict(_field(line) for line in said.splitlines() if ":" in line)
        author, licence = fields.get("Copyright", ""), fields.get("License", "")
        if author and licence:
            credit = Credit(author, _SPELLED.get(licence.lower(), licence), fields.get("Source", ""))
            yield from ((each.strip(), credit) for each in files.splitlines() if each.strip())


def _field(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.strip(), value.strip()
