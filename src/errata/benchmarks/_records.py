"""Files of flat records, as benchmarks are published in: a JSON list of objects, or one object to a line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from errata.core import given
from errata.core.errors import BadInput, quoted


def records(path: Path, *, hint: str = "Check the path.") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each object of a file, with where it stands as a person says it.

    Args:
        hint: what to do where there is no such file.

    Raises:
        BadInput: no file, no UTF-8, no JSON, no object in it, or something else than objects.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise BadInput(f"There is no {path}. {hint}") from None
    except UnicodeDecodeError:
        raise BadInput(f"{path} isn't UTF-8 text. Is it the right file?") from None
    if text.lstrip().startswith("["):
        values = [(f"{path}, record {number}", value) for number, value in enumerate(_json(text, str(path)), start=1)]
    else:  # only "\n" ends a line: inside a string JSON may hold other signs that Python splits lines at
        lines = [(f"{path}, line {number}", line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
        values = [(place, _json(line, place)) for place, line in lines]
    if not values:
        raise BadInput(f"{path} holds no record. Put at least one in it.")
    for place, value in values:
        if not isinstance(value, dict):
            raise BadInput(f"{place} isn't an object. Write {{...}}: a list of them, or one to a line.")
        yield place, value


def text_of(record: Mapping[str, Any], name: str, place: str) -> str:
    """A field that must be text.

    Raises:
        BadInput: it is missing, empty or something else; the sentence names it and its place.
    """
    if name not in record:
        raise BadInput(f"{place}: the field {quoted(name)} is missing. Known here: {', '.join(record) or 'none'}.")
    text = record[name]
    if not isinstance(text, str) or not text.strip():
        raise BadInput(f"{place}: the field {quoted(name)} must be text that isn't empty; it is {quoted(text)}.")
    return given.words(text, f"field {quoted(name)} of {place}")


def _json(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        where = f", line {error.lineno}" if "\n" in text else ""
        raise BadInput(f"{place} isn't JSON: {error.msg}{where}. Was it cut short?") from None
    except (ValueError, RecursionError):
        raise BadInput(f"{place} is nested too deep, or holds too long a number. Records are flat objects of texts.") from None
