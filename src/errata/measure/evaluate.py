"""The online protocol: edits arrive one at a time; at each horizon every edit so far is asked again with all its probes.

Answers are generated and matched exactly, or as the benchmark reads them (`core.benchmark.Matches`), exact match beside. Locality
compares with the *unedited* model, not with the model just before the edit. EasyEdit's teacher-forced token accuracy stands beside
it under its own name. Every edit goes through a `Session` and its read-back, which reads an answer as the benchmark does.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import torch

from errata.core.benchmark import Matches, Outcome, Probe, Stream
from errata.core.canonical import JSON
from errata.core.editor import Editor, Merges
from errata.core.errors import BadInput
from errata.core.matching import MATCHER
from errata.core.model import Model, Patch
from errata.core.progress import Progress
from errata.core.records import Edit, EditId, Query
from errata.editors import state_bytes
from errata.log import EditLog, MemoryStore
from errata.measure.results import Cost, Horizon, Judged, Rate, Restart, Run
from errata.measure.scoring import Scored, by_exact_match, classes, exactly, forced_target, rates, retention, scored
from errata.nn.patches import NoPatch, Replaced
from errata.nn.places import plain
from errata.session.attempts import settled
from errata.session.folding import kept
from errata.session.guard import Gives, gives_itself
from errata.session.receipts import Receipt
from errata.session.session import Session

ANSWER_TOKENS = 32
"""The longest answer that is generated; the longest target takes fewer."""

PROTOCOL: Mapping[str, JSON] = MappingProxyType(
    {"answers": f"greedy, at most {ANSWER_TOKENS} tokens", "matcher": MATCHER, "baseline": "the unedited model"}
)
"""What a result says of how it was made."""


def matching(stream: Stream) -> Mapping[str, JSON]:
    """What a result says otherwise of a stream that has a matcher of its own."""
    if not isinstance(stream, Matches):
        return {}
    return {"matcher": f"{stream.matcher}; beside it: {MATCHER}", "read_back": "a write is read by the matcher, too"}


_READS = 48
_REASKED = 64
"""Questions that a session begun anew is asked, at most."""

_REPEATS = 5


@dataclass
class Baseline:
    """The unedited model's answers, each asked once. Share one among the editors of a comparison."""

    model: Model
    known: dict[str, str] = field(default_factory=dict)

    def answers(self, queries: Sequence[Query]) -> list[str]:
        """What the model says without any patch."""
        new = list({query.digest: query for query in queries if query.digest not in self.known}.values())
        said = self.model.answers(new, [NoPatch()] * len(new), max_new_tokens=ANSWER_TOKENS) if new else []
        self.known.update((query.digest, text) for query, text in zip(new, said, strict=True))
        return [self.known[query.digest] for query in queries]


def run_stream(
    model: Model,
    editor: Editor[Any],
    stream: Stream,
    *,
    horizons: Sequence[int],
    seed: int,
    edits: int,
    progress: Progress,
    baseline: Baseline | None = None,
    asked: str = "",
    forced: bool = True,
) -> Run:
    """Stream a benchmark's first `edits` edits through an editor and score it at each horizon.

    Args:
        horizons: after how many edits everything so far is asked again; each between 1 and `edits`.
        seed: the seed that the stream was drawn from, for the record.
        progress: shown to whoever waits.
        baseline: the unedited model's answers, to share among editors.
        asked: how the editor was named, for the report.
        forced: whether EasyEdit's teacher-forced accuracy is worked out too, a fifth of what a run takes.

    Raises:
        BadInput: a horizon out of range, or an edit that this model can't be given.
    """
    wanted = sorted(set(horizons))
    if not wanted or wanted[0] < 1 or wanted[-1] > edits or edits > len(stream):
        raise BadInput(f"Horizons must lie between 1 and the number of edits ({edits}); these are {list(horizons)}.")
    base = baseline or Baseline(model)
    log = EditLog(store := MemoryStore())
    session = Session.open(model, editor, log, pool=stream.pool(), snapshot_every=edits + 1, gives=_giving(stream))
    meter = _Meter(session)
    found: list[Horizon] = []
    last: list[Scored] = []
    for index in range(edits):
        meter.write(stream[index].edit)
        progress(f"edit {index + 1}", index + 1, edits)
        if index + 1 in wanted:
            progress(f"asking after {index + 1}", index + 1, edits)
            last = _ask(session, base, stream, index + 1, meter.receipts)
            beside = isinstance(stream, Matches)
            found.append(_horizon(session, index + 1, last, meter.receipts, beside=beside, forced=forced))
    own = [case.case.edit.query for case in last]
    return Run(
        benchmark={"name": stream.name, "seed": seed, "edits": edits, "digest": stream.digest},
        model={"name": model.name, "digest": model.digest, "parameters": model.parameters},
        editor=session.editor.spec(model),
        protocol={**PROTOCOL, **matching(stream)},
        horizons=tuple(found),
        cost=meter.cost(session, own),
        judged=tuple(_judged(position, case, meter.receipts) for position, case in enumerate(last)),
        asked=asked,
        restart=_restarted(session, store, own[:_REASKED]),
    )


def _giving(stream: Stream) -> Gives:
    """How the read-back reads an answer to an edit that was drawn."""
    if not isinstance(stream, Matches):
        return gives_itself
    return lambda edit, answer: stream.gives(Outcome(Probe("reliability", edit.query, edit.target), "", answer))


def _restarted(session: Session, store: MemoryStore, queries: Sequence[Query]) -> Restart:
    """Begin anew from what was stored, the last state among it, and ask again."""
    if session.head is not None:
        kept(session.log, session.head, session.state)
    again = Session.open(session.model, session.editor, EditLog(store))
    before, after = (each.ask(queries, max_new_tokens=ANSWER_TOKENS, words=False) for each in (session, again))
    same = sum(one.text == other.text for one, other in zip(before, after, strict=True))
    return Restart(len(queries), same)


def _ask(session: Session, base: Baseline, stream: Stream, horizon: int, receipts: dict[EditId, Receipt]) -> list[Scored]:
    cases, meets = stream.truth(horizon), stream.gives if isinstance(stream, Matches) else exactly
    probes = [probe for case in cases for probe in case.probes]
    before = base.answers([probe.query for probe in probes])
    after = [answer.text for answer in session.ask([probe.query for probe in probes], max_new_tokens=ANSWER_TOKENS, words=False)]
    outcomes = iter([Outcome(probe, was, now) for probe, was, now in zip(probes, before, after, strict=True)])
    return [
        scored(case, [next(outcomes) for _ in case.probes], committed=receipts[case.edit.id].status == "applied", meets=meets)
        for case in cases
    ]


def _horizon(
    session: Session, edits: int, cases: Sequence[Scored], receipts: dict[EditId, Receipt], *, beside: bool, forced: bool
) -> Horizon:
    kinds = sorted({outcome.probe.kind for case in cases for outcome in case.outcomes})
    return Horizon(
        edits=edits,
        rates=rates(cases, kinds),
        teacher_forced=_teacher_forced(session, cases, kinds) if forced else {},
        classes=classes(cases),
        refused=sum(receipt.status == "refused" for receipt in receipts.values()),
        retention=retention(cases),
        exact=rates([by_exact_match(case) for case in cases], kinds) if beside else {},
    )


def _teacher_forced(session: Session, cases: Sequence[Scored], kinds: Sequence[str]) -> dict[str, Rate]:
    """EasyEdit's token accuracy: the share of target tokens predicted, mean over probes.

    For a probe that must stay as before, the target is the unedited model's own answer; probes that it answers with nothing are
    left out.
    """
    asked: list[tuple[str, Query, str]] = []
    for case in cases:
        for outcome in case.outcomes:
            target = forced_target(outcome)
            if target is not None:
                asked.append((outcome.probe.kind, outcome.probe.query, target))
    queries = [query for _, query, _ in asked]
    patches = [session.editor.read(session.model, session.state, query) for query in queries]
    scores = session.model.predict_many(queries, [target for _, _, target in asked], patches)
    found: dict[str, list[float]] = defaultdict(list)
    for (kind, _, _), score in zip(asked, scores, strict=True):
        found[kind].append(score.accuracy)
    return {kind: Rate(sum(found[kind]), len(found[kind])) for kind in kinds}


def _judged(position: int, case: Scored, receipts: dict[EditId, Receipt]) -> Judged:
    receipt = receipts[case.case.edit.id]
    return Judged(position, case.case.edit, case.committed, case.label, case.outcomes, case.met, receipt.telemetry)


class _Meter:
    """Writes edits through a session and keeps what each cost."""

    def __init__(self, session: Session) -> None:
        self.receipts: dict[EditId, Receipt] = {}
        self._session = session
        self._pass_ms: list[float] = []
        self._state_bytes: list[int] = []
        self._log_bytes: list[int] = []
        self._first_bytes: int | None = None

    def write(self, edit: Edit) -> None:
        self._pass_ms.append(pass_ms(self._session.model, edit))
        receipt = self._session.edit(edit)
        self.receipts[edit.id] = receipt
        self._state_bytes.append(state_bytes(self._session.state))
        if self._first_bytes is None and receipt.status == "applied":
            self._first_bytes = self._session.snapshot_bytes()
        head = self._session.head
        assert head is not None, "the edit has an entry"
        self._log_bytes.append(head.size_bytes)

    def cost(self, session: Session, queries: Sequence[Query]) -> Cost:
        receipts = self.receipts.values()
        editor, model, state = session.editor, session.model, session.state
        merged = editor.merged(model, state) if isinstance(editor, Merges) else None
        return Cost(
            write_ms=tuple(receipt.write_ms for receipt in receipts),
            pass_ms=tuple(self._pass_ms),
            guard_ms=tuple(receipt.guard_ms for receipt in receipts),
            read_over_base=read_over_base(model, lambda query: editor.read(model, state, query), queries),
            read_over_base_merged=None if merged is None else read_over_base(model, lambda _: merged, queries),
            state_bytes=(self._state_bytes[0], self._state_bytes[-1]),
            log_bytes_per_edit=sum(self._log_bytes) / len(self._log_bytes),
            snapshot_bytes=session.snapshot_bytes(),
            snapshot_first_bytes=self._first_bytes,
            fills=any("room" in receipt.telemetry for receipt in receipts),
        )


def pass_ms(model: Model, edit: Edit) -> float:
    """Milliseconds of one full forward and backward of the edit's own input through the whole model.

    Gradients are taken for the weight of every writable module, from the first layer of the vision tower to the last of the text
    stack, so that nothing of the model is left out; this is what `write_over_pass` divides by.
    """
    paths = [path for role in model.writable.values() for path in role]
    weights = {path: _weight(model, path).detach().clone().requires_grad_() for path in paths}
    model.check(edit.query, edit.target)  # words and pixels are prepared outside both clocks
    settled()
    started = time.perf_counter()
    with Replaced(weights).on(model):
        loss = model.loss(edit.query, edit.target)
    torch.autograd.grad(loss, list(weights.values()), allow_unused=True)
    settled()
    return (time.perf_counter() - started) * 1000


def _weight(model: Model, path: str) -> torch.Tensor:
    module = model.module(path)
    assert isinstance(module, torch.nn.Linear), f"{path} is a linear module"
    return plain(module, path)


def read_over_base(model: Model, read: Callable[[Query], Patch], queries: Sequence[Query]) -> float:
    """Time to answer some queries with their patches, reading included, over the time without: the median of a few repeats."""
    asked = queries[:_READS]
    plain = [NoPatch()] * len(asked)
    ratios = []
    for _ in range(_REPEATS):
        started = time.perf_counter()
        model.answers(asked, plain, max_new_tokens=4)
        between = time.perf_counter()
        model.answers(asked, [read(query) for query in asked], max_new_tokens=4)
        ratios.append((time.perf_counter() - between) / (between - started))
    return sorted(ratios)[len(ratios) // 2]
