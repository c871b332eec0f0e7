"""Short names for runs that stand side by side: as each was asked for, or by the fields that tell them apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

from errata.core.canonical import JSON
from errata.measure.results import Run

_TELLING = ("preset", "where")
"""Fields that say most about an editor, looked at first."""

_LONGEST = 24


def labels(runs: Sequence[Run]) -> tuple[str, ...]:
    """A short, distinct name for each run: as it was asked for, or the editor's with the fewest fields that tell runs apart."""
    asked = tuple(run.asked for run in runs)
    if all(asked) and len(set(asked)) == len(asked):
        return asked
    return tuple(_label(index, runs) for index in range(len(runs)))


def _label(index: int, runs: Sequence[Run]) -> str:
    run = runs[index]
    peers = [other for other in runs if other.editor.name == run.editor.name]
    if len(peers) == 1:
        return run.editor.name
    for names in _choices(peers):
        said = [tuple(_short(peer.editor.fields[name]) if name in peer.editor.fields else "-" for name in names) for peer in peers]
        if len(set(said)) == len(peers):
            mine = said[next(place for place, peer in enumerate(peers) if peer is run)]
            return f"{run.editor.name}:" + ",".join(f"{name}={value}" for name, value in zip(names, mine, strict=True))
    nth = 1 + sum(other.editor.name == run.editor.name for other in runs[:index])
    return f"{run.editor.name} #{nth}"


def _choices(peers: Sequence[Run]) -> Iterator[tuple[str, ...]]:
    fields = sorted({name for peer in peers for name in peer.editor.fields}, key=lambda name: (name not in _TELLING, name))
    usable = [name for name in fields if all(len(_short(peer.editor.fields.get(name))) <= _LONGEST for peer in peers)]
    varied = [name for name in usable if len({_short(peer.editor.fields.get(name)) for peer in peers}) > 1]
    for size in (1, 2):
        yield from combinations(varied, size)


def _short(value: JSON) -> str:
    return value if isinstance(value, str) else repr(value)
