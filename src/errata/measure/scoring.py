"""From outcomes to rates and classes: which expectations were met, and what kind of edit each one turned out to be."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from errata.core.benchmark import Case, Outcome, Unchanged
from errata.core.matching import same
from errata.measure.results import CLASSES, Rate

Meets = Callable[[Outcome], bool]
"""Whether an answer does what is expected of it."""

LEARNED = ("text_generality", "image_generality", "near_wording", "far_wording", "other_artist", "other_view", "beside")
"""*In* holds when every probe of these is given (the rule of ScopeEdit's pilot study)."""

ENTAILED = (
    "specificity_in", "cross_modal", "portability", "in_words", "on_picture", "reverse", "yes_new", "no_old", "one_hop", "two_hops",
)  # fmt: skip
"""What `strict` asks for beside them."""

ASIDE = ("sentence_before", "capital", "typo", "wrong_value", "negation", "negated", "same_old_value", "capitals")
"""Kinds that no class asks for: they have rows of their own."""

COMPOSITES: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "specificity": (("specificity_in",), ("specificity_out",)),
    "locality": (("words_locality", "image_locality", "text_locality"),),
}
"""Kinds that are made of others: the mean of some shares, each over all probes of its kinds. Near locality, the edit's own words on
another picture, is a scope decision and stands alone."""

_DECILES = 10


@dataclass(frozen=True)
class Scored:
    """One case at a horizon."""

    case: Case
    committed: bool
    outcomes: tuple[Outcome, ...]
    met: tuple[bool, ...]

    @property
    def label(self) -> str | None:
        """One of the five classes; None for an edit that a later one corrected."""
        if not self.outcomes:
            return None
        if not (self.committed and self._given(("reliability",))):
            return "unreliable"
        learned, kept = self._given(LEARNED), self._kept()
        return {(True, True): "proper", (False, True): "under", (True, False): "over", (False, False): "entangled"}[learned, kept]

    @property
    def strict(self) -> bool:
        """Proper, and everything that it entails is given too."""
        return self.label == "proper" and self._all(ENTAILED)

    def _given(self, kinds: Sequence[str]) -> bool:
        """Whether probes of these kinds are there and all met: nothing asked is nothing learned."""
        return any(outcome.probe.kind in kinds for outcome in self.outcomes) and self._all(kinds)

    def _all(self, kinds: Sequence[str]) -> bool:
        return all(met for outcome, met in zip(self.outcomes, self.met, strict=True) if outcome.probe.kind in kinds)

    def _kept(self) -> bool:
        stays = ((outcome, met) for outcome, met in zip(self.outcomes, self.met, strict=True) if outcome.probe.kind not in ASIDE)
        return all(met for outcome, met in stays if isinstance(outcome.probe.expect, Unchanged))


def exactly(outcome: Outcome) -> bool:
    """Whether a probe's expectation was met, by exact match."""
    expected = outcome.before if isinstance(outcome.probe.expect, Unchanged) else outcome.probe.expect
    return same(outcome.after, expected)


def met(outcome: Outcome, *, committed: bool, meets: Meets = exactly) -> bool:
    """Whether a probe's expectation was met. A refused edit's own reliability never is: it was given up."""
    if outcome.probe.kind == "reliability" and not committed:
        return False
    return meets(outcome)


def scored(case: Case, outcomes: Sequence[Outcome], *, committed: bool, meets: Meets = exactly) -> Scored:
    """A case with its outcomes judged."""
    return Scored(case, committed, tuple(outcomes), tuple(met(outcome, committed=committed, meets=meets) for outcome in outcomes))


def by_exact_match(case: Scored) -> Scored:
    """The same case as exact match judges it."""
    return scored(case.case, case.outcomes, committed=case.committed)


def forced_target(outcome: Outcome) -> str | None:
    """What teacher forcing shows the model: the answer expected, or the unedited model's own; None where that one is empty."""
    target = outcome.before if isinstance(outcome.probe.expect, Unchanged) else outcome.probe.expect
    return target if target.strip() else None


def rates(cases: Iterable[Scored], kinds: Sequence[str]) -> dict[str, Rate]:
    """Probe kind -> share met, with "specificity", the mean of its two halves (FGVEdit)."""
    found: dict[str, list[bool]] = defaultdict(list)
    for case in cases:
        for outcome, hit in zip(case.outcomes, case.met, strict=True):
            found[outcome.probe.kind].append(hit)
    return with_composite({kind: Rate(sum(found[kind]), len(found[kind])) for kind in kinds}, "specificity")


def with_composite(found: Mapping[str, Rate], name: str) -> dict[str, Rate]:
    """The rates with one of `COMPOSITES` beside them, over the probes of all its kinds; without it where a share has no probe."""
    shares = [[found[kind] for kind in kinds if kind in found] for kinds in COMPOSITES[name]]
    counts = [sum(rate.n for rate in share) for share in shares]
    if not all(counts):
        return dict(found)
    n = sum(counts)
    hits = sum(sum(rate.hits for rate in share) * (n / count) for share, count in zip(shares, counts, strict=True))
    return {**found, name: Rate(hits / len(shares), n)}


def classes(cases: Sequence[Scored]) -> dict[str, Rate]:
    """The five classes over all edits that are still scored, and `strict` beside them."""
    labels = [case.label for case in cases if case.label is not None]
    counted = {name: Rate(labels.count(name), len(labels)) for name in CLASSES if name != "strict"}
    return {**counted, "strict": Rate(sum(case.strict for case in cases), len(labels))}


def retention(cases: Sequence[Scored]) -> Mapping[str, Rate]:
    """Reliability by the decile of an edit's age, "0" oldest; only where there are at least ten edits."""
    if len(cases) < _DECILES:
        return {}
    found: dict[str, list[bool]] = defaultdict(list)
    for index, case in enumerate(cases):
        for outcome, hit in zip(case.outcomes, case.met, strict=True):
            if outcome.probe.kind == "reliability":
                found[str(index * _DECILES // len(cases))].append(hit)
    return {decile: Rate(sum(hits), len(hits)) for decile, hits in sorted(found.items())}
