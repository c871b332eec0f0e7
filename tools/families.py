"""The matrix of families: what each checkpoint of the zoo does, by running it. Writes docs/reference/families.md.

python -m tools.families            every family, some ten minutes
python -m tools.families llama opt  these alone, printed
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from errata.core.errors import ErrataError
from tests.zoo import families, folder_of
from tests.zoo.checks import CHECKS, Trial, verdict

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "families.md"

HEAD = """# Families, and what each does

Made by `python -m tools.families`, from runs: each row is a small random checkpoint in the layout that the hub has (`tests/zoo`:
configuration, processor, tokenizer with the family's special tokens, template, sharded weights), opened by `errata.models.load`,
and each column a check of `tests/zoo/checks.py`. Random weights show that a family is asked rightly and can be written; they say
nothing of how well an editor spreads.

- **answers as generate**: greedy answers are the ids of transformers' own `generate`, without a picture, with one, with one of odd
  shape, and with two where the family takes two.
- **batch equals single**: rows of several lengths, with and without pictures, each under its own patch.
- **codebook**, **scopeedit** on the text side and on the projector, **finetune**, **scoped**: a correction is given, and out of the
  patch the model's loss is what it was, to the last bit. **told**: the statement stands before the question.
- **bfloat16**, **left on disk** (room for six tenths of it in memory, the rest fetched when used), **8 bits**: a correction is
  given, another question isn't touched, and without it the model answers as before; on disk with the digest and the answers of
  the model in memory.
- **no forged turns**: no control token and no mark of a turn can be written by a text.
"""


def main(names: list[str]) -> int:
    """Run the checks, print them, and write the page where all families were run."""
    zoo = {name: one for name, one in families().items() if not names or name in names}
    rows, notes = [], []
    with tempfile.TemporaryDirectory() as root:
        for name, one in zoo.items():
            try:
                trial = Trial(one, folder_of(one, Path(root)))
            except ErrataError as error:
                said = str(error).replace(f"{root}/", "")
                rows.append((name, one.model_type, *["refused"] * len(CHECKS)))
                notes.append(f"{name}: refused. {said}")
                print(notes[-1], flush=True)
                continue
            found = {what: verdict(check, trial) for what, check in CHECKS.items()}
            rows.append((name, one.model_type, *(said.partition(":")[0] for said in found.values())))
            notes += [f"{name}, {what}: {said.partition(': ')[2]}" for what, said in found.items() if said != "yes"]
            print(" | ".join(rows[-1]), flush=True)
    if not names:
        PAGE.write_text(_page(rows, notes), encoding="utf-8")
    return 1 if any("no" in row for row in rows) else 0


def _page(rows: list[tuple[str, ...]], notes: list[str]) -> str:
    columns = ("checkpoint", "model_type", *CHECKS)
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    refused = sum("refused" in row for row in rows)
    count = f"{len(rows)} checkpoints, {len(rows) - refused} opened, {refused} refused by a sentence."
    return "\n".join([HEAD, count, "", *lines, "", "What isn't a yes, and why:", "", *(f"- {note}" for note in notes)]) + "\n"


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
