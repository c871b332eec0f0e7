"""Small made-up files in the layout of FGVEdit."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.conftest import picture

NUMBERS = ("zero", "one", "two", "three", "four")


def record(number: int, *, folder: str = "val2014") -> dict[str, Any]:
    """A record about picture `number`; the out-of-scope question is hard, the one in scope isn't."""
    return {
        "src": f"how many things are there? {number}",
        "alt": NUMBERS[number],
        "rephrase": f"tell me how many. {number}",
        "image": f"{folder}/{number}.png",
        "loc": f"nq question: where is the harbor {number}",
        "loc_ans": "north",
        "fg_gen_q": f"are there many? {number}",
        "fg_gen_a": "no",
        "fg_loc_q": f"what is the star called? {number}",
        "fg_loc_a": "mibo",
        "fg_gen_hard": False,
        "fg_loc_hard": True,
    }


def write_fgvedit(folder: Path, *, test: Sequence[dict[str, Any]] | None = None) -> Path:
    """Three records to test on and one to train on, with their pictures."""
    for name, number in (("val2014", 1), ("val2014", 2), ("val2014", 3), ("train2014", 4)):
        path = folder / "images" / name / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(number).data)
    listed = [record(number) for number in (1, 2, 3)] if test is None else list(test)
    (folder / "test_data.json").write_text(json.dumps(listed), encoding="utf-8")
    (folder / "train_data.json").write_text(json.dumps([record(4, folder="train2014")]), encoding="utf-8")
    return folder
