"""The first entry of a log: its model, editor, versions, pool and how pictures are decoded; and whether a session fits it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from importlib.metadata import version
from typing import Any

from errata.core.canonical import JSON, canonical
from errata.core.editor import Editor
from errata.core.errors import WrongStore
from errata.core.matching import QUESTIONS
from errata.core.model import Model
from errata.core.records import Provenance, Query
from errata.log import EditLog, Entry
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
    """The editor with the fields that the log began with, where they weren't named then: defaults may have changed since.

    Plain values alone: an editor inside another one keeps its defaults of now, and what a spec tells by its digest was named.

    Args:
        log: with a first entry, or without.
        editor: made from `recorded_editor`; another one is given back as it is.
    """
    asked = recorded_editor(log)
    if asked is None:
        return editor
    told = next(log.entries(1, 2)).details.get("editor")
    recorded = told.get("fields") if isinstance(told, Mapping) else None
    shape: Any = editor
    if not isinstance(recorded, Mapping) or not is_dataclass(shape) or isinstance(shape, type):
        return editor
    named = {part.partition("=")[0].strip() for part in re.split("[:,]", asked)}
    now = {each.name: getattr(shape, each.name) for each in fields(shape) if each.init and each.name not in named}
    was = {name: recorded[name] for name in now if name in recorded and _replaces(recorded[name], now[name])}
    made: Any = replace(shape, **was)
    return made  # type: ignore[no-any-return]


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
            "model": {"name": model.name, "digest": model.digest, "parameters": model.parameters},
            "editor": editor.spec(model).to_json(),
            "asked": asked,
            "pool": put_pool(log, pool),
            "decoder": model.decoder,
            "questions": QUESTIONS,
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
