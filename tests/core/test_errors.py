"""A message quotes as much of a value as a reader takes in, wherever the value was given."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from errata.core import given
from errata.core.errors import QUOTED_CHARS, ErrataError, Unknown, quoted, shortened
from errata.core.records import Edit, Query, instant
from errata.editors.finetune import FineTune

LONG = "QUJD" * 750_000


@pytest.mark.parametrize("value", ["", "mibo", "it's", 'a "ring"', "日本", "a\n\0", 3, None, ["a"], "x" * QUOTED_CHARS])
def test_a_short_value_is_quoted_as_it_is(value):
    assert quoted(value) == repr(value)


@pytest.mark.parametrize("value", [LONG, "x" * (QUOTED_CHARS + 1), "\0" * QUOTED_CHARS, [LONG], "'" * 10_000, "🦀" * 10_000])
def test_a_long_value_is_cut_and_says_so(value):
    assert len(quoted(value)) < QUOTED_CHARS + 40
    assert "characters)" in quoted(value)
    assert len(shortened(value)) < QUOTED_CHARS + 40


GIVEN: dict[str, Callable[[], object]] = {
    "a path of a picture": lambda: given.picture(LONG),
    "a path with a zero": lambda: given.picture(f"\0{LONG}"),
    "a time": lambda: instant(LONG),
    "a reach": lambda: Edit(Query.ask("q?"), "t", reach=LONG),  # type: ignore[arg-type]
    "a name": lambda: (_ for _ in ()).throw(Unknown("editor", LONG, ["told"])),
    "an editor's field": lambda: FineTune(where=LONG),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("what", GIVEN)
def test_a_message_is_short_whatever_was_given(what):
    with pytest.raises(ErrataError) as raised:
        GIVEN[what]()
    assert len(str(raised.value)) < 2 * QUOTED_CHARS + 200
