"""The fine-grained protocol: some edits in memory, all their probes, and everything taken back before the next ones.

With one edit in memory this is the setting of FGVEdit (Zeng et al., §4.1): edit once, ask, take back. With N, N edits are written
one after another, and only then is anything asked. Nothing is read back or refused, as in the paper: an edit that wasn't learned is
one whose reliability fails. `specificity` is the mean of its two halves (eq. 12-14), `reliability` eq. 15, `locality` eq. 16 over
words, pictures and texts that are out of scope, `text_generality` eq. 17, held to the target rather than to the edited model's own
answer.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from errata.core.benchmark import Case, Outcome, Probe, Stream, standing
from errata.core.canonical import JSON
from errata.core.counted import counted
from errata.core.editor import Editor, Explains, protected
from errata.core.errors import BadInput
from errata.core.model import Model
from errata.core.progress import Progress
from errata.core.records import Edit
from errata.editors import state_bytes
from errata.measure.evaluate import ANSWER_TOKENS, PROTOCOL, Baseline, pass_ms, read_over_base
from errata.measure.results import Cost, Horizon, Judged, Rate, Run
from errata.measure.scoring import Scored, classes, forced_target, rates, scored, with_composite
from errata.session.attempts import settled

_ROWS = 64
"""Probes that are asked together; the states that they are read from are held until then."""

_TIMED = 20
"""Writes beside which a full pass is timed."""


def run_fine(
    model: Model,
    editor: Editor[Any],
    stream: Stream,
    *,
    edits: int,
    memory: int,
    seed: int,
    progress: Progress,
    baseline: Baseline | None = None,
    asked: str = "",
) -> Run:
    """Score an editor on a benchmark's first `edits` edits, `memory` of them in memory at a time.

    The run has one horizon, at `memory` edits; each of its rates counts the probes of all `edits`.

    Args:
        memory: edits in memory at once, 1 to `edits`; of what is left over at the end, fewer.
        seed: the seed that the benchmark was drawn from, for the record.
        progress: shown to whoever waits.
        baseline: the unedited model's answers, to share among editors.
        asked: how the editor was named, for the report.

    Raises:
        BadInput: `edits` or `memory` out of range, or an edit or probe that this model can't be put.
    """
    if not 1 <= memory <= edits <= len(stream):
        raise BadInput(
            f"{counted(memory, 'edit')} in memory of {edits} of {len(stream)} can't be. Give 1 <= memory <= edits <= what there is."
        )
    editor = protected(editor, stream.pool())
    desk = _Desk(model, editor, baseline or Baseline(model))
    begun = editor.begin(model)
    for start in range(0, edits, memory):
        cases = [stream[index] for index in range(start, min(start + memory, edits))]
        state = begun
        for place, case in enumerate(cases, start + 1):
            progress(f"edit {place}", place, edits)
            state = desk.write(state, case.edit, first=state is begun, last=case is cases[-1])
        for place, case in enumerate(standing(cases), start + 1):
            progress(f"asking about edit {place}", min(start + memory, edits), edits)
            desk.ask(case, state)
    desk.flush()
    return Run(
        benchmark={"name": stream.name, "seed": seed, "edits": edits, "digest": stream.digest},
        model={"name": model.name, "digest": model.digest, "parameters": model.parameters},
        editor=editor.spec(model),
        protocol=protocol(memory),
        horizons=(_horizon(memory, desk),),
        cost=desk.cost(state, [case.edit.query for case in cases]),
        judged=tuple(
            Judged(place, case.case.edit, True, case.label, case.outcomes, case.met, desk.telemetry[place])
            for place, case in enumerate(desk.scored())
        ),
        asked=asked,
    )


def protocol(memory: int) -> dict[str, JSON]:
    """What a result says of how it was made."""
    return {
        **PROTOCOL,
        "memory": memory,
        "guard": "none: what was written stays written until it is taken back",
    }


@dataclass
class _Asked:
    """One case with what was answered so far."""

    case: Case
    outcomes: list[Outcome] = field(default_factory=list)


@dataclass
class _Desk:
    """Writes, asks in batches, and keeps what was found and what it cost."""

    model: Model
    editor: Editor[Any]
    base: Baseline
    telemetry: list[Mapping[str, JSON]] = field(default_factory=list)
    forced: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    _cases: list[_Asked] = field(default_factory=list)
    _waiting: list[tuple[_Asked, Probe, Any]] = field(default_factory=list)
    _write_ms: list[float] = field(default_factory=list)
    _pass_ms: list[float] = field(default_factory=list)
    _bytes: list[int] = field(default_factory=list)

    def write(self, state: Any, edit: Edit, *, first: bool, last: bool) -> Any:
        """The state with the edit in it; the model and the old state stay as they are."""
        self.model.check(edit.query, edit.target)
        if len(self._pass_ms) < _TIMED:
            self._pass_ms.append(pass_ms(self.model, edit))
        started = time.perf_counter()
        written = self.editor.write(self.model, state, edit)
        settled()
        self._write_ms.append((time.perf_counter() - started) * 1000)
        self.telemetry.append(dict(self.editor.telemetry(written)) if isinstance(self.editor, Explains) else {})
        if first or last:
            self._bytes.append(state_bytes(written))
        return written

    def ask(self, case: Case, state: Any) -> None:
        """Put a case's probes in line, to be answered from this state."""
        asked = _Asked(case)
        self._cases.append(asked)
        for probe in case.probes:
            self._waiting.append((asked, probe, state))
            if len(self._waiting) >= _ROWS:
                self.flush()

    def flush(self) -> None:
        """Answer what is in line: generated, and teacher-forced."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        queries = [probe.query for _, probe, _ in waiting]
        patches = [self.editor.read(self.model, state, probe.query) for _, probe, state in waiting]
        before = self.base.answers(queries)
        after = self.model.answers(queries, patches, max_new_tokens=ANSWER_TOKENS)
        outcomes = [Outcome(probe, was, now) for (_, probe, _), was, now in zip(waiting, before, after, strict=True)]
        for (asked, _, _), outcome in zip(waiting, outcomes, strict=True):
            asked.outcomes.append(outcome)
        targets = [(row, target) for row, outcome in enumerate(outcomes) if (target := forced_target(outcome)) is not None]
        scores = self.model.predict_many(
            [queries[row] for row, _ in targets], [target for _, target in targets], [patches[row] for row, _ in targets]
        )
        for (row, _), score in zip(targets, scores, strict=True):
            self.forced[outcomes[row].probe.kind].append(score.accuracy)

    def scored(self) -> Iterator[Scored]:
        """Every case, judged, in order."""
        return (scored(asked.case, asked.outcomes, committed=True) for asked in self._cases)

    def cost(self, state: Any, queries: Sequence[Any]) -> Cost:
        """What writes and reads took. No log is kept, so it takes no bytes."""
        return Cost(
            write_ms=tuple(self._write_ms),
            pass_ms=tuple(self._pass_ms),
            guard_ms=(),
            read_over_base=read_over_base(self.model, lambda query: self.editor.read(self.model, state, query), queries),
            state_bytes=(self._bytes[0], self._bytes[-1]),
            log_bytes_per_edit=0.0,
            snapshot_bytes=0,
        )


def _horizon(memory: int, desk: _Desk) -> Horizon:
    cases = list(desk.scored())
    kinds = sorted({outcome.probe.kind for case in cases for outcome in case.outcomes})
    forced = {kind: Rate(sum(desk.forced[kind]), len(desk.forced[kind])) for kind in kinds}
    return Horizon(
        edits=memory,
        rates=with_composite(rates(cases, kinds), "locality"),
        teacher_forced=with_composite(with_composite(forced, "specificity"), "locality"),
        classes=classes(cases),
        refused=0,
    )
