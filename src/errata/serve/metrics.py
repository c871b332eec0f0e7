"""What Prometheus scrapes: how long requests take and what became of them, how busy the engine is, what the log holds.

Each branch has figures of its own, because no branch may see another's.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, final

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from errata.serve.engine.seam import Load

if TYPE_CHECKING:
    from errata.door import Session

Phase = Literal["pictures", "first", "answer", "change", "rehearsal"]
"""What takes time: reading a request's pictures, until the first piece of an answer, until its end; a change of the log, and a dry
run of one."""

_SECONDS: Final = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)


@dataclass(frozen=True)
class Held:
    """What a branch's log holds."""

    seq: int
    fates: Mapping[str, int]
    """How an edit stands -> how many do."""

    free: float | None
    """The share of the editor's room that the last write left; None where the editor doesn't say."""


def held_by(session: Session) -> Held:
    """What the log of a session holds; cheap, as no edit's content is read but the last one's telemetry."""
    log = session.inner.log
    fates: dict[str, int] = {}
    standing = log.fates()
    for each in standing.values():
        fates[each.fate] = fates.get(each.fate, 0) + 1
    last = max((each.seq for each in standing.values() if each.fate == "in-force"), default=0)
    free: float | None = None
    for entry in log.entries(last, last + 1) if last else ():
        telemetry = entry.details.get("telemetry")
        said = telemetry.get("free") if isinstance(telemetry, Mapping) else None
        free = float(said) if isinstance(said, int | float) else None
    return Held(len(log), fates, free)


@final
class Figures:
    """The figures of one branch; threads may share them."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.held: Held | None = None
        """As it was last looked at."""

        self._requests = Counter(
            "errata_requests", "Requests by route and status.", ["method", "route", "status"], registry=self.registry
        )
        self._seconds = Histogram(
            "errata_phase_seconds", "How long a phase took.", ["phase"], buckets=_SECONDS, registry=self.registry
        )
        ProcessCollector(registry=self.registry)

    def took(self, phase: Phase, seconds: float) -> None:
        """Count how long something took."""
        self._seconds.labels(phase).observe(seconds)

    def answered(self, method: str, route: str, status: int) -> None:
        """Count a request."""
        self._requests.labels(method, route, str(status)).inc()

    def text(self, load: Load) -> bytes:
        """All of them in Prometheus's format."""
        now = CollectorRegistry()
        now.register(_Now(load, self.held))
        return generate_latest(self.registry) + generate_latest(now)


@final
@dataclass
class Metrics:
    """The figures of every branch."""

    _figures: dict[str, Figures] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def of(self, branch: str) -> Figures:
        """Those of one branch, which is one that a caller has."""
        with self._lock:
            if branch not in self._figures:
                self._figures[branch] = Figures()
            return self._figures[branch]


@final
@dataclass(frozen=True, eq=False)
class _Now:
    """What is read off at a scrape."""

    load: Load
    held: Held | None

    def collect(self) -> Iterator[Metric]:
        """As prometheus_client asks for it."""
        yield GaugeMetricFamily("errata_waiting", "Questions that wait for a row.", self.load.waiting)
        yield GaugeMetricFamily("errata_rows", "Rows of the batch that is being answered.", self.load.rows)
        yield GaugeMetricFamily("errata_changes_waiting", "Changes that wait to be made.", self.load.changes)
        yield CounterMetricFamily("errata_steps", "Steps of the engine.", value=self.load.steps)
        yield CounterMetricFamily("errata_tokens", "Tokens chosen by the engine.", value=self.load.tokens)
        if self.held is None:
            return
        yield GaugeMetricFamily("errata_seq", "The last entry of the log that is folded.", self.held.seq)
        edits = GaugeMetricFamily("errata_edits", "Edits by how they stand.", labels=["status"])
        for status in sorted({"in-force", "refused", "proposed", *self.held.fates}):
            edits.add_metric([status], self.held.fates.get(status, 0))
        yield edits
        if self.held.free is not None:
            yield GaugeMetricFamily("errata_room_left", "The share of the editor's room that the last write left.", self.held.free)
