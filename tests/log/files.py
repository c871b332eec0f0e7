"""Import files for the tests of formats: written in a folder with two pictures, and read whole."""

from __future__ import annotations

import json
from pathlib import Path

from errata.core.records import Edit, Provenance
from errata.log.formats import Format, Line, Options, read
from tests.log.worlds import picture

BY = Provenance("ann", "because", "T-1")
PLAIN = Options(default=BY)


def with_pictures(folder: Path) -> Path:
    """The folder, with pictures 1 and 2 in it as a.png and b.png."""
    for number, name in enumerate(("a", "b"), start=1):
        (folder / f"{name}.png").write_bytes(picture(number).data)
    return folder


def written(folder: Path, *lines: object, name: str = "in.jsonl") -> Path:
    """A file with a line for each of `lines`: bytes as they are, anything else as JSON."""
    path = folder / name
    path.write_bytes(b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines))
    return path


def found(path: Path, format: Format, options: Options = PLAIN) -> list[Line]:
    """Every line of a file."""
    return list(read(path, format, options))


def edits(path: Path, format: Format, options: Options = PLAIN) -> list[Edit]:
    """The edits of a file without a bad record."""
    lines = found(path, format, options)
    assert [line.found for line in lines if isinstance(line.found, str)] == []
    return [line.found[0] for line in lines if not isinstance(line.found, str)]


def why(path: Path, format: Format, options: Options = PLAIN) -> str:
    """What is wrong with the one record of a file."""
    (line,) = found(path, format, options)
    assert isinstance(line.found, str)
    return line.found
