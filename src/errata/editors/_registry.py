"""Editors by name: those of this room, those that installed packages announce, and one in a file of the user's own.

A name may carry fields: `scopeedit:preset=paper,steps=3`. A module of this room whose name doesn't start with an underscore is an
editor under that name, and so is a folder, by its module `editor`; either defines one class with the three verbs.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import sys
import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from importlib.metadata import entry_points
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, Protocol, Union, get_args, get_origin, get_type_hints, runtime_checkable

from errata.core.canonical import digest_of
from errata.core.catalogue import ENTRY_POINTS
from errata.core.counted import counted
from errata.core.editor import Editor
from errata.core.errors import BadInput, Unknown, quoted
from errata.core.model import Model, Patch
from errata.core.records import Edit, Query, Spec


@runtime_checkable
class _Verbs(Protocol):
    def spec(self, model: Model) -> Spec: ...

    def begin(self, model: Model) -> Any: ...

    def write(self, model: Model, state: Any, edit: Edit) -> Any: ...

    def read(self, model: Model, state: Any, query: Query) -> Patch: ...


@runtime_checkable
class _Preset(Protocol):
    @staticmethod
    def preset(name: str) -> Any: ...


def found_in(package: types.ModuleType) -> Mapping[str, type]:
    """Name -> the editor that is defined under it, for the public modules and folders of a package."""
    editors: dict[str, type] = {}
    for each in pkgutil.iter_modules(package.__path__):
        if each.name.startswith("_"):
            continue
        module = importlib.import_module(f"{package.__name__}.{each.name}{'.editor' if each.ispkg else ''}")
        own = _editors_of(module)
        assert len(own) == 1, f"{module.__name__} defines {counted(len(own), 'editor')}; the room holds one in each module."
        editors[each.name] = own[0]
    return editors


def in_room(text: str, besides: Mapping[str, type]) -> Editor[Any]:
    """The editor that a name and fields describe, for an editor that holds another one: its fields are separated by semicolons.

    Args:
        text: `name` or `name:field=value;...`.
        besides: editors that only make sense inside another one.

    Raises:
        Unknown, BadInput: see `parse`.
    """
    return parse(text.replace(";", ","), {**found_in(sys.modules[__package__]), **besides})


def parse(text: str, known: Mapping[str, type], short: Mapping[str, str] = MappingProxyType({})) -> Editor[Any]:
    """The editor that a name and fields describe.

    Args:
        text: `name`, `name:field=value,...`, `file.py:Class` or `file.py:Class:field=value,...`.
        known: the editors of the room.
        short: further names, each with the name and fields that it stands for.

    Raises:
        Unknown: no such editor, field or preset.
        BadInput: a value that the field can't take, or a file without that editor.
    """
    head, _, rest = text.strip().partition(":")
    name = head
    if head in short:
        head, _, first = short[head].partition(":")
        rest = f"{first},{rest}"
    if head.endswith(".py"):
        class_name, _, rest = rest.partition(":")
        kind, name = _from_file(Path(head), class_name), f"{head}:{class_name}"
    else:
        kind = _named(head, known, short)
    editor: Editor[Any] = with_fields(kind, name, rest)
    return editor


def _named(name: str, known: Mapping[str, type], short: Mapping[str, str]) -> type:
    if name in known:
        return known[name]
    announced = {each.name: each for each in entry_points(group=ENTRY_POINTS)}
    if name not in announced:
        raise Unknown("editor", name, [*known, *short, *announced])
    try:
        kind = announced[name].load()
    except (ImportError, AttributeError) as error:
        raise BadInput(f"The editor {name} of an installed package can't be loaded: {error}. Reinstall that package.") from error
    return _checked(kind, f"{announced[name].value}, announced as {name},")


def _from_file(path: Path, class_name: str) -> type:
    if not class_name:
        raise BadInput(f"Say which class of {path} is the editor, as in {path}:Mine.")
    try:
        source = path.read_bytes()
    except OSError as error:
        raise BadInput(f"The editor's file {path} can't be read: {error.strerror or error}. Check the path.") from None
    # The content is in the module's name: a snapshot's state finds its class again in another process, and only for the same code.
    module_name = f"errata_file_{path.stem}_{digest_of(source)[:12]}"
    module = sys.modules.get(module_name) or _load(path, module_name)
    members = vars(module)
    if class_name not in members:
        raise Unknown(f"class in {path}", class_name, (kind.__name__ for kind in _editors_of(module)))
    return _checked(members[class_name], f"{class_name} in {path}")


def _load(path: Path, module_name: str) -> types.ModuleType:
    spec = importlib.util.spec_from_file_location(module_name, path)
    assert spec is not None, f"{path} ends in .py, so there is a spec for it."
    assert spec.loader is not None, f"{path} ends in .py, so there is a loader for it."
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module  # dataclasses look their module up while the class is made
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # noqa: BLE001  anything may go wrong in a user's file; the sentence names it
        del sys.modules[module_name]
        raise BadInput(
            f"The editor's file {path} doesn't run: {type(error).__name__}: {error}. Try it with python {path}."
        ) from error
    return module


def _is_editor(member: Any) -> bool:
    return isinstance(member, type) and issubclass(member, _Verbs) and is_dataclass(member)


def _checked(kind: Any, where: str) -> type:
    if not _is_editor(kind):
        raise BadInput(f"{where} is no editor: it must be a dataclass with the methods spec, begin, write and read.")
    found: type = kind
    return found


def _editors_of(module: types.ModuleType) -> list[type]:
    return [member for member in vars(module).values() if _is_editor(member) and member.__module__ == module.__name__]


def with_fields(kind: Any, name: str, text: str) -> Any:
    """A dataclass of this kind with the fields of `field=value,...`; see `parse` for what is raised."""
    hints = get_type_hints(kind)
    types_of = {each.name: hints[each.name] for each in fields(kind) if each.init and _plain(hints[each.name])}
    base: Any = None
    values: dict[str, Any] = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        key, equals, value = (part.strip() for part in item.partition("="))
        if not equals:
            raise BadInput(f"{quoted(item)} isn't a field of {name} with a value. Write {name}:field=value,field=value.")
        if key == "preset" and issubclass(kind, _Preset):
            base = kind.preset(value)
        elif key not in types_of:
            raise Unknown(f"field of {name}", key, types_of)
        else:
            values[key] = _value(value, types_of[key], f"{name}'s {key}")
    try:
        return kind(**values) if base is None else replace(base, **values)
    except TypeError as error:
        raise BadInput(f"{name} can't be made from these fields: {error}. Give every field that has no default.") from None


def _options(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def _plain(hint: Any) -> bool:
    """Whether a field's value can be written in a word."""
    return all(each in (int, float, bool, str, types.NoneType) or get_origin(each) is Literal for each in _options(hint))


def _value(text: str, hint: Any, where: str) -> Any:
    options = _options(hint)
    if types.NoneType in options and text.lower() == "none":
        return None
    for option in options:
        if option is bool and text.lower() in ("true", "false"):
            return text.lower() == "true"
        if get_origin(option) is Literal and text in get_args(option):
            return text
        if option is str:
            return text
        if option in (int, float):
            try:
                return option(text)
            except ValueError:
                continue
    raise BadInput(f"{where} takes {' or '.join(_said(option) for option in options)}, not {quoted(text)}.")


def _said(option: Any) -> str:
    if get_origin(option) is Literal:
        return " or ".join(repr(each) for each in get_args(option))
    words = {int: "a whole number", float: "a number", bool: "true or false", str: "a word", types.NoneType: "none"}
    return words[option]
