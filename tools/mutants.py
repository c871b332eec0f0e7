"""Does any test notice? One small change at a time is made to a module, and the tests that are there to pin it are run.

Run by `make mutants`, or as `python -m tools.mutants [--only PATH] [--sample N] [--seed S]`. A mutant that no test notices has
survived: either a test is missing, or the change changes nothing, and then `tools/equivalent.txt` says why. It exits with 1 when
one survived that isn't listed there.

Cosmic Ray (MIT) makes the mutants; `_operators` says which of its kinds, and adds two. Its own runner starts an interpreter for
each, of which loading torch takes eight seconds; here a process that has loaded torch forks one for each.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import importlib
import importlib.util
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
EQUIVALENT = ROOT / "tools" / "equivalent.txt"

TARGETS: Mapping[str, tuple[str, ...]] = {
    "src/errata/measure/scoring.py": ("tests/measure/test_scoring.py",),
    "src/errata/session/guard.py": ("tests/session/test_guard.py",),
    "src/errata/session/neighbours.py": ("tests/session/test_beside.py",),
    "src/errata/nn/codes.py": ("tests/nn/test_codes.py",),
    "src/errata/nn/patches.py": ("tests/nn/test_patches.py", "tests/nn/test_heard.py", "tests/contracts/test_patches.py"),
    "src/errata/log/fold.py": (
        "tests/log/test_fold.py",
        "tests/log/test_edit_log.py",
        "tests/log/test_listing.py",
        "tests/log/test_moments.py",
        "tests/log/test_properties.py",
    ),
}
"""What is mutated, and the tests that must notice, the quickest first."""

_LOADED = ("torch", "transformers", "sqlalchemy", "errata.models", "errata.session.session", "tests.conftest")
_OURS = ("errata", "tests", "tools.proofs")
_LEAST_S, _TIMES = 20.0, 6.0


@dataclass(frozen=True)
class Mutant:
    """A module with one small change in it."""

    path: str
    line: int
    kind: str
    old: str
    new: str
    source: str


@dataclass(frozen=True)
class Judged:
    """What became of a mutant: "killed", "survived", or "slow" where tests took far longer than they do."""

    path: str
    line: int
    kind: str
    old: str
    new: str
    outcome: str


def mutants(path: str, source: str) -> Iterator[Mutant]:
    """Every mutant of a module that isn't the same program, each once."""
    from cosmic_ray.mutating import mutate_code

    seen = {_program(source)}
    for kind, operator in _operators().items():
        occurrence = 0
        while (changed := mutate_code(source, operator, occurrence)) is not None:
            occurrence += 1
            program = _program(changed)
            if program is not None and program not in seen:
                seen.add(program)
                yield _mutant(path, kind, source, changed)


def _mutant(path: str, kind: str, source: str, changed: str) -> Mutant:
    was, now = source.splitlines(), changed.splitlines()
    moved = [each for each in difflib.SequenceMatcher(None, was, now, autojunk=False).get_opcodes() if each[0] != "equal"]
    _, start, stop, first, last = moved[0]
    old, new = (" ".join(line.strip() for line in lines) for lines in (was[start:stop], now[first:last]))
    return Mutant(path, start + 1, kind, old, new, changed)


def _program(source: str) -> str | None:
    """What a source does, without what only forbids (hints, frozen, strict, keyword-only); None where it is no program."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return None
    for node in ast.walk(tree):
        if isinstance(node, ast.arg | ast.AnnAssign):
            node.annotation = ast.Constant(None)
        if isinstance(node, ast.FunctionDef):
            node.returns = None
        if isinstance(node, ast.arguments):
            node.args, node.posonlyargs, node.kwonlyargs = [*node.posonlyargs, *node.args, *node.kwonlyargs], [], []
            node.defaults, node.kw_defaults = [*node.defaults, *(each for each in node.kw_defaults if each is not None)], []
        if isinstance(node, ast.Call):
            node.keywords = [each for each in node.keywords if each.arg not in ("strict", "frozen")]
    return ast.dump(tree)


def _operators() -> dict[str, Any]:
    """Cosmic Ray's kinds of change, of each group the few that a wrong program would have, and two of ours."""
    from cosmic_ray.plugins import get_operator, operator_names

    groups = (
        "ReplaceBinaryOperator_",
        "ReplaceComparisonOperator_",
        "ReplaceUnaryOperator_",
        "Variable",
        "Exception",
        "RemoveDecorator",
    )
    chosen = [name for name in operator_names() if not name.split("/")[-1].startswith(groups)]
    chosen += [
        f"core/{group}_{pair}"
        for group, pairs in (
            ("ReplaceBinaryOperator", "Add_Sub Sub_Add Mul_Div Div_Mul FloorDiv_Mul BitAnd_BitOr BitOr_BitAnd MatMul_Mul"),
            (
                "ReplaceComparisonOperator",
                "Eq_NotEq NotEq_Eq Is_IsNot IsNot_Is Lt_LtE LtE_Lt Gt_GtE GtE_Gt Lt_GtE LtE_Gt Gt_LtE GtE_Lt",
            ),
            ("ReplaceUnaryOperator", "USub_UAdd Delete_Not Delete_USub Delete_Invert"),
        )
        for pair in pairs.split()
    ]
    found = {name.split("/")[-1]: get_operator(name)() for name in chosen if name in operator_names()}
    return found | {"SwapCalled": _swapping(), "DropStatement": _dropping()}


def _swapping() -> Any:
    """`all` for `any`, `min` for `max`, `startswith` for `endswith`, and their twins, wherever they are called."""
    from cosmic_ray.operators.operator import Operator

    pairs = (
        ("all", "any"),
        ("min", "max"),
        ("amin", "amax"),
        ("argmin", "argmax"),
        ("startswith", "endswith"),
        ("isdisjoint", "issubset"),
    )
    twins = {**dict(pairs), **{second: first for first, second in pairs}}

    class SwapCalled(Operator):  # type: ignore[misc]  # Cosmic Ray has no types
        def mutation_positions(self, node: Any) -> Iterator[Any]:
            called = node.get_next_leaf() if node.type == "name" and node.value in twins else None
            if called is not None and called.value == "(":
                yield node.start_pos, node.end_pos

        def mutate(self, node: Any, index: int) -> Any:
            node.value = twins[node.value]
            return node

        @classmethod
        def examples(cls) -> tuple[()]:
            return ()

    return SwapCalled()


def _dropping() -> Any:
    """A statement that is a call, or that assigns to a part of something, left out."""
    import parso
    from cosmic_ray.operators.operator import Operator

    class DropStatement(Operator):  # type: ignore[misc]  # Cosmic Ray has no types
        def mutation_positions(self, node: Any) -> Iterator[Any]:
            if node.type != "simple_stmt":
                return
            said = node.children[0]
            call = said.type in ("atom_expr", "power") and said.children[-1].type == "trailer"
            if call or (said.type == "expr_stmt" and said.children[0].type in ("atom_expr", "power")):
                yield node.start_pos, node.end_pos

        def mutate(self, node: Any, index: int) -> Any:
            return parso.parse(f"{node.get_first_leaf().prefix}pass\n").children[0]

        @classmethod
        def examples(cls) -> tuple[()]:
            return ()

    return DropStatement()


class _Loader(SourceFileLoader):
    """Gives a module another source than its file's."""

    def __init__(self, name: str, path: str, source: str) -> None:
        super().__init__(name, path)
        self._source = source

    def get_code(self, fullname: str) -> CodeType:
        return compile(self._source, self.path, "exec")


class _Finder:
    """Finds one module, and gives it that loader."""

    def __init__(self, name: str, path: Path, source: str) -> None:
        self._name, self._path, self._source = name, path, source

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if name != self._name:
            return None
        return importlib.util.spec_from_file_location(name, self._path, loader=_Loader(name, str(self._path), self._source))


def load() -> None:
    """Load what every mutant's tests need, and forget what is ours, so that a mutant is loaded in its place."""
    for name in _LOADED:
        importlib.import_module(name)
    for name in [name for name in sys.modules if name.split(".")[0] in _OURS or name in _OURS]:
        del sys.modules[name]


def survives(path: str, source: str, tests: Sequence[str], *, root: Path = ROOT, limit_s: float = 600.0) -> bool | None:
    """Run tests, in a process of their own, on a tree in which a module has another source: whether all pass; None: not in time."""
    child = os.fork()
    if not child:
        code = 3
        try:
            code = _tested(path, source, tests, root)
        finally:
            os._exit(code)
    deadline = time.monotonic() + limit_s
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status) == 0
        if time.monotonic() > deadline:
            os.kill(child, 9)
            os.waitpid(child, 0)
            return None
        time.sleep(0.01)


def _tested(path: str, source: str, tests: Sequence[str], root: Path) -> int:
    import pytest

    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    os.chdir(root)
    name = ".".join(Path(path).with_suffix("").parts[1:])
    sys.meta_path.insert(0, _Finder(name, root / path, source))
    with tempfile.TemporaryDirectory() as kept:
        os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = kept
        options = [
            "-x",
            "-q",
            "--tb=no",
            "-W",
            "ignore::pytest.PytestAssertRewriteWarning",
            "-p",
            "no:cacheprovider",
            f"--basetemp={kept}/pytest",
            f"--rootdir={root}",
        ]
        return int(pytest.main([*options, *tests]))


def judged(path: str, chosen: Sequence[Mutant], tests: Sequence[str], said: Callable[[str], None]) -> list[Judged]:
    """What becomes of a module's mutants.

    Raises:
        SystemExit: its tests don't pass on the module as it is.
    """
    began = time.monotonic()
    if not survives(path, (ROOT / path).read_text(encoding="utf-8"), tests):
        raise SystemExit(f"{' '.join(tests)}: these don't pass on {path} as it is. Run them with pytest and mend that first.")
    limit_s = _LEAST_S + _TIMES * (time.monotonic() - began)
    found = []
    for mutant in chosen:
        passed = survives(path, mutant.source, tests, limit_s=limit_s)
        outcome = "slow" if passed is None else "survived" if passed else "killed"
        found.append(Judged(path, mutant.line, mutant.kind, mutant.old, mutant.new, outcome))
        if outcome != "killed":
            said(f"{path}:{mutant.line}: {outcome} ({mutant.kind})\n    - {mutant.old}\n    + {mutant.new}")
    return found


def equivalent(text: str) -> dict[tuple[str, str, str], str]:
    """(path, old, new) -> why it changes nothing, from blocks of lines that begin with "in ", "- ", "+ " and "= "."""
    found = {}
    for block in text.split("\n\n"):
        lines = [line for line in block.splitlines() if line.strip() and not line.startswith("#")]
        if not lines:
            continue
        marks = [line[:2] for line in lines]
        if marks not in (["in", "- ", "+ ", "= "], ["in", "- ", "= "]):
            raise SystemExit(f"{EQUIVALENT.name}: a block has lines in, -, + and =, in this order; this one doesn't: {lines[0]!r}")
        path, old, *new, why = (line[2:].strip() for line in lines)
        found[path, old, new[0] if new else ""] = why
    return found


def main() -> None:
    """Make the mutants, run the tests on each, and print which of them nobody noticed."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.mutants", description="Example: python -m tools.mutants --only src/errata/nn/codes.py"
    )
    parser.add_argument("--only", action="append", choices=sorted(TARGETS), help="this module alone; may be given again")
    parser.add_argument(
        "--sample", type=int, help="at most so many mutants of each module, drawn by --seed; all where it isn't given"
    )
    parser.add_argument("--seed", type=int, default=0, help="draws the sample")
    parser.add_argument(
        "--out", type=Path, default=Path("out/mutants.json"), help="where every mutant and what became of it is written"
    )
    asked = parser.parse_args()
    if importlib.util.find_spec("cosmic_ray") is None:
        raise SystemExit(
            "Cosmic Ray isn't installed. Run `make mutants`, or: pip install --constraint constraints.txt '.[mutants]'"
        )
    sys.path[:0] = [str(ROOT), str(ROOT / "src")]
    plans = {}
    for path in asked.only or TARGETS:
        made = list(mutants(path, (ROOT / path).read_text(encoding="utf-8")))
        size = len(made) if asked.sample is None else min(asked.sample, len(made))
        plans[path] = [made[index] for index in sorted(random.Random(asked.seed).sample(range(len(made)), size))]
    load()
    listed = equivalent(EQUIVALENT.read_text(encoding="utf-8"))
    found: list[Judged] = []
    for path, chosen in plans.items():
        began = time.monotonic()
        found += judged(path, chosen, TARGETS[path], lambda text: print(text, flush=True))
        print(f"{path}: {len(chosen)} mutants in {time.monotonic() - began:.0f} s", flush=True)
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(json.dumps([asdict(each) for each in found], indent=1) + "\n", encoding="utf-8")
    raise SystemExit(_summed(found, listed))


def _summed(found: Sequence[Judged], listed: Mapping[tuple[str, str, str], str]) -> int:
    """Print counts by module; 1 where a mutant survived that isn't listed."""
    print(f"\n{'module':36}{'mutants':>9}{'killed':>9}{'slow':>9}{'listed':>9}{'new':>9}")
    new = 0
    for path in dict.fromkeys(each.path for each in found):
        here = [each for each in found if each.path == path]
        survived = [each for each in here if each.outcome == "survived"]
        known = sum((each.path, each.old, each.new) in listed for each in survived)
        counts = [
            len(here),
            *(sum(each.outcome == word for each in here) for word in ("killed", "slow")),
            known,
            len(survived) - known,
        ]
        new += len(survived) - known
        print(f"{path:36}" + "".join(f"{count:9}" for count in counts))
    return int(new > 0)


if __name__ == "__main__":
    main()
