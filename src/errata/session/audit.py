"""The audit: every edit in force is asked again, with its wordings and rules, and told apart by what became of it.

    leaks     something that must stay as the unedited model gives it has moved, and this edit moved it
    faded     its question, one of its `also` or one of its `must` doesn't get its answer any more
    obsolete  the unedited model gives the target by itself, to the question and to every wording
    holds     none of these
    expired   its `valid_until` has passed: it isn't judged (unless its effect was pinned: it speaks on, and is judged)
    unasked   a picture of it was erased or lost, so it can't be asked

The first that fits is its verdict (expired and unasked before all others); every finding is told, whatever the verdict.

**Who did it.** An answer that moved, or isn't given any more, is blamed on the edit that spoke. Where that can't be told, or nobody
spoke, the edits in force are written once more, one after another, and blamed is the one after which the answer last left what it
should be. So the edit whose `keep` was broken still holds, and the one that broke it leaks; one that faded names what silenced it.
What no audited edit can be blamed for stands against the branch.

**What an edit keeps** is what it found when it was made, as the guard has it: an edit that had moved that answer before is no leak
for it, only one that came later can be.

A question that another edit in force corrects need not stay, nor one of a pinned edit get its target: it is judged there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property, partial
from itertools import islice
from typing import Final, Literal, final

from errata.core.benchmark import Unchanged
from errata.core.canonical import JSON
from errata.core.errors import BadImage, quoted
from errata.core.images import Image
from errata.core.matching import same
from errata.core.progress import Progress
from errata.core.records import Edit, EditId, Provenance, instant
from errata.core.rules import GIVES, NO_RULES, Breach, Expectation, Rules, branch_demands, claims, demands
from errata.log import EditLog, Kind
from errata.session.asking import unedited
from errata.session.receipts import Answer
from errata.session.rules import ask_all, askable, batches, breaches, targets_of
from errata.session.session import Session

Outcome = Literal["holds", "faded", "leaks", "obsolete", "expired", "unasked"]
"""What became of an edit."""

BAD: Final[frozenset[Outcome]] = frozenset({"faded", "leaks"})
"""What a scheduled job must be told of, and what the fallback takes out of force."""

_CHUNK: Final = 32
"""Edits whose questions are gathered before they are asked; their pictures are in memory together."""

_APPLIED: Final[tuple[Kind, ...]] = ("applied",)


@dataclass(frozen=True)
class Audited:
    """One edit in force and what became of it."""

    edit: EditId
    verdict: Outcome
    question: str
    target: str
    before: str
    """What the unedited model answers; empty where it wasn't asked."""

    now: str
    breaches: tuple[Breach, ...] = ()
    """What isn't as it must be: what doesn't follow from this edit, and what this edit moved."""

    @property
    def told(self) -> list[JSON]:
        """The verdict, and its findings as sentences."""
        return [self.verdict, *(breach.sentence for breach in self.breaches)]

    @property
    def silenced_by(self) -> tuple[EditId, ...]:
        """The other edits that took its answers away, where that was found out."""
        found = (one.culprit for one in self.breaches if not one.leaks)
        return tuple(dict.fromkeys(edit for edit in found if edit is not None and edit != self.edit))

    def to_json(self) -> dict[str, JSON]:
        return {
            "edit": self.edit,
            "verdict": self.verdict,
            "question": self.question,
            "target": self.target,
            "before": self.before,
            "now": self.now,
            "silenced_by": list(self.silenced_by),
            "findings": [breach.to_json() for breach in self.breaches],
        }


@dataclass(frozen=True)
class Audit:
    """What an audit found."""

    edits: tuple[Audited, ...]
    branch: tuple[Breach, ...]
    """What isn't as the branch's rules say, and what moved without an audited edit to blame."""

    head: str
    """The log's head when it was audited: `Entry.mark`; empty for an empty log."""

    rules: str
    """The digest of the rules."""

    leak_checks: int
    """How many questions had to stay as they were: where it is 0, nothing could be found to leak."""

    @property
    def counts(self) -> Mapping[Outcome, int]:
        """How many edits have each verdict, in the order of the module's docstring."""
        order: tuple[Outcome, ...] = ("holds", "obsolete", "faded", "leaks", "expired", "unasked")
        return {verdict: sum(one.verdict == verdict for one in self.edits) for verdict in order}

    @property
    def bad(self) -> tuple[Audited, ...]:
        """The edits that faded or leak."""
        return tuple(one for one in self.edits if one.verdict in BAD)

    @property
    def clean(self) -> bool:
        """Whether nothing faded, nothing leaks, and the branch's rules hold."""
        return not self.bad and not self.branch


def audit(
    session: Session,
    *,
    rules: Rules = NO_RULES,
    limit: int | None = None,
    now: datetime | None = None,
    progress: Progress = lambda what, done, total: None,
) -> Audit:
    """Ask every edit in force again. Nothing is written to the log.

    Args:
        session: the model as its log has made it.
        rules: what must hold besides what the edits say of themselves.
        limit: audit only the newest so many edits.
        now: the moment at which validity is judged; None: the present.
        progress: told how many edits are done.

    Raises:
        BadInput: a question of the rules can't be put to this model.
    """
    moment = datetime.now(UTC) if now is None else now
    head = session.head
    standing = _standing(session.log)
    chosen = standing[-limit:] if limit is not None else standing
    asker = _Asker(session, _in_force(session.log, standing, moment))
    judged: list[_Judged] = []
    for chunk in _chunks(chosen):
        read = [_read(session.log, seq) for seq in chunk]
        asked = iter(asker.judge([found for found in read if isinstance(found, Edit)], rules))
        judged += [next(asked) if isinstance(found, Edit) else _Judged(found) for found in read]
        progress("edits", len(judged), len(chosen))
    branch = asker.broken(askable(session.model, branch_demands(rules)))
    blamed = _blamed(asker, [breach for one in judged for breach in one.breaches] + list(branch), progress)
    return Audit(
        *_sorted(judged, blamed),
        head="" if head is None else head.mark,
        rules=rules.digest,
        leak_checks=len(asker.must_stay),
    )


def check_rules(session: Session, rules: Rules) -> Iterator[tuple[Expectation, Breach | None]]:
    """What the rules ask of the branch as it is now: each expectation, and how it isn't met.

    Raises:
        BadInput: a question of the rules can't be put to this model.
    """
    standing = _standing(session.log)
    asker = _Asker(session, _in_force(session.log, standing, datetime.now(UTC)))
    yield from asker.told(branch_demands(rules))
    for chunk in _chunks(standing):
        edits = [found for seq in chunk if isinstance(found := _read(session.log, seq), Edit)]
        yield from asker.told(one for edit in edits if edit.id not in asker.known.over for one in demands(edit, rules))


def quarantine(session: Session, found: Audit, by: Provenance) -> tuple[EditId, ...]:
    """Take what leaks, what silenced another edit, and what faded by itself out of force: the fallback. Afterwards the model
    answers as if these edits had never been made, and what was silenced is given again, or leaves too.

    Each entry carries the findings on its edit, as sentences. An edit whose effect was pinned when a picture was erased stays.

    Raises:
        LogError: the log can't be written; nothing more was changed.
    """
    free = frozenset(session.log.ids_in_force()) - session.log.fixed()
    findings: dict[EditId, list[JSON]] = {}
    victims: list[Audited] = []
    for one in found.bad:
        culprits = [edit for edit in one.silenced_by if edit in free]
        for edit in culprits:
            took = f"it took away edit {one.edit[:12]} ({quoted(one.question)} -> {quoted(one.target)})"
            findings.setdefault(edit, ["silences"]).append(took)
        if one.edit in free and (one.verdict == "leaks" or not culprits):
            findings.setdefault(one.edit, []).extend(one.told)
        elif one.edit in free:
            victims.append(one)
    taken = _quarantined(session, found, by, findings)
    still = [one for one in victims if one.edit not in findings and not _given_again(session, one)]
    return taken + _quarantined(session, found, by, {one.edit: one.told for one in still})


def _quarantined(session: Session, found: Audit, by: Provenance, findings: Mapping[EditId, Sequence[JSON]]) -> tuple[EditId, ...]:
    """Take edits out of force in one fold, in the order in which they were made."""
    taken = tuple(edit for edit in session.log.ids_in_force() if edit in findings)
    if taken:
        details: dict[str, JSON] = {"audit": {"head": found.head, "rules": found.rules}}
        each = {edit: {"findings": list(findings[edit])} for edit in taken}
        session.withdraw("quarantined", taken, by, details=details, each=each)
    return taken


def _given_again(session: Session, one: Audited) -> bool:
    """Whether everything that an edit must give, and didn't, is given now."""
    missed = [breach for breach in one.breaches if not breach.leaks]
    answers = session.ask([breach.query for breach in missed], words=False)
    return all(same(answer.text, breach.expected) for answer, breach in zip(answers, missed, strict=True))


@dataclass(frozen=True)
class _Judged:
    """An edit, before it is known who moved what moved."""

    audited: Audited
    breaches: tuple[Breach, ...] = ()
    obsolete: bool = False
    final: bool = True
    """Whether the verdict stands already: expired, unasked."""


@dataclass(frozen=True)
class _InForce:
    """What is in force, without pictures."""

    targets: Mapping[EditId, str]
    """Every edit's target, in the order in which they were applied."""

    spoken_for: Mapping[str, frozenset[EditId]]
    """Digest of a question -> the edits in force that correct it."""

    over: frozenset[EditId]
    """The edits that don't speak any more, because their time is over."""

    pinned: frozenset[EditId]
    """The edits whose effect was pinned: they can't be taken out of force, and are written over instead."""

    @cached_property
    def place(self) -> Mapping[EditId | None, int]:
        return {edit: number for number, edit in enumerate(self.targets)}


@final
@dataclass
class _Asker:
    """Asks the unedited model and the session, each question once for the whole run."""

    session: Session
    known: _InForce
    bare: dict[str, Answer] = field(default_factory=dict)
    now: dict[str, Answer] = field(default_factory=dict)
    must_stay: set[str] = field(default_factory=set)
    """Digests of the questions that had to be answered as by the unedited model."""

    def binding(self, wanted: Iterable[Expectation]) -> list[Expectation]:
        """The expectations without those of questions that another edit corrects, which need not stay."""
        return [one for one in wanted if not (isinstance(one.expect, Unchanged) and self._corrected(one))]

    def broken(self, wanted: Iterable[Expectation]) -> tuple[Breach, ...]:
        """The expectations that aren't met."""
        bound = self.binding(wanted)
        asked = [one.query for one in bound if one.query.digest not in self.now]
        self.must_stay |= {one.query.digest for one in bound if isinstance(one.expect, Unchanged)}
        self.bare |= ask_all(self.session.model, asked, unedited, targets=targets_of(bound))
        for some in batches(asked):
            answers = self.session.ask(some, words=False)
            self.now |= {query.digest: answer for query, answer in zip(some, answers, strict=True)}
        found = breaches(bound, bare=self.bare, now=self.now)
        return tuple(breach for breach in found if not (self._found_so(breach) or self._written_over(breach)))

    def told(self, wanted: Iterable[Expectation]) -> Iterator[tuple[Expectation, Breach | None]]:
        """Each expectation that binds, and how it isn't met."""
        bound = self.binding(askable(self.session.model, wanted))
        found = {breach.expectation: breach for breach in self.broken(bound)}
        return ((one, found.get(one)) for one in bound)

    def judge(self, edits: Sequence[Edit], rules: Rules) -> list[_Judged]:
        """Each edit, in order, with what isn't as it claims or as its rules ask."""
        present = [edit for edit in edits if edit.id not in self.known.over]
        wanted = {edit.id: [*claims(edit), *askable(self.session.model, demands(edit, rules))] for edit in present}
        found = self.broken(one for each in wanted.values() for one in each)
        judged: list[_Judged] = []
        for edit in edits:
            if edit.id not in wanted:
                judged.append(_Judged(_audited(edit, "expired")))
                continue
            own = tuple(breach for breach in found if breach.expectation.of == edit.id)
            texts = [self.bare[query.digest].text for query in (edit.query, *edit.also)]
            audited = replace(_audited(edit, "holds"), before=texts[0], now=self.now[edit.query.digest].text)
            judged.append(_Judged(audited, own, all(same(text, edit.target) for text in texts), final=False))
        return judged

    def maybe_found_so(self, breach: Breach) -> bool:
        """Whether an edit from before the one whose `keep` it is has the answer of now for its target."""
        if breach.rule != "keep":
            return False
        earlier = islice(self.known.targets.values(), self.known.place[breach.expectation.of])
        return any(same(target, breach.got) for target in earlier)

    def _found_so(self, breach: Breach) -> bool:
        """Whether who speaks is one edit, from before the one whose `keep` it is."""
        spoke, place = self.now[breach.query.digest].edits, self.known.place
        if breach.rule != "keep" or len(spoke) != 1 or spoke[0] not in place:
            return False
        return place[spoke[0]] < place[breach.expectation.of]

    def _written_over(self, breach: Breach) -> bool:
        """Whether a later edit answers the question of one that was pinned, and couldn't take its place: it is judged there."""
        of, place = breach.expectation.of, self.known.place
        if breach.rule not in ("target", "also") or of not in self.known.pinned:
            return False
        return any(place[edit] > place[of] for edit in self.known.spoken_for.get(breach.query.digest, frozenset()))

    def _corrected(self, expectation: Expectation) -> bool:
        """Whether another edit than the one whose expectation it is corrects this very question. A `never` is for all edits."""
        if expectation.rule == "never":
            return False
        return bool(self.known.spoken_for.get(expectation.query.digest, frozenset()) - {expectation.of})


def _one(answer: Answer, known: _InForce) -> EditId | None:
    """The one edit that spoke, or alone could have; None where it was another number."""
    return answer.edits[0] if len(answer.edits) == 1 and answer.edits[0] in known.place else None


def _blamed(asker: _Asker, found: Sequence[Breach], progress: Progress) -> dict[Expectation, Breach]:
    """The breaches, those of answers that moved with the edit that moved them; without what turns out to be as it was found."""
    result = {breach.expectation: breach for breach in found}
    unclear: list[Breach] = []
    for breach in found:
        spoke = _one(asker.now[breach.query.digest], asker.known)
        if breach.rule == "never" and breach.expectation.of in asker.known.spoken_for.get(breach.query.digest, frozenset()):
            result[breach.expectation] = replace(breach, culprit=breach.expectation.of)
        elif spoke is not None and not (asker.maybe_found_so(breach) if breach.leaks else spoke == breach.expectation.of):
            result[breach.expectation] = replace(breach, culprit=spoke)
        elif breach.leaks or len(asker.known.targets) > 1:
            unclear.append(breach)
    seen = _replayed(asker, unclear, progress) if unclear else {}
    for breach in unclear:
        trace = seen.get(breach.expectation)
        if trace is not None and trace.stays and breach.rule == "keep":
            del result[breach.expectation]
        elif trace is not None and not trace.stays:
            result[breach.expectation] = replace(breach, culprit=trace.culprit)
    return result


@final
@dataclass
class _Trace:
    """An answer, followed through a replay."""

    wanted: str
    """What it should be."""

    said: str = ""
    stays: bool = True
    culprit: EditId | None = None
    """The edit after which it last left what it should be."""

    def hear(self, said: str, edit: EditId) -> None:
        kept = same(said, self.wanted)
        if self.stays and not kept:
            self.culprit = edit
        self.said, self.stays = said, kept


def _replayed(asker: _Asker, moved: Sequence[Breach], progress: Progress) -> dict[Expectation, _Trace]:
    """The answers that moved, followed while the edits are written once more; nothing where they can't be."""
    session, over = asker.session, asker.known.over
    model, editor = session.model, session.editor
    traces = {one.expectation: _Trace(one.expected, one.unedited, same(one.unedited, one.expected)) for one in moved}
    targets = targets_of(breach.expectation for breach in moved)
    state, total = editor.begin(model), len(session.log.ids_in_force()) - len(over)
    try:
        for number, edit in enumerate(session.log.in_force(without=over), start=1):
            state = editor.write(model, state, edit)
            heard = ask_all(model, [one.query for one in moved], partial(editor.read, model, state), targets=targets)
            for one, trace in traces.items():
                said = heard[one.query.digest].text
                if one.rule == "keep" and one.of == edit.id:
                    traces[one] = trace = _Trace(trace.said, trace.said)  # what it found
                elif one.of == edit.id and one.rule in GIVES:
                    traces[one] = trace = _Trace(trace.wanted, said, same(said, trace.wanted))  # its own write
                trace.hear(said, edit.id)
            progress("who did it", number, total)
    except BadImage:  # a picture was erased while its edit stays in effect: the past can't be written again, so nobody is blamed
        return {}
    return traces


def _sorted(judged: Sequence[_Judged], blamed: Mapping[Expectation, Breach]) -> tuple[tuple[Audited, ...], tuple[Breach, ...]]:
    """Each edit with its verdict and its breaches, and what stands against the branch."""
    open_ids = {one.audited.edit for one in judged if not one.final}
    against: dict[EditId | None, list[Breach]] = {}
    for breach in blamed.values():
        whose = breach.culprit if breach.leaks else breach.expectation.of
        against.setdefault(whose if whose in open_ids else None, []).append(breach)
    edits = []
    for one in judged:
        mine = () if one.final else tuple(against.get(one.audited.edit, ()))
        edits.append(one.audited if one.final else replace(one.audited, verdict=_verdict(mine, one.obsolete), breaches=mine))
    return tuple(edits), tuple(against.get(None, ()))


def _verdict(found: Sequence[Breach], obsolete: bool) -> Outcome:
    if any(breach.leaks for breach in found):
        return "leaks"
    if found:
        return "faded"
    return "obsolete" if obsolete else "holds"


def _audited(edit: Edit, verdict: Outcome) -> Audited:
    return Audited(edit.id, verdict, edit.query.text, edit.target, "", "")


def _standing(log: EditLog) -> list[int]:
    """The numbers of the entries that applied what is in force, in order: whole edits aren't held for longer than a chunk."""
    ids = set(log.ids_in_force())
    latest = {entry.edit_id: entry.seq for entry in log.find(kinds=_APPLIED) if entry.edit_id in ids}
    return sorted(latest.values())


def _in_force(log: EditLog, standing: Sequence[int], moment: datetime) -> _InForce:
    """What is in force, and who doesn't speak any more at this moment."""
    pinned = log.fixed()  # they speak on, whatever their time
    over = frozenset(edit for edit, end in log.ending().items() if instant(end) <= moment) - pinned
    targets: dict[EditId, str] = {}
    spoken_for: dict[str, frozenset[EditId]] = {}
    for seq in standing:
        for entry in log.entries(seq, seq + 1):
            edit = entry.edit(lambda digest: Image(digest, b""))  # only digests are compared
            targets[edit.id] = edit.target
            for query in () if edit.id in over else (edit.query, *edit.also):
                spoken_for[query.digest] = spoken_for.get(query.digest, frozenset()) | {edit.id}
    return _InForce(targets, spoken_for, over, pinned)


def _read(log: EditLog, seq: int) -> Edit | Audited:
    """The edit that an entry applied; where a picture of it is gone, that it can't be asked."""
    (entry,) = log.entries(seq, seq + 1)
    try:
        return entry.edit(log.image)
    except BadImage:
        return _audited(entry.edit(lambda digest: Image(digest, b"")), "unasked")


def _chunks(numbers: Sequence[int]) -> Iterator[list[int]]:
    rest = iter(numbers)
    while chunk := list(islice(rest, _CHUNK)):
        yield chunk
