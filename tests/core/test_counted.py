"""One of a thing is named in the singular, wherever something is counted."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import errata
from errata.core.counted import counted, digits

NOUNS = "edits|entries|pictures|corrections|checkpoints|fields|editors|seeds"
ALWAYS_SEVERAL = {"FEWEST_EDITS", "ENOUGH", "MANY"}
"""Constants that are more than one."""


def test_a_count_is_said_with_its_noun():
    said = [counted(0, "edit"), counted(1, "edit"), counted(2, "edit"), counted(1, "entry"), counted(7, "entry"), counted(2, "key")]
    assert said == ["0 edits", "1 edit", "2 edits", "1 entry", "7 entries", "2 keys"]


def test_what_was_measured_has_three_digits_and_no_exponent_where_it_can_be_written():
    values = [0.00123, 0.4876, 12.0, 999.4, 999.6, 3338.2, -21_499.0, 1e-7, float("inf"), float("nan")]
    assert [*map(digits, values)] == ["0.00123", "0.488", "12", "999", "1,000", "3,340", "-21,500", "1e-07", "inf", "nan"]


def test_nothing_is_counted_by_a_plural_alone():
    found = []
    for path in sorted(Path(errata.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for count, words in zip(node.values, node.values[1:], strict=False) if isinstance(node, ast.JoinedStr) else ():
                if isinstance(count, ast.FormattedValue) and isinstance(words, ast.Constant):
                    value = ast.unparse(count.value)
                    if re.match(rf" (?:other )?(?:{NOUNS})\b", str(words.value)) and value.lstrip("_") not in ALWAYS_SEVERAL:
                        found.append(f"{path.name}:{count.lineno}: {value}{str(words.value)[:20]}")
    assert not found, "\n".join(found)
