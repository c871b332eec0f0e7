"""The first entry of a log: its model, editor, versions, pool and how pictures are decoded; and whether a session fits it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from importlib.metadata import version
from typing import Any

from errata.core.canonical import JSON, canonical
from errata.core.editor import BEFORE, MADE, Editor
from errata.core.errors import WrongStore
from errata.core.matching import QUESTIONS
from errata.core.model import Model
from errata.core.records import Provenance, Query
from errata.log import EditLog, Entry
from errata.models.upstream.model import Upstream
from errata.session.pools import put_pool

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
    """The editor with the fields that the log began with, where they weren't named then: defaults and presets may change.

    Plain values alone; what a spec tells by its digest was named. The same goes for an editor inside this one.

    Args:
        log: with a first entry, or without.
        editor: made from `recorded_editor`; another one is given back as it is.
    """
    asked = recorded_editor(log)
    if asked is None:
        return editor
    told = _completed(next(log.entries(1, 2)).details.get("editor"), editor)
    made: Editor[Any] = _as_told(editor, told, named=_names(asked, "[:,]"), inside=_names(asked.partition("editor=")[2], "[:,;]"))
    return made


def _names(text: str, between: str) -> frozenset[str]:
    return frozenset(part.partition("=")[0].strip() for part in re.split(between, text))


def _fields_of(told: object, shape: object) -> Mapping[str, Any]:
    """The fields that a spec names, of an editor (or what is inside one) that has fields; else none."""
    recorded = told.get("fields") if isinstance(told, Mapping) else None
    return recorded if isinstance(recorded, Mapping) and is_dataclass(shape) and not isinstance(shape, type) else {}


def _completed(told: Any, shape: Any) -> Any:
    """A recorded spec with the fields that came later, at what was done before there were any (`BEFORE`)."""
    recorded = _fields_of(told, shape)
    if not recorded:
        return told
    later = {each.name: each.metadata[BEFORE] for each in fields(shape) if BEFORE in each.metadata}
    inside = {name: _completed(value, vars(shape).get(name)) for name, value in recorded.items()}
    return {**told, "fields": later | inside}


def _as_told(shape: Any, told: object, *, named: Collection[str], inside: Collection[str]) -> Any:
    """A dataclass with the fields of a spec, but for those that were named; `inside` are those named of what it holds."""
    recorded = _fields_of(told, shape)
    if not recorded:
        return shape
    known = [each.name for each in fields(shape) if each.init and each.name in recorded and each.name not in named]
    was = {name: recorded[name] for name in known if _replaces(recorded[name], getattr(shape, name))}
    if was:
        shape = replace(shape, **was, **{each.name: None for each in fields(shape) if each.metadata.get(MADE)})
    held = {name: getattr(shape, name) for name in known if _fields_of(recorded[name], getattr(shape, name))}
    return replace(shape, **{name: _as_told(now, recorded[name], named=inside, inside=inside) for name, now in held.items()})


def _replaces(was: object, now: object) -> bool:
    """Whether a recorded value is one that a field could have had: a name is never taken away."""
    return was != now and isinstance(was, _PLAIN) and isinstance(now, _PLAIN) and not (was is None and isinstance(now, str))


def begin(log: EditLog, model: Model, editor: Editor[Any], pool: Sequence[Query], asked: str) -> None:
    """Append the first entry."""
    versions: dict[str, JSON] = {package: version(package) for package in _PACKAGES}
    log.append(
        "begun",
        None,
        Provenance("errata", "the log begins"),
        details={
            "model": _told(model),
            "editor": editor.spec(model).to_json(),
            "asked": asked,
            "pool": put_pool(log, pool),
            "decoder": model.decoder,
            "questions": QUESTIONS,
            "versions": versions,
        },
        after="",
    )


def _told(model: Model) -> dict[str, JSON]:
    """Which model it is; of one that is asked at an address, what is said of it there, and never the address."""
    told: dict[str, JSON] = {"name": model.name, "digest": model.digest, "parameters": model.parameters}
    return told | {"upstream": dict(model.described)} if isinstance(model, Upstream) else told


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
    was, now = _completed(first.details.get("editor"), editor), editor.spec(model).to_json()
    if canonical(was) != canonical(now):
        assert isinstance(was, Mapping), "an editor's spec is written as an object"
        _check_fields(was, now)
        raise WrongStore(
            f"This log is of the editor {_said(was, now)}, not of {_said(now, was)}. "
            "Leave out --editor to use the log's own, or name another store or branch."
        )


def _check_fields(was: Mapping[str, JSON], now: Mapping[str, JSON]) -> None:
    """Whether a log of this editor was begun when it had all its fields."""
    mine, its = was["fields"], now["fields"]
    assert isinstance(mine, Mapping), "a spec's fields are an object"
    assert isinstance(its, Mapping), "a spec's fields are an object"
    new = sorted(set(its) - set(mine))
    if was["name"] == now["name"] and new:
        raise WrongStore(
            f"This log was begun by an earlier errata, whose {was['name']} had no {', '.join(new)}. Replay its edits onto a new "
            "branch: errata rebase --model MODEL --onto NAME"
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
