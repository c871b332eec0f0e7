"""How often scopes are right, by kind of question (FGVEdit's Figure 4): a decision for each pair of an edit and a question.

Nothing is answered: what is counted is whether rho is 0.5 or more exactly where the question is in the edit's scope. *Hard* pairs
are those that words alone leave open; they have rows of their own, and one each for all of them in scope and out of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, runtime_checkable

from errata.core.benchmark import FineGrained, Pair
from errata.core.counted import counted
from errata.core.editor import Scope
from errata.core.errors import BadInput
from errata.core.model import Model
from errata.core.progress import Progress
from errata.measure.figures import csv_text, write_texts
from errata.measure.trials import Trial, difference, trial_of
from errata.report.bars import Bar, bars

NAME: Final = "fgvedit-figure-4"

ALL_HARD: Final = ("hard", "hard, in scope", "hard, out of scope")
"""The rows over all hard pairs."""

COLUMNS: Final = ("benchmark", "edits", "seeds", "scope", "kind", "mean", "standard_error", "n")


@runtime_checkable
class Decides(Protocol):
    """An editor with a scope."""

    def decider(self) -> Scope:
        """What decides which edit a question is about."""
        ...


@dataclass(frozen=True)
class Decisions:
    """The scopes' figures over some seeds."""

    benchmark: str
    edits: int
    seeds: tuple[int, ...]
    trials: tuple[Trial, ...]
    """One for each scope: kind -> the share that is right, a value for each seed."""

    n: Mapping[str, int]
    """Kind -> pairs behind it, over all seeds."""


def fill(
    model: Model,
    editors: Mapping[str, Any],
    stream_of: Callable[[int], FineGrained],
    *,
    seeds: Sequence[int],
    edits: int,
    progress: Progress,
) -> Decisions:
    """Put every pair of each seed to every scope.

    Args:
        model: asked by scopes that see with it.
        editors: name -> an editor with a scope, handed what it names.

    Raises:
        BadInput: an editor has no scope, a seed is given twice, or a benchmark has fewer edits.
    """
    scopes: dict[str, Scope] = {}
    for name, editor in editors.items():
        if not isinstance(editor, Decides):
            raise BadInput(f"{name} has no scope that decides. Name an editor with one, such as told, serac or mscke.")
        scopes[name] = editor.decider()
    if not seeds or len(set(seeds)) < len(seeds):
        raise BadInput(f"Seeds must be given, each once; these are {list(seeds)}.")
    found: dict[str, list[dict[str, float]]] = defaultdict(list)
    n: dict[str, int] = defaultdict(int)
    for place, seed in enumerate(seeds):
        stream = stream_of(seed)
        count = min(edits, len(stream))
        right: dict[str, dict[str, list[bool]]] = {name: defaultdict(list) for name in scopes}
        for index in range(count):
            progress(f"seed {seed}", place * count + index, len(seeds) * count)
            pairs = stream.pairs(index)
            for name, scope in scopes.items():
                for pair, was_right in zip(pairs, decide(model, scope, pairs), strict=True):
                    for kind in _rows(pair):
                        right[name][kind].append(was_right)
        for name, kinds in right.items():
            found[name].append({kind: sum(each) / len(each) for kind, each in kinds.items()})
        for kind, each in next(iter(right.values())).items():
            n[kind] += len(each)
    trials = tuple(trial_of(name, runs) for name, runs in found.items())
    return Decisions(stream.name, count, tuple(seeds), trials, dict(sorted(n.items(), key=lambda item: _order(item[0]))))


def decide(model: Model, scope: Scope, pairs: Sequence[Pair]) -> Iterator[bool]:
    """Whether each decision is right, of the pairs of one edit, which is alone in memory."""
    edit = pairs[0].edit
    key_D = scope.key(model, edit.query, edit.target)
    for pair in pairs:
        rho = float(scope.rho(scope.key(model, pair.query), key_D[None])[0])
        yield (rho >= 0.5) == pair.in_scope


def write_table(folder: Path, found: Decisions) -> tuple[Path, ...]:
    """Write fgvedit-figure-4.csv, .md and .svg. Equal runs, equal bytes.

    Raises:
        OSError: a file can't be written.
    """
    texts = {"csv": as_csv(found), "md": as_markdown(found), "svg": as_figure(found)}
    return write_texts(folder, NAME, texts)


def headline(found: Decisions) -> str:
    """What the figures are of, in a line."""
    seeds = ", ".join(map(str, found.seeds))
    return f"{found.benchmark}, {counted(found.edits, 'edit')} of each seed, one in memory, seeds {seeds}: decisions that are right"


def said(found: Decisions, trial: Trial, kind: str) -> str:
    """A figure in percent with its standard error, and a star where it differs from the first scope's."""
    error = f" ± {100 * trial.error(kind):.1f}" if len(found.seeds) > 1 else ""
    star = trial is not found.trials[0] and difference(trial, found.trials[0], kind).counts
    return f"{100 * trial.mean(kind):.1f}{error}{'*' if star else ''}"


def as_csv(found: Decisions) -> str:
    """A line for each scope and kind."""
    seeds = " ".join(map(str, found.seeds))
    lines: list[Sequence[object]] = []
    for trial in found.trials:
        for kind, n in found.n.items():
            error = repr(trial.error(kind)) if len(found.seeds) > 1 else ""
            lines.append((found.benchmark, found.edits, seeds, trial.name, kind, repr(trial.mean(kind)), error, n))
    return csv_text(COLUMNS, lines)


def as_markdown(found: Decisions) -> str:
    """A row for each kind, a column for each scope."""
    names = [trial.name.replace("|", "\\|") for trial in found.trials]
    lines = [
        f"# {NAME}",
        "",
        f"{headline(found)}, %",
        "",
        f"| kind | n | {' | '.join(names)} |",
        "|---|---:|" + "---:|" * len(names),
    ]
    for kind, n in found.n.items():
        lines.append(f"| {kind} | {n} | {' | '.join(said(found, trial, kind) for trial in found.trials)} |")
    star = "A star: more than two standard errors from the first scope, over at least three seeds, seed by seed."
    return "\n".join([*lines, "", star]) + "\n"


def as_figure(found: Decisions) -> str:
    """A group of bars for each kind."""
    several = len(found.seeds) > 1
    groups = {
        kind: [Bar(trial.name, trial.mean(kind), trial.error(kind) if several else None, None) for trial in found.trials]
        for kind in found.n
    }
    title, names = f"{NAME}: {headline(found)}", [trial.name for trial in found.trials]
    return bars(title, {found.benchmark: groups}, names, key="bar: share of decisions that are right")


def _rows(pair: Pair) -> tuple[str, ...]:
    if not pair.hard:
        return (pair.kind,)
    return (f"{pair.kind}, hard", ALL_HARD[0], ALL_HARD[1 if pair.in_scope else 2])


def _order(kind: str) -> tuple[int, str]:
    return (ALL_HARD.index(kind) if kind in ALL_HARD else len(ALL_HARD), kind)
