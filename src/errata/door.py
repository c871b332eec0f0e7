"""The one door: a corrected model for Python, opened with a word, corrected, asked, audited, and brought back.

    import errata

    with errata.open("llava-tiny", store="errata.db") as model:
        receipt = model.edit("where does the thing at the top left live?", "the old pier", image="scene.png")
        print(receipt.status, model.ask("tell me the home of the thing at the top left.", image="scene.png").text)

Whatever is told here is told to `errata.session` in its own nouns; whoever needs those finds them on `Session.inner`.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Final, Self, final

from errata.core.errors import BadInput, ErrataError
from errata.core.given import Picture, Question, correction, given_by, query_of
from errata.core.model import Model
from errata.core.records import Edit, EditId, Provenance, Query, instant
from errata.core.rules import Rules
from errata.core.settings import DEFAULT_MODEL, settings
from errata.log import EditLog, Entry, MemoryStore, holding, open_store, store_exists
from errata.log.exports import chosen_of, held_by
from errata.log.formats import Exportable, Format, Options, Written, digest_of_file, read, settled, write, written_as
from errata.measure.evaluate import run_stream
from errata.measure.figures import write_csv, write_json
from errata.measure.results import Run
from errata.models import load
from errata.report.run import write_report
from errata.session import audit as audits
from errata.session import proposals, registry, takeback
from errata.session.imports import Import
from errata.session.pools import check_takes
from errata.session.ready import Otherwise, Ready, equipped, usual
from errata.session.receipts import Answer, Receipt, Returned
from errata.session.rules_file import read_rules
from errata.session.session import Session as Inner

_TO_READ: Final = "This session was opened to read: it can be asked, and take proposals. Open it without read_only to write."


@dataclass(frozen=True)
class Imported:
    """What became of the corrections of a file."""

    applied: int
    refused: int
    passed_over: int
    """An earlier run of the same file did them, or they are in force already."""

    bad: int
    told: tuple[str, ...]
    """A sentence for each that was refused or can't be used, with its place in the file."""

    conflicts: tuple[str, ...] = ()
    """A sentence for each two authors in the file who answer the same question differently."""


@dataclass(frozen=True)
class Exported:
    """What was written to a file, and what could not be."""

    written: Written
    missing: tuple[str, ...]
    """A sentence for each edit that was left out because its picture is gone."""


def open(  # noqa: A001  the name by which it is known: errata.open
    model: str | Path | Model,
    *,
    editor: str | None = None,
    store: str | Path | None = None,
    branch: str = "main",
    pool: Sequence[Query] | None = None,
    read_only: bool = False,
    wait: float = 0.0,
    device: str = "cpu",
    dtype: str | None = None,
) -> Session:
    """A model as its log of corrections has made it.

    Args:
        model: a shipped name, a checkpoint folder, a hub id, or a model that is loaded already.
        editor: `name` or `name:field=value,...`; None: as the log began, or what suits the model for a new one:
            "rerank" where what that has to have learned ships for it, else "codebook".
        store: the file of the log, made if it isn't there, or a `postgresql://` URL; None: in memory, gone with the session.
        branch: of the log.
        pool: ordinary questions that an editor which protects some keeps out of the way of; kept with a new log. None: some are
            made for the model; empty: none.
        read_only: ask, preview and propose only, and leave the branch to whoever writes to it.
        wait: seconds to wait for the branch where another process writes to it.
        device: "cpu", "cuda", "cuda:1", ...
        dtype: "float32", "bfloat16" or "float16"; None: what suits the device.

    Raises:
        Unknown: no such model, editor or field.
        BadInput: it can't be used as it is.
        Held: another process writes to the branch; `read_only` needs no turn.
        WrongStore: the log is of another model or editor.
    """
    with ExitStack() as held:
        log = EditLog(MemoryStore(), branch)
        new = store is not None and not store_exists(store)
        if store is not None and not new:
            opened = held.enter_context(closing(open_store(store, create=False)))
            log = EditLog(opened if read_only else held.enter_context(holding(opened, branch, wait=wait)), branch)
        name = str(model) if isinstance(model, str | Path) else model
        ready = Ready.of(log, model=name, editor=editor, otherwise=Otherwise(DEFAULT_MODEL), device=device, dtype=dtype)
        check_takes(ready.editor, pool)
        if store is not None and new:
            if read_only:
                raise BadInput(f"There is no store at {store}, so there is nothing to read. Open it to write, or check the path.")
            opened = held.enter_context(closing(open_store(store)))  # made only now that everything else was found good
            log = EditLog(held.enter_context(holding(opened, branch, wait=wait)), branch)
        inner = ready.session(log, pool=pool)
        if not read_only:
            takeback.finish_erasing(inner)
        return Session(inner, held.pop_all(), refusal=BadInput(_TO_READ) if read_only else None)


def bench(
    model: str | Path | Model = DEFAULT_MODEL,
    editor: str | None = None,
    *,
    benchmark: str = "scopeworld-stream",
    edits: int = 200,
    horizons: Sequence[int] = (),
    seed: int = 7,
    out: str | Path | None = None,
    device: str = "cpu",
) -> Run:
    """Stream a benchmark's corrections through an editor: what was learned, what it spread to, what it broke.

    Args:
        model: as in `open`.
        editor: as in `open`.
        benchmark: its name.
        edits: how many are streamed, >= 1.
        horizons: after how many edits all so far are asked again; none: after the last.
        seed: draws edits, scenes and wordings; the same seed gives the same rates.
        out: a folder for result.json, result.csv and report.html; None: nothing is written.
        device: as in `open`.

    Raises:
        Unknown: no such model, editor or benchmark.
        BadInput: a horizon out of range, or an edit that this model can't be given.
    """
    named = None if editor is None else (editor, registry.editor(editor))
    stream = registry.benchmark(benchmark, seed=seed, edits=edits)
    loaded = load(model, device=device) if isinstance(model, str | Path) else model
    asked, made = named or usual(loaded)
    run = run_stream(
        loaded,
        equipped(made),
        stream,
        horizons=tuple(horizons) or (edits,),
        seed=seed,
        edits=edits,
        progress=lambda what, done, total: None,
        asked=asked,
    )
    if out is not None:
        folder = Path(out)
        write_json(folder / "result.json", run)
        write_csv(folder / "result.csv", [run])
        write_report(folder / "report.html", [run], seed=seed)
    return run


@final
class Session:
    """A corrected model: made by `errata.open`, closed by `close` or at the end of a `with` block. Not for several threads.

    Args:
        inner: what it stands on.
        held: what is let go of when it is closed.
        refusal: what is raised where something would be written; None where it may.
    """

    def __init__(self, inner: Inner, held: ExitStack, *, refusal: ErrataError | None = None) -> None:
        self.inner = inner
        self._held = held
        self._refusal = refusal

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the store and the branch. What was acknowledged is in the log already."""
        self._held.close()

    def ask(self, question: Question, *, image: Picture | Sequence[Picture] = (), max_new_tokens: int | None = None) -> Answer:
        """What the corrected model says, in at most 64 tokens or what a correction that speaks needs, and which edits spoke.

        Raises:
            BadInput: the question is empty or too long for the model, or a picture can't be used.
        """
        return self.ask_all([query_of(question, image)], max_new_tokens=max_new_tokens)[0]

    def ask_all(self, questions: Sequence[Question], *, max_new_tokens: int | None = None) -> list[Answer]:
        """The same for many questions, in batches; each is answered as it would be alone."""
        return self.inner.ask([query_of(question, ()) for question in questions], max_new_tokens=max_new_tokens)

    def edit(
        self,
        question: Question | Edit,
        target: str | None = None,
        *,
        image: Picture | Sequence[Picture] = (),
        also: Sequence[Question] = (),
        keep: Sequence[Question] = (),
        author: str | None = None,
        reason: str = "",
        ticket: str = "",
        key: str = "",
        rules: str | Path | Rules | None = None,
        supersede: Sequence[str] = (),
    ) -> Receipt:
        """Correct one answer, or refuse to: it is read back before it counts, and the receipt says what became of it.

        Args:
            question: what the model is asked; or an `Edit` with everything in it (a subject, a reach, an end), and nothing else.
            target: the right answer.
            image: a picture or several, for the question and for every wording of `also` and `keep` that is given as words.
            also: other wordings that must give the target too.
            keep: questions whose answers must not move.
            author: who; None: as set (`errata config`), or the user's name.
            reason: why.
            ticket: where it was asked for.
            key: names the request: given again, nothing is done twice.
            rules: a rules file, or rules, that the edit must not break.
            supersede: edits (ids, or first digits) that it may take away; one that it would take away unnamed refuses it.

        Raises:
            BadInput: the correction can't be put to this model, or is in force and given; nothing was changed.
            LogError: the log can't be written; nothing was changed.
        """
        made = correction(question, target, image, also, keep)
        named = [self._id(one) for one in supersede]
        return self.writing.edit(made, _by(author, reason, ticket), key=key, rules=self._rules(rules), supersede=named)

    def preview(
        self,
        question: Question | Edit,
        target: str | None = None,
        *,
        image: Picture | Sequence[Picture] = (),
        also: Sequence[Question] = (),
        keep: Sequence[Question] = (),
        recent: Sequence[Question] = (),
        rules: str | Path | Rules | None = None,
    ) -> Receipt:
        """The receipt that a correction would have; nothing is changed.

        Args:
            question: as in `edit`, and so are those that aren't named here.
            recent: questions of which the receipt says whose answers would change.
        """
        made = correction(question, target, image, also, keep)
        return self.inner.preview(made, rules=self._rules(rules), recent=[query_of(one, ()) for one in recent])

    def propose(
        self,
        question: Question | Edit,
        target: str | None = None,
        *,
        image: Picture | Sequence[Picture] = (),
        author: str | None = None,
        reason: str = "",
        ticket: str = "",
        key: str = "",
        rules: str | Path | Rules | None = None,
    ) -> Receipt:
        """Put a correction before whoever may approve it; the model stays as it is, so a session that only reads can do it too.

        Args:
            question: as in `edit`, and so are the others; what has other wordings or must keep answers is given as an `Edit`.

        Raises:
            BadInput, LogError: as `edit`.
        """
        made = correction(question, target, image, (), ())
        return proposals.propose(self.inner, made, _by(author, reason, ticket), key=key, rules=self._rules(rules))

    def approve(
        self, edit: str, *, author: str | None = None, reason: str = "", ticket: str = "", rules: str | Path | Rules | None = None
    ) -> Receipt:
        """Apply a proposed correction; it is guarded by what is true now.

        Args:
            edit: its id, or the first digits (at least 6); `author`, `reason`, `ticket` and `rules` as in `edit`.

        Raises:
            Unknown: no edit's id begins so.
            BadInput: it doesn't wait for approval, or the branch asks for two people and the author proposed it.
        """
        return proposals.approve(self.writing, self._id(edit), _by(author, reason, ticket), rules=self._rules(rules))

    def reject(self, edit: str, *, author: str | None = None, reason: str = "", ticket: str = "") -> Receipt:
        """Turn a proposed correction down. Arguments and errors as in `approve`."""
        return proposals.reject(self.writing, self._id(edit), _by(author, reason, ticket))

    def revert(self, edit: str, *, author: str | None = None, reason: str = "", ticket: str = "") -> Receipt:
        """Take a correction back: the model then answers as if it had never been made. Arguments as in `approve`.

        Raises:
            BadInput: it isn't in force, or can't be taken back.
        """
        return self.writing.revert(self._id(edit), _by(author, reason, ticket))

    def revert_to(
        self, point: int | str, *, author: str | None = None, reason: str = "", ticket: str = "", dry_run: bool = False
    ) -> Returned:
        """Bring back the state after an entry, an alias or a time.

        Args:
            point: as in `at`.
            author: as in `edit`, and so are `reason` and `ticket`.
            dry_run: change nothing; the result says what would.
        """
        opened = self.inner if dry_run else self.writing
        return takeback.to_point(opened, self.inner.log.point(str(point)), _by(author, reason, ticket), dry_run=dry_run)

    def restore(
        self, edit: str, *, author: str | None = None, reason: str = "", ticket: str = "", rules: str | Path | Rules | None = None
    ) -> Receipt:
        """Apply a correction again that was in force once and isn't any more. Arguments as in `approve`.

        Raises:
            BadInput: it is in force, or was never applied.
        """
        return takeback.restore(self.writing, self._id(edit), _by(author, reason, ticket), rules=self._rules(rules))

    def audit(self, *, rules: str | Path | Rules | None = None, limit: int | None = None) -> audits.Audit:
        """Ask every edit in force again: what holds, is obsolete, faded, or leaks. Nothing is changed.

        Args:
            rules: what must hold besides what the edits say of themselves.
            limit: only the newest so many edits.
        """
        held = self._rules(rules)
        return audits.audit(self.inner, limit=limit) if held is None else audits.audit(self.inner, rules=held, limit=limit)

    def quarantine(
        self, found: audits.Audit, *, author: str | None = None, reason: str = "", ticket: str = ""
    ) -> tuple[EditId, ...]:
        """Take what an audit found faded or leaking out of force; the edits that were."""
        return audits.quarantine(self.writing, found, _by(author, reason, ticket))

    def import_file(
        self,
        path: str | Path,
        *,
        format: Format | None = None,
        images: str | Path | None = None,
        ignore: Sequence[str] = (),
        limit: int | None = None,
        retry: bool = False,
        author: str | None = None,
        reason: str = "",
        ticket: str = "",
        rules: str | Path | Rules | None = None,
    ) -> Imported:
        """Apply the corrections of a file, one after another. Run again, it passes over what an earlier run did.

        Args:
            path: corrections in one of the formats.
            format: None: told from what is in the file.
            images: the folder where paths of pictures begin; None: the file's own.
            ignore: fields that aren't known and are passed over.
            limit: at most so many are put to the model.
            retry: put what an earlier run refused to the model again.
            author: for records that don't say theirs, and so are `reason` and `ticket`.
            rules: as in `edit`.

        Raises:
            BadInput: the file can't be read, or it can't be told what it is.
        """
        file, by = Path(path), _by(author, reason, ticket)
        known = settled(file, format)
        lines = read(file, known, Options(None if images is None else Path(images), by, ignored=ignore))
        first = next(lines, None)
        told: list[str] = []
        run = Import(
            self.writing,
            digest_of_file(file),
            limit=limit,
            retry=retry,
            rules=self._rules(rules),
            bad=told.append,
            refused=told.append,
        )
        for line in chain(() if first is None else (first,), lines):
            if not run.take(line):
                break
        run.finish(file, known, by)
        done, conflicts = run.done, tuple(one.sentence for one in run.conflicts)
        return Imported(done["applied"], done["refused"], done["passed over"], done["bad"], tuple(told), conflicts)

    def export(
        self,
        path: str | Path,
        *,
        format: Exportable | None = None,
        everything: bool = False,
        images: str | Path | None = None,
        force: bool = False,
    ) -> Exported:
        """Write the edits in force to a file, and their pictures beside it.

        Args:
            path: the file.
            format: only "jsonl" holds everything; what another has no place for is counted in the result. None: told from the
                file's ending.
            everything: every edit that was ever applied.
            images: the folder for the pictures; None: one beside the file.
            force: replace files that are there.

        Raises:
            BadInput: the file is there, or can't be written, or its ending says no format.
        """
        known = written_as(Path(path), format)
        frozen = self.inner.log.at(len(self.inner.log))
        chosen, missing = chosen_of(frozen, everything)
        folder = None if images is None else Path(images)
        written = write(Path(path), known, lambda: held_by(frozen, chosen), images=folder, force=force)
        return Exported(written, tuple(missing))

    def at(self, point: int | str) -> Session:
        """The model as it was: it can be asked and audited, not corrected.

        Args:
            point: an entry's number (0: unedited), an alias, or a time in UTC.

        Raises:
            BadInput, LogError: there is no such point.
        """
        log, text = self.inner.log, str(point).strip()
        moment: datetime | None = None if text in log.aliases() or text.isdecimal() else instant(text)
        return Session(self.inner.at(log.point(text), when=moment), ExitStack())

    def history(self, edit: str | None = None) -> tuple[Entry, ...]:
        """The entries of the log, oldest first: all of them, or those on one edit (its id, or the first digits)."""
        log = self.inner.log
        return tuple(log.entries() if edit is None else log.find(self._id(edit)))

    def in_force(self) -> tuple[EditId, ...]:
        """The edits that speak now, in the order in which they were applied."""
        return self.inner.standing()

    @property
    def two_people(self) -> bool:
        """Whether a correction needs two people on this branch: one who proposes it, and another who approves it."""
        return self.inner.log.two_people

    def ask_for_two(self, on: bool = True, *, author: str | None = None, reason: str = "", ticket: str = "") -> None:
        """Make it a rule of the branch, kept in its log, that who proposed a correction can't approve it, and that nothing is
        applied otherwise; or, with False, end that rule. Taking back needs one person as before.
        """
        self.writing.record("ruled", None, _by(author, reason, ticket), details={"two_people": on})

    @property
    def writing(self) -> Inner:
        """What it stands on, to be written to; raises where this session only reads."""
        if self._refusal is not None:
            raise self._refusal
        return self.inner

    def _id(self, edit: str) -> EditId:
        return self.inner.log.resolve(edit)

    def _rules(self, rules: str | Path | Rules | None) -> Rules | None:
        if rules is None or isinstance(rules, Rules):
            return rules
        return read_rules(Path(rules)).resolved(self.inner.log.resolve)


def _by(author: str | None, reason: str, ticket: str) -> Provenance:
    return given_by(settings()["author"].value if author is None else author, reason, ticket)
