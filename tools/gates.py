"""The gates against decay that no ready-made tool has: sizes, crowded rooms, circles, guesses, and ties to one machine.

Run as `python -m tools.gates`; it prints one line for each finding and exits with 1 when there is any. A gate is a function from
the tree to findings. The tests in `tests/gates` plant a violation of each.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

FILE_LINES = 500
FUNCTION_LINES = 60
EXCEPTIONS = "tools/oversize.txt"
"""Lines `PATH LINES` or `PATH::FUNCTION LINES`: what may be longer, and exactly how long. It may only shrink."""

ROOM_FILES = 20
"""Modules in one folder of the package, its `__init__` aside."""

ALIKE = 3
"""So many modules of a folder whose names begin alike ask for a folder of their own."""

CODE_ROOTS = ("src", "packages", "tests", "tools", "examples", "bench")

# Written with character classes, so that this file does not hold what it looks for.
FORBIDDEN_TEXT: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("a path of one machine", re.compile(r"(?<![\w.<{/])/(?:work|root|home/\w+|Users/\w+|opt/(?:wheels|pypi[\w-]*))/")),
    ("a path of one machine", re.compile(r"\b[A-Z]:\\[U]sers\\")),
    ("a package registry's host", re.compile(r"(?:pypi|pythonhosted|npmjs|crates|anaconda|debian|rubygems)[.](?:org|io|com)\b")),
    ("a package registry's host", re.compile(r"download[.]pytorch[.]org|proxy[.]golang[.]org")),
)


@dataclass(frozen=True)
class Finding:
    """What is wrong, where, and what to do."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


@dataclass(frozen=True)
class Tree:
    """The project's files under one root: those that git tracks or would, so that build outputs are never judged."""

    root: Path

    @cached_property
    def files(self) -> tuple[Path, ...]:
        command = ["git", "-C", str(self.root), "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
        listed = subprocess.run(command, capture_output=True, check=False)
        if listed.returncode == 0:
            names = [name for name in listed.stdout.decode().split("\0") if name]
            paths = [self.root / name for name in names]
        else:  # an unpacked archive: everything in it is the project's
            paths = [path for path in self.root.rglob("*") if "__pycache__" not in path.parts]
        return tuple(sorted(path for path in paths if path.is_file()))

    def name(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()

    def code(self, *roots: str) -> Iterator[tuple[str, str]]:
        """The name and text of each Python file under these top folders."""
        for path in self.files:
            name = self.name(path)
            if path.suffix == ".py" and name.split("/", 1)[0] in roots:
                yield name, path.read_text(encoding="utf-8")

    def texts(self) -> Iterator[tuple[str, str]]:
        """The name and text of each file that is text."""
        for path in self.files:
            data = path.read_bytes()
            if b"\0" not in data:
                yield self.name(path), data.decode("utf-8", errors="replace")


Gate = Callable[[Tree], Iterator[Finding]]


def functions(module: ast.Module) -> Iterator[tuple[str, int]]:
    """The dotted name and length in lines of each function, methods and inner functions included."""

    def walk(node: ast.AST, prefix: str) -> Iterator[tuple[str, int]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                name = f"{prefix}{child.name}"
                if not isinstance(child, ast.ClassDef):
                    yield name, (child.end_lineno or child.lineno) - child.lineno + 1
                yield from walk(child, f"{name}.")
            else:
                yield from walk(child, prefix)

    return walk(module, "")


def exceptions(tree: Tree) -> dict[str, int]:
    """What may be longer than the limits, by name: its agreed length in lines."""
    path = tree.root / EXCEPTIONS
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    agreed = (line.rsplit(maxsplit=1) for line in lines if line.strip() and not line.startswith("#"))
    return {name: int(length) for name, length in agreed}


def sizes(tree: Tree) -> Iterator[Finding]:
    """Files and functions fit their limits, and no exception is larger or older than it must be."""
    measured: dict[str, tuple[int, int]] = {}
    for name, text in tree.code(*CODE_ROOTS):
        measured[name] = (len(text.splitlines()), FILE_LINES)
        for function, length in functions(ast.parse(text, filename=name)):
            key = f"{name}::{function}"
            # A property and its setter share a name: the longer one counts.
            measured[key] = (max(length, measured.get(key, (0, 0))[0]), FUNCTION_LINES)
    agreed = exceptions(tree)
    for name, (length, limit) in measured.items():
        if length > agreed.get(name, limit):
            yield Finding(name, f"{length} lines, at most {agreed.get(name, limit)}. Split it by idea.")
    for name, length in agreed.items():
        found, limit = measured.get(name, (0, 0))
        if found <= limit:
            yield Finding(EXCEPTIONS, f"{name} needs no exception any more. Delete its line.")
        elif found < length:
            yield Finding(EXCEPTIONS, f"{name} has shrunk to {found} lines. Lower its number from {length}.")


def rooms(tree: Tree) -> Iterator[Finding]:
    """No folder of the package is crowded, and no three of its modules share the beginning of their names."""
    modules: dict[str, list[str]] = {}
    for name, _ in tree.code("src"):
        folder, _, file = name.rpartition("/")
        if file != "__init__.py":
            modules.setdefault(folder, []).append(file.removesuffix(".py"))
    for folder, names in modules.items():
        if len(names) > ROOM_FILES:
            yield Finding(folder, f"{len(names)} modules, at most {ROOM_FILES}. Make rooms in it.")
        beginnings = Counter(name.lstrip("_").partition("_")[0] for name in names)
        for beginning, count in beginnings.items():
            if count >= ALIKE:
                yield Finding(folder, f"{count} modules begin with {beginning!r}. Give them a folder of that name.")


def circles(tree: Tree) -> Iterator[Finding]:
    """No module of the package imports itself by way of others, what only type checkers and single functions import included."""
    texts = {name.removeprefix("src/").removesuffix(".py").removesuffix("/__init__").replace("/", "."): text
             for name, text in tree.code("src")}  # fmt: skip
    graph = {module: _imported(text, texts) - {module} for module, text in texts.items()}
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        path: list[str] = error.args[1]
        yield Finding(path[0], f"imports itself: {' <- '.join(path)}. Turn one of these arrows round.")


def _imported(text: str, known: Container[str]) -> set[str]:
    """The modules among those known that a module's text imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in known else node.module for name in inner}
    return {name for name in found if name in known}


def guesses(tree: Tree) -> Iterator[Finding]:
    """No `hasattr` and no `getattr` with a default in the package: a missing field is an error, not a guess."""
    for name, text in tree.code("src"):
        for node in ast.walk(ast.parse(text, filename=name)):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
                continue
            if node.func.id == "hasattr":
                yield Finding(f"{name}:{node.lineno}", "hasattr. Let the type say what there is.")
            elif node.func.id == "getattr" and len(node.args) + len(node.keywords) > 2:
                yield Finding(f"{name}:{node.lineno}", "getattr with a default. Let a missing field be an error.")


def places(tree: Tree) -> Iterator[Finding]:
    """No text names a path of one machine or a package registry's host: a clone works anywhere."""
    for name, text in tree.texts():
        for number, line in enumerate(text.splitlines(), start=1):
            for what, pattern in FORBIDDEN_TEXT:
                if found := pattern.search(line):
                    yield Finding(f"{name}:{number}", f"{what}: {found[0]!r}. Say it without.")


def first_lines(tree: Tree) -> Iterator[Finding]:
    """Every module of the package says its one idea in the first line of its docstring."""
    for name, text in tree.code("src"):
        if not ast.get_docstring(ast.parse(text, filename=name)):
            yield Finding(name, "no docstring. Say the file's one idea in its first line.")


def history(tree: Tree) -> Iterator[Finding]:
    """There is a change log with a place for what comes next."""
    path = tree.root / "CHANGELOG.md"
    if not path.exists():
        yield Finding("CHANGELOG.md", "missing. Say in it what a user can now do.")
    elif "## [Unreleased]" not in path.read_text(encoding="utf-8"):
        yield Finding("CHANGELOG.md", "no '## [Unreleased]' heading. Add it above the newest version.")


GATES: tuple[Gate, ...] = (sizes, rooms, circles, guesses, places, first_lines, history)


def findings(root: Path) -> list[Finding]:
    """Everything that any gate finds in the tree at `root`."""
    tree = Tree(root)
    return [finding for gate in GATES for finding in gate(tree)]


def main() -> int:
    found = findings(Path(__file__).resolve().parent.parent)
    for finding in found:
        print(finding)
    print(f"{len(GATES)} gates, {len(found)} findings")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
