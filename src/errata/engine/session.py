"""A session: a model, an editor and a log. It is the one way to change what a model says, and the log decides what is true.

    an edit is written (pure: nothing has happened) -> read back -> appended to the log (the commit point) -> the state moves on

A crash before the append: it never happened. After it: opening the session again folds it in. Taking an edit back appends
"reverted" and folds what remains, from the newest snapshot that serves.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any, Literal, Protocol, final, runtime_checkable

import torch
from safetensors import SafetensorError
from safetensors.torch import load as tensors_of
from safetensors.torch import save as bytes_of

from errata.core.canonical import JSON, canonical
from errata.core.editor import Editor, Explains, Protects
from errata.core.errors import BadInput, LogError, WrongStore
from errata.core.model import Model
from errata.core.records import Edit, EditId, Provenance, Query
from errata.editors import from_tensors, to_tensors
from errata.engine.guard import Verdict, read_back
from errata.engine.pools import pool_in, put_pool
from errata.log import EditLog, Entry, Snapshots

SNAPSHOT_EVERY = 25
"""Edits between snapshots, unless said otherwise."""

_PACKAGES = ("torch", "transformers", "safetensors")


@dataclass(frozen=True)
class Answer:
    """What the corrected model says, and which edits spoke."""

    text: str
    edits: tuple[EditId, ...]


@dataclass(frozen=True)
class Receipt:
    """What became of an edit."""

    edit: EditId
    status: Literal["applied", "refused", "reverted"]
    seq: int
    """The number of its entry in the log."""

    why: str
    """Why it was refused, or how it was taken back; empty for an applied edit."""

    before: str
    after: str
    kept: tuple[bool, ...] = ()
    """For each query of the edit's `keep`, whether its answer stayed."""

    telemetry: Mapping[str, JSON] = field(default_factory=dict)
    write_ms: float = 0.0
    guard_ms: float = 0.0


@runtime_checkable
class Forgets(Protocol):
    """An editor that can un-write one edit exactly. Contract: forget equals the fold without that edit."""

    def forget(self, state: Any, edit: EditId) -> Any: ...


@final
class Session:
    """Made by `Session.open`. Not for use by several threads at once.

    The editor's state moves only after the log has the entry, so the two never disagree for longer than it takes to fold one edit.
    """

    def __init__(self, model: Model, editor: Editor[Any], log: EditLog, *, state: Any, snapshot_every: int) -> None:
        self.model = model
        self.editor = editor
        self.log = log
        self.state = state
        self._snapshot_every = snapshot_every
        self._at = ""

    @staticmethod
    def open(
        model: Model,
        editor: Editor[Any],
        log: EditLog,
        *,
        pool: Sequence[Query] = (),
        snapshot_every: int = SNAPSHOT_EVERY,
        asked: str = "",
    ) -> Session:
        """The session of a log. An empty log begins here: its first entry says which model, which editor and which pool.

        Args:
            pool: ordinary queries for an editor that protects some; kept with the log, which from then on is where they come from.
            snapshot_every: edits between snapshots, at least 1.
            asked: how the editor was named, so that the next session can be opened without naming it.

        Raises:
            WrongStore: the log is of another model, or of an editor with other fields.
            Tampered: the log doesn't verify.
        """
        if snapshot_every < 1:
            raise BadInput(f"Snapshots every {snapshot_every} edits can't be taken. Give 1 or more.")
        first = next(log.entries(1, 2), None)
        if first is not None:
            pool = pool_in(log, first)
        if pool and isinstance(editor, Protects):
            editor = editor.protecting(pool)
        if first is None:
            if log.upto is None:
                _begin(log, model, editor, pool, asked)
        else:
            _check_same(first, model, editor)
        session = Session(model, editor, log, state=None, snapshot_every=snapshot_every)
        session._follow()
        return session

    @property
    def head(self) -> Entry | None:
        """The log's last entry: its hash names the state."""
        return self.log.head

    def edit(self, edit: Edit, by: Provenance | None = None, *, guard: bool = True) -> Receipt:
        """Apply a correction, or refuse it whole.

        It is refused when it wasn't learned (its query, or one of its `also`, doesn't give the target) or when the answer to one of
        its `keep` moved. Either way the log says so.

        Args:
            edit: the correction.
            by: who, and why.
            guard: False commits what was written whatever the read-back finds.

        Raises:
            BadInput: the edit can't be put to this model, or is in force already; nothing was changed.
            Conflict: another writer appended while this edit was written; nothing was changed.
            LogError: the log can't be written; nothing was changed.
        """
        self._check(edit)
        self._catch_up()
        started = time.perf_counter()
        state = self.editor.write(self.model, self.state, edit)
        settled()
        written = time.perf_counter()
        verdict = read_back(self.model, self.editor, before=self.state, after=state, edit=edit)
        guard_ms = (time.perf_counter() - written) * 1000
        telemetry = dict(self.editor.telemetry(state)) if isinstance(self.editor, Explains) else {}
        committed = verdict.passed or not guard
        entry = self.log.append(
            "applied" if committed else "refused",
            edit,
            by or Provenance(),
            details=_details(verdict, telemetry, committed=committed),
            after=self._at,
        )
        self._at = entry.hash
        if committed:
            self.state = state
            self._snapshot(entry)
        return Receipt(
            edit.id,
            "applied" if committed else "refused",
            entry.seq,
            "" if committed else verdict.why,
            verdict.before,
            verdict.after,
            verdict.kept,
            telemetry,
            write_ms=(written - started) * 1000,
            guard_ms=guard_ms,
        )

    def revert(self, edit_id: EditId, by: Provenance | None = None) -> Receipt:
        """Take one edit back: afterwards the state is as if it had never been made.

        Raises:
            BadInput: the edit isn't in force; nothing was changed.
            LogError: the log can't be written; nothing was changed.
        """
        if edit_id not in self.log.ids_in_force():
            raise BadInput(f"The edit {edit_id[:12]} isn't in force, so there is nothing to take back.")
        self._catch_up()
        query = self.log.edit(edit_id).query
        before = self.ask([query])[0].text
        entry = self.log.append("reverted", None, by or Provenance(), edit_id=edit_id, details={"before": before}, after=self._at)
        if isinstance(self.editor, Forgets):
            self.state, how = self.editor.forget(self.state, edit_id), "forgotten exactly, without a replay"
            self._at = entry.hash
        else:
            replayed = self._follow()
            how = f"replayed {replayed} edit{'' if replayed == 1 else 's'}, as if it had never been made"
        return Receipt(edit_id, "reverted", entry.seq, how, before, self.ask([query])[0].text)

    def ask(self, queries: Sequence[Query], *, max_new_tokens: int = 64) -> list[Answer]:
        """What the corrected model says to each query, with the edits that spoke.

        Raises:
            BadInput: a prompt is empty or too long for the model.
        """
        patches = [self.editor.read(self.model, self.state, query) for query in queries]
        texts = self.model.answers(queries, patches, max_new_tokens=max_new_tokens)
        return [Answer(text, patch.edits) for text, patch in zip(texts, patches, strict=True)]

    def at(self, seq: int) -> Session:
        """The session as it was after entry `seq`: it can be asked, and not be edited.

        Raises:
            LogError: there is no such entry.
        """
        view = self.log.at(seq)
        past = Session(self.model, self.editor, view, state=None, snapshot_every=self._snapshot_every)
        past._follow()
        return past

    def snapshot_bytes(self) -> int:
        """Bytes that a snapshot of the present state takes."""
        return len(_frozen(self.state))

    def _check(self, edit: Edit) -> None:
        for query in (edit.query, *edit.also):
            self.model.check(query, edit.target)
        for query in edit.keep:
            self.model.check(query)
        if edit.id in self.log.ids_in_force():
            raise BadInput(f"The edit {edit.id[:12]} is in force already, word for word. Nothing was changed.")
        if self.log.upto is not None:
            raise LogError(f"This session shows the past, after entry {self.log.upto}; it can't be edited. Edit the present one.")

    def _catch_up(self) -> None:
        """Fold anew where another writer appended: an edit is judged on the state that the log says."""
        head = self.log.head
        if head is not None and head.hash != self._at:
            self._follow()

    def _follow(self) -> int:
        """Take the state that the log says; how many edits were written for it."""
        head = self.log.head  # read before the fold: if the log grows meanwhile, the next append is a conflict
        self._at = head.hash if head is not None else ""
        self.state, written = self._fold()
        return written

    def _fold(self) -> tuple[Any, int]:
        """The state that the log says, and how many edits were written for it."""
        found = Snapshots(self.log).start().snapshot
        state, done = None, 0
        if found is not None:
            state, done = _thawed(found.data), found.edits
        if state is None:
            state, done = self.editor.begin(self.model), 0
        written = 0
        for edit in self.log.in_force(skip=done):
            state = self.editor.write(self.model, state, edit)
            written += 1
        return state, written

    def _snapshot(self, entry: Entry) -> None:
        if len(self.log.ids_in_force()) % self._snapshot_every == 0:
            with contextlib.suppress(LogError):  # a cache that can't be written costs a longer fold, and the edit is committed
                Snapshots(self.log).put(entry, _frozen(self.state))


def recorded_editor(log: EditLog) -> str | None:
    """How the log's editor was named when the log began; None for an empty log, or when it wasn't said."""
    first = next(log.entries(1, 2), None)
    if first is None or first.kind != "begun":
        return None
    asked = first.details.get("asked")
    return asked if isinstance(asked, str) and asked else None


def settled() -> None:
    """Wait until an accelerator has done what it was given, so that a clock reads what it should."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _begin(log: EditLog, model: Model, editor: Editor[Any], pool: Sequence[Query], asked: str) -> None:
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


def _check_same(first: Entry, model: Model, editor: Editor[Any]) -> None:
    """Whether the log is of this model and this editor."""
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


def _details(verdict: Verdict, telemetry: Mapping[str, JSON], *, committed: bool) -> dict[str, JSON]:
    return {
        "before": verdict.before,
        "after": verdict.after,
        "kept": list(verdict.kept),
        "why": "" if committed else verdict.why,
        "telemetry": dict(telemetry),
    }


def _frozen(state: Any) -> bytes:
    saved = to_tensors(state)
    frozen: bytes = bytes_of(saved.tensors, saved.metadata)
    return frozen


def _thawed(data: bytes) -> Any | None:
    """The state in a snapshot, or None where it isn't one: a snapshot is a cache, the log has it all."""
    try:
        size = int.from_bytes(data[:8], "little")
        metadata = json.loads(data[8 : 8 + size])["__metadata__"]
        return from_tensors(tensors_of(data), metadata)
    except (SafetensorError, ValueError, KeyError, BadInput):
        return None
