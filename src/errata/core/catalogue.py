"""Which editors there are and which fields they take, read from their source without running it.

An editor's module loads torch, which takes longer than all that a command does with a wrong name. So what the text of
`errata/editors` tells is told first: a name that no module has, a field that its class hasn't, a word where a number must be. The
rest is left to the registry, which runs the modules: values out of range, editors of installed packages and of files.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path

from errata.core.errors import BadInput, Unknown, quoted

ENTRY_POINTS = "errata.editors"
"""The group under which an installed package announces an editor, `name = "package.module:Class"`."""

_WORD = r"(?:int|float|bool|str|None|Literal\[.*?\]|KeyPositions|Protected)"
_PLAIN = re.compile(rf"{_WORD}(?: \| {_WORD})*")
"""An annotation of words and numbers; the two names stand for two words each."""

_VERBS = frozenset({"begin", "write", "read", "spec"})
_ROOM = Path(__file__).parent.parent / "editors"


def check_named(text: str) -> None:
    """Refuse the text of an editor as `errata.editors.parse` would, as far as can be told without loading it.

    Raises:
        Unknown: no such editor or field.
        BadInput: a field without a value, a number that is none, a file that isn't there.
    """
    head, _, rest = text.strip().partition(":")
    if head.endswith(".py"):
        if not Path(head).is_file():
            raise BadInput(f"The editor's file {head} can't be read: there is no such file. Check the path.")
        return
    room, short = _room(), _short_names()
    name = short.get(head, head)
    if name not in room:
        announced = {each.name for each in entry_points(group=ENTRY_POINTS)}
        if head not in announced:
            raise Unknown("editor", head, [*room, *short, *announced])
        return
    fields = _fields(room[name])
    for item in filter(None, (part.strip() for part in rest.split(","))):
        key, equals, value = (part.strip() for part in item.partition("="))
        if not equals:
            raise BadInput(f"{quoted(item)} isn't a field of {head} with a value. Write {head}:field=value,field=value.")
        if key != "preset" and key not in fields:
            raise Unknown(f"field of {head}", key, fields)
        if fields.get(key) in _NUMBERS and not _fits(value, fields[key]):
            raise BadInput(f"{head}'s {key} takes {_NUMBERS[fields[key]]}, not {quoted(value)}.")


_NUMBERS: Mapping[str, str] = {"int": "a whole number", "float": "a number", "bool": "true or false"}


def _fits(value: str, kind: str) -> bool:
    if kind == "bool":
        return value.lower() in ("true", "false")
    try:
        int(value) if kind == "int" else float(value)
    except ValueError:
        return False
    return True


@cache
def _room() -> Mapping[str, Path]:
    """Name -> the module that defines the editor: a file of the room, or `editor` in a folder of it."""
    files = {path.stem: path for path in sorted(_ROOM.glob("*.py")) if not path.stem.startswith("_")}
    return files | {path.parent.name: path for path in sorted(_ROOM.glob("*/editor.py"))}


@cache
def _short_names() -> Mapping[str, str]:
    """Further names -> the editor that each stands for, from the literal that defines them."""
    found: dict[str, str] = {}
    for path in _room().values():
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == "SHORT_NAMES":
                held = next(each for each in ast.walk(node) if isinstance(each, ast.Dict))
                found |= {name: said.partition(":")[0] for name, said in ast.literal_eval(held).items()}
    return found


def _fields(path: Path) -> Mapping[str, str]:
    """Field -> its annotation as written, of the class with the three verbs; of a base class in another file nothing is known."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef) and _is_editor(node):
            return dict(_annotated(node))
    return {}


def _is_editor(node: ast.ClassDef) -> bool:
    methods = {each.name for each in node.body if isinstance(each, ast.FunctionDef)}
    return methods >= _VERBS or ("spec" in methods and bool(node.bases))


def _annotated(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    """The fields that can be written in a word."""
    for each in node.body:
        if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name):
            annotation = ast.unparse(each.annotation)
            if _PLAIN.fullmatch(annotation):
                yield each.target.id, annotation
