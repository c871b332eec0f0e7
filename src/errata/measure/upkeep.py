"""What an operator asks of an editor first: neighbours moved, seconds to a fix, memory at 10,000 edits, and what a restart forgets.

All four are worked out from what a run has measured (`result.json`), so that any run that is kept has them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Final

MANY: Final = 10_000
"""Edits for which a memory is reckoned."""

NEIGHBOURS: Final = (
    "near_locality", "image_locality", "specificity_out",
    "same_wording", "same_old_value", "other_relation", "other_on_picture", "shown", "picture_of_new",
)  # fmt: skip
"""Kinds of probes that lie next to an edit and must stay: something else in the same words, or something else of the same thing."""


TITLES: Final = ("neighbours moved, %", "seconds to fix", f"MB at {MANY:,} edits", "the same after a restart, %")


@dataclass(frozen=True)
class Upkeep:
    """The four figures of one run, or their means over several."""

    moved: float | None
    """The share of probes next to an edit that changed, each probe counting once; None where none was asked."""

    seconds: float | None
    """From a correction's arrival to its being in force, the guard's questions included; the median. None where none was kept."""

    memory_bytes: float | None
    """What the state takes on a disk at `MANY` edits, if they take as much as those of the run did; None where it isn't known."""

    forgotten: float | None
    """The share of edits' own questions that a session begun anew from the log answers otherwise; None where none was begun."""


def upkeep(result: Mapping[str, Any]) -> Upkeep:
    """The figures of a run.

    Args:
        result: what a `result.json` holds.
    """
    cost, last = result["cost"], result["horizons"][-1]
    near = [rate for kind, rate in last["rates"].items() if kind in NEIGHBOURS and rate["rate"] is not None]
    asked = sum(rate["n"] for rate in near)
    kept = last["edits"] - last["refused"]
    restart = result.get("restart")
    return Upkeep(
        moved=1 - sum(rate["rate"] * rate["n"] for rate in near) / asked if asked else None,
        seconds=(cost["write_ms"]["median"] + cost["guard_ms"]["median"]) / 1000 if kept else None,
        memory_bytes=_at_many(cost, kept),
        forgotten=1 - restart["same"] / restart["asked"] if restart and restart["asked"] else None,
    )


def _at_many(cost: Mapping[str, Any], edits: int) -> float | None:
    """The state's size if further edits take as much as these; of tensors that stay as large as they are, what comes beside them.

    On a disk a tensor has no zeros at its end, so that one of fixed size takes more with the first edits and then no more.
    """
    first, last, tensors = cost.get("snapshot_first_bytes"), cost["snapshot_bytes"], cost["state_bytes"]
    if first is None or edits < 2:
        return None
    if tensors["first"] == tensors["last"] and not tensors.get("fills"):
        first, last = max(first, tensors["last"]), max(last, tensors["last"])
    grown: float = last + max(0.0, (last - first) / (edits - 1)) * (MANY - edits)
    return grown


def mean(several: Sequence[Upkeep]) -> Upkeep:
    """Of several runs, figure by figure; one that some run doesn't have is None."""

    def of(values: Sequence[float | None]) -> float | None:
        there = [value for value in values if value is not None]
        return fmean(there) if there and len(there) == len(values) else None

    return Upkeep(
        of([one.moved for one in several]),
        of([one.seconds for one in several]),
        of([one.memory_bytes for one in several]),
        of([one.forgotten for one in several]),
    )


def said(one: Upkeep) -> tuple[str, str, str, str]:
    """The figures as they are printed, in the order of `TITLES`; "-" for what isn't known."""
    return (
        "-" if one.moved is None else f"{100 * one.moved:.1f}",
        "-" if one.seconds is None else f"{one.seconds:.2g}",
        "-" if one.memory_bytes is None else f"{one.memory_bytes / 1e6:,.1f}",
        "-" if one.forgotten is None else f"{100 * (1 - one.forgotten):.0f}",
    )
