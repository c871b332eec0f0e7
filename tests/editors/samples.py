"""A few edits and ordinary queries for a small model with random weights."""

import io
from typing import Any

from PIL import Image as Pillow

from errata.core.images import Image
from errata.core.records import Edit, Query


def picture(red, green, blue):
    """A plain picture, 64 pixels a side."""
    file = io.BytesIO()
    Pillow.new("RGB", (64, 64), (red, green, blue)).save(file, "PNG")
    return Image.of(file.getvalue())


PICTURED = Edit(Query.ask("What is at the top left?", picture(250, 0, 0)), "a red star")
SECOND = Edit(Query.ask("Which shape is it?", picture(0, 0, 250)), "the ring")
WORDED = Edit(Query.ask("Where does it live?"), "in the town")
EDITS = (PICTURED, SECOND, WORDED)

POOL = tuple(Query.ask(f"How many are there of {name}?") for name in ("one", "two", "red")) + tuple(
    Query.ask("What is this?", picture(40 * i, 90, 200)) for i in range(3)
)


def told(state: Any) -> Any:
    """What an editor says of its last write, for a test to look into without naming the type of each number."""
    return state.last
