"""The first entry of a log: which model, which editor, which versions and pool it is of; and whether a session fits it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from importlib.metadata import version
from typing import Any

from errata.core.canonical import JSON, canonical
from errata.core.editor import Editor
from errata.core.errors import WrongStore
from errata.core.model import Model
from errata.core.records import Provenance, Query
from errata.engine.pools import put_pool
from errata.log import EditLog, Entry

_PLAIN = (str, int, float, type(None))

_PACKAGES = ("torch", "transformers", "safetensors")


def recorded_editor(log: EditLog) -> str | None:
    """How the log's editor was named when the log began; None for an empty log, or when it wasn't said."""
    first = next(log.entries(1, 2), None)
    if first is None or first.kind != "begun":
        return None
    asked = first.details.get("asked")
    return asked if isinstance(asked, str) and asked else None


def as_recorded(log: EditLog, editor: Editor[Any]) -> Editor[Any]:
    """The editor with the fields that the log began with, where they are plain values: defaults may have changed since.

    Args:
        log: with a first entry, or without.
        editor: made from `recorded_editor`.
    """
    first = next(log.entries(1, 2), None)
    told = first.details.get("editor") if first is not None and first.kind == "begun" else None
    recorded = told.get("fields") if isinstance(told, Mapping) else None
    shape: Any = editor
    if not isinstance(recorded, Mapping) or not is_dataclass(shape) or isinstance(shape, type):
        return editor
    now = {each.name: getattr(shape, each.name) for each in fields(shape) if each.init}
    was = {name: recorded[name] for name in now if name in recorded and recorded[name] != now[name]}
    plain = {name: value for name, value in was.items() if isinstance(value, _PLAIN) and isinstance(now[name], _PLAIN)}
    made: Any = replace(shape, **plain)
    return made  # type: ignore[no-any-return]


def begin(log: EditLog, model: Model, editor: Editor[Any], pool: Sequence[Query], asked: str) -> None:
    """Append the first entry."""
    versions: dict[str, JSON] = {package: version(package) for package in _PACKAGES}
    log.append(
        "begun",
        None,
        Provenance("errata", "the log begins"),
        details={
            "model": {"name": model.name, "digest": model.digest, "parameters": model.parameters},
            "editor": editor.spec(model).to_json(),
            "asked": asked,
            "pool": put_pool(log, pool),
            "versions": versions,
        },
        after="",
    )


def check_same(first: Entry, model: Model, editor: Editor[Any]) -> None:
    """Whether the log is of this model and this editor.

    Raises:
        WrongStore: it isn't.
    """
    recorded = first.details.get("model")
    if first.kind != "begun" or not isinstance(recorded, Mapping):
        raise WrongStore("This log doesn't say which model and editor it is of, so it can't be served. Begin a new branch.")
    if recorded.get("digest") != model.digest:
        raise WrongStore(
            f"This log is of the model {recorded.get('name')} ({str(recorded.get('digest'))[:12]}), not of {model.name} "
            f"({model.digest[:12]}). Open it with that model, or name another store or branch."
        )
    was, now = first.details.get("editor"), editor.spec(model).to_json()
    if canonical(was) != canonical(now):
        assert isinstance(was, Mapping), "an editor's spec is written as an object"
        raise WrongStore(
            f"This log is of the editor {_said(was, now)}, not of {_said(now, was)}. "
            "Leave out --editor to use the log's own, or name another store or branch."
        )


def _said(spec: Mapping[str, JSON], other: Mapping[str, JSON]) -> str:
    """The editor's name with the fields in which it differs from the other."""
    mine, its = spec["fields"], other["fields"]
    assert isinstance(mine, Mapping), "a spec's fields are an object"
    assert isinstance(its, Mapping), "a spec's fields are an object"
    if spec["name"] != other["name"]:
        return str(spec["name"])
    differing = [f"{key}={value}" for key, value in mine.items() if key not in its or its[key] != value]
    return f"{spec['name']} with {', '.join(differing) or 'fewer fields'}"
