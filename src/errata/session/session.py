"""A session: a model, an editor and a log. It is the one way to change what a model says, and the log decides what is true.

    an edit is written (pure: nothing has happened) -> read back -> appended to the log (the commit point) -> the state moves on

A crash before the append: it never happened. After it: opening the session again folds it in. Taking an edit back works out the
state without it first, appends "reverted", and moves on. An edit of a query that an edit in force corrects already takes its place.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from types import MappingProxyType
from typing import Any, Final, NamedTuple, final

from errata.core.canonical import JSON, digest_of_json
from errata.core.counted import counted
from errata.core.editor import Editor, protected
from errata.core.errors import BadInput, Conflict, LogError
from errata.core.matching import same
from errata.core.model import Model
from errata.core.records import Edit, EditId, Provenance, Query, instant
from errata.core.rules import Rules
from errata.log import EditLog, Entry, Kind
from errata.session.asking import Read, answered, said, unedited
from errata.session.attempts import Attempt, attempt
from errata.session.beginnings import begin, check_same
from errata.session.checks import check, check_out
from errata.session.folding import Folded, folded, forgotten, frozen, gone_on, kept, kept_part
from errata.session.guard import Gives, gives_itself
from errata.session.pools import pool_in, unprotected
from errata.session.receipts import Answer, Moved, Receipt, Status, beyond, receipt_under, stays_out

SNAPSHOT_EVERY = 25
"""Edits between snapshots, unless said otherwise."""

_LONG: Final = 3
"""A fold that wrote a third of `snapshot_every` edits leaves a snapshot of where it ended."""

_BLANK: Final = object()
"""In the place of a state that no edit is in."""

_CLOCK: Final = Provenance("errata", "its time is over")
_NOTHING: Final[Mapping[str, JSON]] = MappingProxyType({})
_BESIDE: Final[frozenset[Kind]] = frozenset({"aliased", "checkpointed", "imported", "proposed"})
"""What moves no state, and may be appended by whoever doesn't hold the branch."""

_STATUS: Final[Mapping[Kind, Status]] = {"reverted": "reverted", "quarantined": "quarantined"}


class Rebuilt(NamedTuple):
    """A state without some edits, and how it came about."""

    state: Any
    how: str


@final
class Session:
    """Made by `Session.open`. Not for use by several threads at once.

    The editor's state moves only after the log has the entry, so the two never disagree for longer than it takes to fold one edit.
    """

    def __init__(
        self,
        model: Model,
        editor: Editor[Any],
        log: EditLog,
        *,
        state: Any,
        snapshot_every: int,
        clock: Callable[[], datetime],
        beside: bool = False,
        gives: Gives = gives_itself,
    ) -> None:
        self.model = model
        self.editor = editor
        self.log = log
        self._state = state
        self._snapshot_every = snapshot_every
        self._clock = clock
        self._beside, self._given = beside, gives
        self._at, self._seq, self._spec = "", 0, ""
        self._since: tuple[Any, tuple[EditId, ...]] | None = None
        self._when: datetime | None = None
        self.next_end: datetime | None = None  # when the next edit ends, so that the state is folded anew

    @staticmethod
    def open(
        model: Model,
        editor: Editor[Any],
        log: EditLog,
        *,
        pool: Sequence[Query] = (),
        snapshot_every: int = SNAPSHOT_EVERY,
        asked: str = "",
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        beside: bool = False,
        gives: Gives = gives_itself,
    ) -> Session:
        """The session of a log. An empty log begins here: its first entry says which model, which editor and which pool.

        Args:
            pool: ordinary queries for an editor that protects some; kept with the log, which from then on is where they come from.
            snapshot_every: edits between snapshots, at least 1.
            asked: how the editor was named, so that the next session can be opened without naming it.
            clock: the time now, in UTC: an edit whose `valid_until` is over doesn't speak any more.
            beside: refuse a correction that would take another one away (`neighbours`); a benchmark measures that instead.
            gives: how the read-back reads an answer; a benchmark of sentences has a matcher of its own.

        Raises:
            WrongStore: the log is of another model, or of an editor with other fields.
            Tampered: the log doesn't verify.
        """
        if snapshot_every < 1:
            raise BadInput(f"Snapshots can't be taken every {counted(snapshot_every, 'edit')}. Give 1 or more.")
        first = next(log.entries(1, 2), None)
        if first is not None:
            pool, model = pool_in(log, first), model.seeing(log.decoder)
        editor = protected(editor, pool)
        if first is None:
            if log.upto is None:
                begin(log, model, editor, pool, asked)
        else:
            check_same(first, model, editor)
        session = Session(model, editor, log, state=None, snapshot_every=snapshot_every, clock=clock, beside=beside, gives=gives)
        session._follow()
        return session

    @property
    def state(self) -> Any:
        """The fold of the edits in force. Where there is none it is begun when it is first needed: nothing speaks before."""
        if self._state is _BLANK:
            self._state, _ = self.folded(self.log.at(self._seq), self._ended())
        return self._state

    @property
    def read(self) -> Read:
        """What the state of now has to say to a query, whatever the session goes on to."""
        return unedited if self._state is _BLANK else partial(self.editor.read, self.model, self.state)

    @property
    def seen(self) -> tuple[int, str]:
        """The entry that the state is after, whatever was appended since: its number and its hash."""
        return self._seq, self._at

    @property
    def head(self) -> Entry | None:
        """The log's last entry: its hash names the state."""
        return self.log.head

    def edit(
        self,
        edit: Edit,
        by: Provenance | None = None,
        *,
        guard: bool = True,
        key: str = "",
        rules: Rules | None = None,
        supersede: Collection[EditId] = (),
    ) -> Receipt:
        """Apply a correction, or refuse it whole.

        It is refused when it wasn't learned (its query, or one of its `also`, doesn't give the target), when the answer to one of
        its `keep` moved, when it breaks a rule, or when it would take away another correction (`beside`). Either way the log says
        so. An edit in force of the same query is superseded; the very same edit is applied again where it isn't given any more.

        Args:
            edit: the correction.
            by: who, and why.
            guard: False commits what was written whatever the read-back finds.
            key: names the request: asked again under the same key, the first receipt comes back and nothing is done.
            rules: what must and must not follow on this branch.
            supersede: edits in force whose place it takes too.

        Raises:
            BadInput: the edit can't be put to this model, or is in force and given; nothing was changed.
            Conflict: another writer appended while this edit was written; nothing was changed.
            LogError: the log can't be written; nothing was changed.
        """
        done = receipt_under(self.log, key, edit)
        if done is not None:
            return done
        self.log.check_alone("applied", edit.id, (by or Provenance()).author)
        faded = self.prepare(edit)
        tried = self._attempt(edit, rules, supersede)
        committed = not tried.why or not guard
        details = tried.details(committed=committed)
        if committed and faded:
            self.record("reverted", None, by, edit_id=edit.id, details={"why": "it wasn't given any more, and is given again"})
        if committed:  # before the entry: whoever follows finds it with that
            kept_part(self.log, self.editor, tried.state, edit.id)
        entry = self.record("applied" if committed else "refused", edit, by, details=details, key=key)
        if committed:
            self.move(tried.state)
            self._snapshot(entry)
            with contextlib.suppress(LogError):  # the edit is committed and says so itself; the next writer adds the note
                self._note_superseded(by)
        return tried.receipt("applied" if committed else "refused", entry.seq, why="" if committed else tried.why)

    def preview(
        self, edit: Edit, *, rules: Rules | None = None, recent: Sequence[Query] = (), supersede: Collection[EditId] = ()
    ) -> Receipt:
        """The receipt that an edit would have, and which of the recent questions it would answer otherwise; nothing is changed.

        Raises:
            BadInput: the edit can't be put to this model, or is in force already.
        """
        tried = self.attempted(edit, rules=rules, supersede=supersede)
        apart = beyond(recent, (edit.query, *edit.also))
        moved = self.moved(apart, tried.state)
        return tried.receipt("would refuse" if tried.why else "would apply", 0, why=tried.why, moved=moved, asked=len(apart))

    def attempted(
        self, edit: Edit, *, rules: Rules | None = None, supersede: Collection[EditId] = (), again: bool = True
    ) -> Attempt:
        """The edit written beside the state and read back; nothing is changed.

        Raises:
            BadInput: it can't be put to this model, or is in force already (with `again`: and given).
        """
        self._check(edit, again=again)
        self.follow()
        return self._attempt(edit, rules, supersede)

    def prepare(self, edit: Edit | None = None) -> bool:
        """Before anything is written: what the log says now, and without the edits whose time is over.

        Returns:
            Whether the edit is in force and isn't given any more, so that it is made again.

        Raises:
            BadInput: the edit can't be made (`checks.check`).
        """
        faded = edit is not None and self._check(edit)
        self.follow()
        self.expire()
        self._note_superseded(None)
        return faded

    def revert(self, edit_id: EditId, by: Provenance | None = None) -> Receipt:
        """Take one edit back: afterwards the state is as if it had never been made.

        Raises:
            BadInput: the edit isn't in force; nothing was changed.
            LogError: it can't be taken back, or the log can't be written; nothing was changed.
        """
        return self.withdraw("reverted", (edit_id,), by)[0]

    def withdraw(
        self,
        kind: Kind,
        edit_ids: Sequence[EditId],
        by: Provenance | None = None,
        *,
        details: Mapping[str, JSON] = _NOTHING,
        each: Mapping[EditId, Mapping[str, JSON]] = MappingProxyType({}),
        dry_run: bool = False,
        others: Sequence[Query] = (),
    ) -> tuple[Receipt, ...]:
        """Take edits out of force together: one entry each, one fold for all.

        Args:
            kind: "reverted" or "quarantined".
            edit_ids: edits in force.
            by: who, and why.
            details: remembered in each entry.
            each: remembered in the entry of that edit.
            dry_run: nothing is appended or changed; the receipts say what would.
            others: queries of which the first receipt tells whose answers change; the edits' own aren't among them.

        Raises:
            BadInput: an edit isn't in force; nothing was changed.
            LogError: an edit's effect was pinned, or the log can't be written.
        """
        ids = tuple(dict.fromkeys(edit_ids))
        check_out(self.log, ids, ended=self._ended())
        self.follow() if dry_run else self.prepare()
        rebuilt, drafts = self._withdrawal(ids, others)
        if dry_run:
            return drafts
        done = []
        for draft in drafts:
            told: dict[str, JSON] = {
                **details, **each.get(draft.edit, _NOTHING), "before": draft.before, "after": draft.after, "why": draft.why,
            }  # fmt: skip
            entry = self.record(kind, None, by, edit_id=draft.edit, details=told)
            done.append(replace(draft, status=_STATUS[kind], seq=entry.seq))
        self.move(rebuilt.state)
        return tuple(done)

    def expire(self) -> tuple[EditId, ...]:
        """Take the edits whose time is over out of force, with an entry for each; they had stopped speaking already.

        Every command that writes does so first.
        """
        ended = self._ended()
        for edit in ended:
            self.record("expired", None, _CLOCK, edit_id=edit, details={"until": self.log.ending()[edit]})
        if ended:
            self._follow()
        return ended

    def ask(self, queries: Sequence[Query], *, max_new_tokens: int | None = None, words: bool = True) -> list[Answer]:
        """What the corrected model says to each query, with the edits that spoke.

        Args:
            queries: what is asked, in one batch.
            max_new_tokens: the longest answer; None: 64, and what a correction that speaks needs.
            words: False: not whether they are read as written: a log may hold questions that no one could ask today.

        Raises:
            BadInput: a prompt is empty or too long for the model, or has characters that its tokens don't know.
        """
        for query in queries if words else ():
            self.model.check_read(query)
        if self.next_end is not None and self._clock() >= self.next_end:
            self._follow()
        return answered(self.model, self.log, self.read, queries, limit=max_new_tokens)

    def at(self, seq: int, *, when: datetime | None = None) -> Session:
        """The session as it was after entry `seq`: it can be asked, and not be edited.

        Args:
            seq: the entry.
            when: the moment, where one is meant rather than an entry: edits whose time was over by then are left out.

        Raises:
            LogError: there is no such entry.
        """
        view = self.log.at(seq)
        past = Session(self.model, self.editor, view, state=None, snapshot_every=self._snapshot_every, clock=self._clock)
        past._when = when
        past._follow()
        return past

    def said(self, queries: Sequence[Query], state: Any, targets: Sequence[str | None] = ()) -> list[str]:
        """The answers under a state, with room for these targets (`asking.heard`)."""
        return said(self.model, partial(self.editor.read, self.model, state), queries, targets=targets)

    def moved(self, queries: Sequence[Query], state: Any) -> tuple[Moved, ...]:
        """The queries whose answers under `state` are other ones than now."""
        pairs = zip(queries, self.said(queries, self.state), self.said(queries, state), strict=True)
        return tuple(Moved(query.text, was, now) for query, was, now in pairs if not same(was, now))

    def without(self, ids: Collection[EditId]) -> Rebuilt:
        """The state as if some edits in force had never been made; this session's own state stays."""
        state = forgotten(self.editor, self.state, ids)
        if state is not None:
            return Rebuilt(state, "forgotten exactly, without a replay")
        state, replayed = self.folded(self.log.at(self._seq), {*ids, *self._ended()})
        return Rebuilt(state, f"replayed {counted(replayed, 'edit')}, as if it had never been made")

    def record(
        self,
        kind: Kind,
        edit: Edit | None,
        by: Provenance | None,
        *,
        edit_id: EditId | None = None,
        details: Mapping[str, JSON] = _NOTHING,
        key: str = "",
        anywhere: bool = False,
    ) -> Entry:
        """Append an entry after the one that this session last saw, or `anywhere`; it says which model and editor it is of.

        Raises:
            Conflict: another writer changed the state meanwhile; nothing was appended.
            LogError: it can't be written; nothing was.
        """
        self._spec = self._spec or digest_of_json(self.editor.spec(self.model).to_json())
        told = {**details, "model": self.model.digest, "editor": self._spec}
        while True:
            after = None if anywhere else self._at
            try:
                entry = self.log.append(kind, edit, by or Provenance(), edit_id=edit_id, details=told, after=after, key=key)
            except Conflict:
                if not self._passed():
                    raise
            else:
                break
        if entry.previous == self._at:
            self._at, self._seq = entry.hash, entry.seq
        return entry

    def move(self, state: Any) -> None:
        """Go on from this state, which is what the log says now."""
        self._state, self._since = state, None
        ends = [instant(end) for edit, end in self.log.ending().items()] if self.log.upto is None else []
        self.next_end = min((end for end in ends if end > self._clock()), default=None)

    def now(self) -> datetime:
        """The time, in UTC."""
        return self._clock()

    def standing(self) -> tuple[EditId, ...]:
        """The edits that speak now: those in force, less those whose time is over though no entry says so yet."""
        ended = self._ended()
        return tuple(edit for edit in self.log.ids_in_force() if edit not in ended)

    def snapshot_bytes(self) -> int:
        """Bytes that a snapshot of the present state takes."""
        return len(frozen(self.state))

    def _attempt(self, edit: Edit, rules: Rules | None, supersede: Collection[EditId] = ()) -> Attempt:
        supersedes = self._superseding(edit, supersede)
        leaving = {*supersedes, edit.id} & {*self.log.ids_in_force()}
        base = self.without(leaving).state if leaving else self.state
        tried = attempt(
            self.model, self.editor, state=self.state, base=base, edit=edit, supersedes=supersedes, rules=rules, log=self.log,
            beside=self._beside, gives=self._given,
        )  # fmt: skip
        return replace(tried, unprotected=unprotected(self.log, self.editor))

    def _withdrawal(self, ids: tuple[EditId, ...], asked: Sequence[Query]) -> tuple[Rebuilt, tuple[Receipt, ...]]:
        """The state without these edits, and the receipts that taking them back would have."""
        rebuilt = self.without(ids)
        edits = [self.log.edit(edit) for edit in ids]
        queries, targets = [edit.query for edit in edits], [edit.target for edit in edits]
        before, after = self.said(queries, self.state, targets), self.said(queries, rebuilt.state, targets)
        first, *rest = (
            Receipt(edit, "would revert", 0, rebuilt.how + stays_out(self.log, edit), was, now)
            for edit, was, now in zip(ids, before, after, strict=True)
        )
        apart = beyond(asked, queries)
        return rebuilt, (replace(first, moved=self.moved(apart, rebuilt.state), asked=len(apart)), *rest)

    def _check(self, edit: Edit, *, again: bool = True) -> bool:
        """Whether the edit is in force and yet not given any more, so that it is made again; see `checks.check` for the rest."""
        check(self.model, self.log, edit, now=self._clock(), given=lambda: not again or self._gives(edit))
        return edit.id in self.log.ids_in_force()

    def _gives(self, edit: Edit) -> bool:
        return self._given(edit, self.said([edit.query], self.state, [edit.target])[0])

    def _superseding(self, edit: Edit, named: Collection[EditId]) -> tuple[EditId, ...]:
        """The edit in force of the same query, whose place this one takes, and those that are named; one whose effect was pinned is
        written over instead."""
        check_out(self.log, named, ended=self._ended())
        old, out = self.log.asking(edit.query), {edit.id, *self.log.fixed(), *self._ended()}
        return tuple(dict.fromkeys(each for each in (old, *named) if each is not None and each not in out))

    def _note_superseded(self, by: Provenance | None) -> None:
        """Write down of every edit whose place another took that it was superseded, where no entry says so yet."""
        for old, new in self.log.superseded().items():
            self.record("superseded", None, by, edit_id=old, details={"by": new})

    def follow(self) -> None:
        """Fold anew where another writer appended, or an edit's time ended: what is done next goes by what the log says."""
        head, over = self.log.head, self.next_end is not None and self._clock() >= self.next_end
        if over or (head is not None and head.hash != self._at and not self._passed()):
            self._follow()

    def _passed(self) -> bool:
        """Whether all that came since is beside the state, such as a proposal: the session then goes on from there."""
        since = list(self.log.entries(self._seq + 1))
        if not since or since[0].previous != self._at or any(entry.kind not in _BESIDE for entry in since):
            return False
        self._at, self._seq = since[-1].hash, since[-1].seq
        return True

    def _follow(self) -> None:
        """Take the state that the log says."""
        self.log.ids_in_force()
        # What another writer appends during the fold isn't seen, and makes the next append a conflict.
        view = self.log.at(len(self.log))
        head = view.head
        self._at, self._seq = (head.hash, head.seq) if head is not None else ("", 0)
        ended = self._ended()
        ids = tuple(edit for edit in view.ids_in_force() if edit not in ended)
        if view.pin is None and not ids:
            state, written = Folded(_BLANK, 0)
        else:
            state, written = gone_on(self.model, self.editor, view, self._since, ids) or self.folded(view, ended)
        self.move(state)
        self._since = None if state is _BLANK else (state, ids)
        if head is not None and written >= max(1, self._snapshot_every // _LONG) and self.log.upto is None and not ended:
            kept(self.log, head, state)  # the next session needn't write them again

    def folded(self, log: EditLog, without: Collection[EditId] = ()) -> Folded:
        """The state that a view of the log says, some edits left out."""
        return folded(self.model, self.editor, log, without=without)

    def _ended(self) -> tuple[EditId, ...]:
        """The edits in force whose time is over; none after an entry of the past, where they were in force, and none pinned."""
        if self.log.upto is not None and self._when is None:
            return ()
        now = self._when or self._clock()
        over = [edit for edit, end in self.log.ending().items() if instant(end) <= now]
        fixed = self.log.fixed() if over else frozenset()
        return tuple(edit for edit in over if edit not in fixed)

    def _snapshot(self, entry: Entry) -> None:
        if len(self.log.ids_in_force()) % self._snapshot_every == 0:
            kept(self.log, entry, self.state)
