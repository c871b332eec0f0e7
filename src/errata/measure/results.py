"""What a benchmark run found, as values, and their one form on disk: `result.json`, `result.csv`.

The layout of `result.json` is a promise to other tools; `to_json` is the only place that knows it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from errata.core.benchmark import Outcome
from errata.core.canonical import JSON
from errata.core.records import Edit, EditId, Spec


@dataclass(frozen=True)
class Rate:
    """A share of `n` things; the rate of nothing is None, never a flattering 1."""

    hits: float
    """How many; not whole where each thing counts in part (token accuracy, a mean of two shares)."""

    n: int

    @property
    def rate(self) -> float | None:
        return self.hits / self.n if self.n else None

    def to_json(self) -> dict[str, JSON]:
        return {"rate": self.rate, "n": self.n}


CLASSES = ("unreliable", "proper", "under", "over", "entangled", "strict")
"""The classes of an edit at a horizon. The first five share out all scored edits; strict is the part of proper that also
entails."""


@dataclass(frozen=True)
class Horizon:
    """Every edit so far asked again, after `edits` of them."""

    edits: int
    rates: Mapping[str, Rate]
    """Probe kind -> share of probes that met their expectation, by generation and the protocol's matcher. "specificity" is
    the mean of its two halves."""

    teacher_forced: Mapping[str, Rate]
    """Probe kind -> share of target tokens predicted under teacher forcing (EasyEdit's definition)."""

    classes: Mapping[str, Rate]
    refused: int
    """Edits so far that the read-back refused; they stay in every denominator as unreliable."""

    retention: Mapping[str, Rate] = field(default_factory=dict)
    """Age decile of the edit ("0" oldest .. "9" newest) -> reliability."""

    exact: Mapping[str, Rate] = field(default_factory=dict)
    """`rates` by exact match, of a benchmark that has a matcher of its own; empty where exact match is the matcher."""

    def to_json(self) -> dict[str, JSON]:
        beside = {"exact": {kind: rate.to_json() for kind, rate in self.exact.items()}} if self.exact else {}
        return {
            "edits": self.edits,
            "rates": {kind: rate.to_json() for kind, rate in self.rates.items()},
            **beside,
            "teacher_forced": {kind: rate.to_json() for kind, rate in self.teacher_forced.items()},
            "classes": {name: rate.to_json() for name, rate in self.classes.items()},
            "refused": self.refused,
            "retention": {name: rate.to_json() for name, rate in self.retention.items()},
        }


@dataclass(frozen=True)
class Cost:
    """What a write, a read and a state cost. Times are medians in milliseconds, sizes in bytes."""

    write_ms: tuple[float, ...]
    """Each write, protection included, the guard left out; in the order of the stream."""

    pass_ms: tuple[float, ...]
    """One full forward and backward of an edit's own input through the whole model, interleaved with the writes."""

    guard_ms: tuple[float, ...]
    read_over_base: float
    """Time to answer a fixed batch with the last state, over the time of the unedited model."""

    state_bytes: tuple[int, int]
    """The state's tensors after the first and after the last write."""

    log_bytes_per_edit: float
    snapshot_bytes: int
    """What the last state takes on a disk."""

    snapshot_first_bytes: int | None = None
    """The same after the first write."""

    fills: bool = False
    """Whether edits take up room that was there from the beginning, so that more of them need a larger state."""

    read_over_base_merged: float | None = None
    """The same with the edits merged into the weights; None for an editor that can't be."""

    at_a_time: int = 1
    """Runs that shared the machine's cores, this one included."""

    def to_json(self) -> dict[str, JSON]:
        writes, tenth = self.write_ms, max(1, len(self.write_ms) // 10)
        pass_median = _median(self.pass_ms)
        return {
            "write_ms": {"median": _median(writes), "first_tenth": _median(writes[:tenth]), "last_tenth": _median(writes[-tenth:])},
            "pass_ms": {"median": pass_median},
            "guard_ms": {"median": _median(self.guard_ms)},
            "write_over_pass": _median(writes) / pass_median if pass_median else 0.0,
            "read_over_base": self.read_over_base,
            "read_over_base_merged": self.read_over_base_merged,
            "state_bytes": {"first": self.state_bytes[0], "last": self.state_bytes[1], "fills": self.fills},
            "log_bytes_per_edit": self.log_bytes_per_edit,
            "snapshot_bytes": self.snapshot_bytes,
            **({} if self.snapshot_first_bytes is None else {"snapshot_first_bytes": self.snapshot_first_bytes}),
            "at_a_time": self.at_a_time,
        }


@dataclass(frozen=True)
class Judged:
    """One edit at the last horizon, with all its probes: what the gallery shows and the CSV lists."""

    position: int
    """Place in the stream, from 0."""

    edit: Edit
    committed: bool
    """False when the read-back refused the edit."""

    label: str | None
    """One of the five classes; None for an edit that a later one corrected."""

    outcomes: tuple[Outcome, ...]
    met: tuple[bool, ...]
    """For each outcome, whether the expectation was met."""

    telemetry: Mapping[str, JSON] = field(default_factory=dict)

    @property
    def id(self) -> EditId:
        return self.edit.id

    def to_json(self) -> dict[str, JSON]:
        """Without questions and answers: of each kind of probe a digit for each, 1 where its expectation was met."""
        met: dict[str, JSON] = {}
        for outcome, hit in zip(self.outcomes, self.met, strict=True):
            met[outcome.probe.kind] = f"{met.get(outcome.probe.kind, '')}{int(hit)}"
        return {"position": self.position, "committed": self.committed, "label": self.label, "met": met}


@dataclass(frozen=True)
class Restart:
    """What a session that was begun anew from the log says, against the one that wrote it."""

    asked: int
    """Edits' own questions."""

    same: int
    """Answers that are the same, word for word."""


@dataclass(frozen=True)
class Run:
    """One editor's run over one benchmark."""

    benchmark: Mapping[str, JSON]
    """name, seed, edits, digest."""

    model: Mapping[str, JSON]
    """name, digest, parameters."""

    editor: Spec
    protocol: Mapping[str, JSON]
    """answers, matcher, baseline."""

    horizons: tuple[Horizon, ...]
    cost: Cost
    judged: tuple[Judged, ...]
    asked: str = ""
    """How the editor was named, such as "scopeedit:preset=paper"; for the report's labels."""

    restart: Restart | None = None
    """None where nobody tried."""

    def to_json(self) -> dict[str, JSON]:
        return {
            "benchmark": dict(self.benchmark),
            "model": dict(self.model),
            "editor": {"spec": self.editor.name, "fields": dict(self.editor.fields)},
            "protocol": dict(self.protocol),
            "horizons": [horizon.to_json() for horizon in self.horizons],
            "cost": self.cost.to_json(),
            "judged": [each.to_json() for each in self.judged],
            **({} if self.restart is None else {"restart": {"asked": self.restart.asked, "same": self.restart.same}}),
        }


def _median(values: tuple[float, ...]) -> float:
    ordered = sorted(values)
    middle = len(ordered) // 2
    if not ordered:
        return 0.0
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
