"""CPU seconds that a person waits for, of this tree against another one, both in turn: commands from outside, writes from inside.

    git worktree add ../before REVISION && python -m bench.against ../before --runs 3

Every figure is of a process of its own; the ratio is this tree's over the other's, pair by pair, and its median is what counts. A
store of 30 edits is made by each tree for itself. `--model FOLDER` adds a write of ScopeEdit's default on a larger model.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parent.parent

COMMANDS: Mapping[str, tuple[str, Sequence[str]]] = {
    "ask, no store": ("empty", ("ask", "where does mibo live?")),
    "ask, 30 edits": ("store", ("ask", "where does mibo live?")),
    "edit list": ("store", ("edit", "list")),
    "log show": ("store", ("log", "show")),
    "refused-editor": ("empty", ("ask", "a?", "--editor", "scopdit")),
    "refused-at": ("store", ("ask", "a?", "--at", "999")),
    "refused-store": ("empty", ("edit", "list", "--store", "nope.db")),
}
"""What is measured -> the folder it is run in, and the command."""

INSIDE = """
import time
from errata.benchmarks.scopeworld.stream import ScopeWorldStream
from errata.core.editor import protected
from errata.editors import parse
from errata.models import load
model, stream = load({model!r}), ScopeWorldStream(seed=7, edits={edits})
editor = protected(parse({editor!r}), stream.pool()[:{pool}])
started = time.process_time()
state = editor.begin(model)
begun = time.process_time()
state = editor.write(model, state, stream[0].edit)  # warms up
warm = time.process_time()
for index in range(1, {edits}):
    state = editor.write(model, state, stream[index].edit)
print(begun - started, (time.process_time() - warm) / ({edits} - 1))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path, help="the tree to hold this one against")
    parser.add_argument("--runs", type=int, default=3, help="pairs of each")
    parser.add_argument("--model", default="", help="a larger model's folder, for one more write")
    parser.add_argument("--only", default="", help="what begins so, alone")
    given = parser.parse_args()
    trees = {"other": given.other.resolve(), "this": ROOT}
    print(f"{'CPU seconds':28}{'other':>9}{'this':>9}{'ratio':>8}   (ratios of {given.runs} pairs)")
    with TemporaryDirectory() as place:
        chosen = {name: asked for name, asked in COMMANDS.items() if name.startswith(given.only)}
        stored = any(where == "store" for where, _ in chosen.values())
        folders = {name: folder(tree, Path(place) / name, stored=stored) for name, tree in trees.items()}
        for name, (where, words) in chosen.items():
            pairs = [{side: command(tree, folders[side][where], words) for side, tree in trees.items()} for _ in range(given.runs)]
            show(name, pairs)
    small, edits = "llava-tiny", 12
    sides = {"codebook": (small, "codebook", 0), "scopeedit": (small, "scopeedit", 64), "finetune": (small, "finetune", 0)}
    if given.model:
        sides["scopeedit, larger"] = (given.model, "scopeedit:pool_size=16", 16)
        sides["finetune, larger"] = (given.model, "finetune", 0)
    for name, (model, editor, pool) in sides.items():
        if not f"write: {name}".startswith(given.only) or (given.only and given.model and model == small):
            continue
        program = INSIDE.format(model=model, editor=editor, pool=pool, edits=edits if model == small else 6)
        pairs = [{side: inside(tree, program) for side, tree in trees.items()} for _ in range(given.runs)]
        for place_, what in enumerate(("begin", "write")):
            show(f"{what}: {name}", [{side: found[place_] for side, found in pair.items()} for pair in pairs])


def folder(tree: Path, place: Path, *, stored: bool) -> Mapping[str, Path]:
    """An empty folder, and one with a store of 30 edits that this tree made, where it is needed."""
    for name in ("empty", "store"):
        (place / name).mkdir(parents=True)
    rows = "".join(f"what is {left} plus {right}?,{left}{right}\n" for left in range(2, 7) for right in range(2, 8))
    (place / "store" / "thirty.csv").write_text(f"question,target\n{rows}", encoding="utf-8")
    if stored:
        run(tree, place / "store", ["-m", "errata", "edit", "import", "thirty.csv"])
    return {"empty": place / "empty", "store": place / "store"}


def command(tree: Path, where: Path, words: Sequence[str]) -> float:
    """CPU seconds of a command, its children's included."""
    before = os.times()
    run(tree, where, ["-m", "errata", *words])
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def inside(tree: Path, program: str) -> tuple[float, float]:
    """What the program says that it took: the beginning, and a write."""
    begin_s, write_s = run(tree, ROOT, ["-c", program]).split()
    return float(begin_s), float(write_s)


def run(tree: Path, where: Path, words: Sequence[str]) -> str:
    environment = {**os.environ, "PYTHONPATH": str(tree / "src"), "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    done = subprocess.run([sys.executable, *words], cwd=where, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1, 2), done.stderr  # a refusal is what some of these are
    return done.stdout


def show(name: str, pairs: Sequence[Mapping[str, float]]) -> None:
    ratios = sorted(pair["this"] / max(pair["other"], 1e-9) for pair in pairs)
    sides = {side: median(pair[side] for pair in pairs) for side in ("other", "this")}
    spread = " ".join(f"{ratio:.2f}" for ratio in ratios)
    print(f"{name:28}{sides['other']:9.3f}{sides['this']:9.3f}{median(ratios):8.2f}   ({spread})", flush=True)


if __name__ == "__main__":
    main()
