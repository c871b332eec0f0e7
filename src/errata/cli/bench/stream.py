"""`errata bench` and `errata demo`: stream a benchmark's edits through editors, write the figures and a report, print a table."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from errata.cli._open import model_at, tools_at
from errata.cli._options import DEFAULT_EDITOR, DEFAULT_MODEL, Device, Dtype, DtypeName, ModelName
from errata.cli._print import Show, percent, say, table, watched
from errata.core.counted import counted
from errata.core.errors import BadInput, quoted

if TYPE_CHECKING:
    from errata.core.benchmark import Stream
    from errata.core.editor import Editor, Tools
    from errata.core.model import Model
    from errata.measure.evaluate import Baseline
    from errata.measure.results import Horizon, Rate, Run

DEMO_EDITORS = ("none", "finetune", "scopeedit:preset=paper", "scopeedit:preset=more", "scopeedit", DEFAULT_EDITOR)
DEMO_HORIZONS = (1, 25)
BENCHMARK = "scopeworld-stream"

_CLASSES = ("proper", "under", "over", "entangled", "unreliable")

app = typer.Typer(
    help="Measure editors on a benchmark: what was learned, what it spread to, what it broke. And what they cost on this machine.",
    no_args_is_help=True,
)

Editors = Annotated[
    list[str] | None,
    typer.Option(
        "--editor",
        help=f"NAME, NAME:FIELD=VALUE,... or FILE.py:CLASS; several times to compare. Not given: {DEFAULT_EDITOR}, or "
        "of Atlas what suits the model.",
    ),
]
Out = Annotated[Path | None, typer.Option("--out", help="Folder for the figures and the report. Not given: out/BENCHMARK.")]

Edits = Annotated[int, typer.Option("--edits", min=1, help="How many edits are streamed.")]

Horizons = Annotated[
    str | None,
    typer.Option(
        "--horizons", help="After how many edits all so far are asked again: 1,10,50. Not given: 1,10,50,100,... and the last."
    ),
]

Jobs = Annotated[
    int,
    typer.Option(
        "--jobs", min=1, help="Editors that run at a time, each in a process with a model of its own. 1: each is timed alone."
    ),
]


@app.command(BENCHMARK)
def stream(
    editor: Editors = None,
    model: ModelName = DEFAULT_MODEL,
    edits: Edits = 200,
    horizons: Horizons = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Draws edits, scenes and wordings.")] = 7,
    probes: Annotated[
        str,
        typer.Option(
            "--probes", help="usual, or more: negations, wrong values, namesakes, typos, capitals beside, each in a row of its own."
        ),
    ] = "usual",
    out: Out = None,
    device: Device = "cpu",
    dtype: Dtype = "auto",
    jobs: Jobs = 1,
) -> None:
    """Stream corrections of facts through one or more editors and measure what was learned, what it spread to and what it broke.

    Writes result.json and result.csv for each editor, and one report.html. The same command gives the same rates.

    \b
    Examples:
      errata bench scopeworld-stream --editor codebook --edits 200 --horizons 1,10,50,100,200 --seed 7 --out out/run
      errata bench scopeworld-stream --editor none --editor finetune:where=vision --edits 50
      errata bench scopeworld-stream --editor mine.py:Mine --edits 20
      errata bench scopeworld-stream --editor codebook --edits 30 --seed 101 --probes more
    """
    wanted = Wanted(horizons_of(horizons, edits), edits, seed, {} if probes == "usual" else {"probes": probes})
    _run(tuple(editor or (DEFAULT_EDITOR,)), wanted, out or Path("out") / BENCHMARK, Where(model, device, dtype, jobs))


def demo(
    edits: Annotated[int, typer.Option("--edits", min=1, help="How many edits are streamed through each editor.")] = 200,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Draws edits, scenes and wordings.")] = 7,
    out: Annotated[Path, typer.Option("--out", help="Folder for the figures and the report.")] = Path("out/demo"),
    device: Device = "cpu",
    jobs: Annotated[
        int | None, typer.Option("--jobs", min=1, help="Editors that run at a time. Not given: as many as there are cores for.")
    ] = None,
) -> None:
    """Stream the same corrections through no editor, fine-tuning, ScopeEdit as published, M-ORE, ScopeEdit and the codebook.

    \b
    Examples:
      errata demo
      errata demo --edits 20 --out out/quick
    """
    from errata.measure.side_by_side import jobs_for

    _run(
        DEMO_EDITORS,
        Wanted(_up_to(edits, DEMO_HORIZONS), edits, seed),
        out,
        Where(DEFAULT_MODEL, device, "auto", jobs or jobs_for(device)),
    )


@dataclass(frozen=True)
class Wanted:
    """What is to be run."""

    horizons: tuple[int, ...]
    edits: int
    seed: int
    asked: Mapping[str, str] = field(default_factory=dict)
    """What else was asked of the benchmark, as its results say it."""


class Where(NamedTuple):
    """The model of a run, and how many editors run at a time."""

    model: str
    device: str
    dtype: DtypeName
    jobs: int


def _run(names: Sequence[str], wanted: Wanted, out: Path, where: Where) -> None:
    from errata.benchmarks.scopeworld.stream import ScopeWorldStream

    editors = editors_named(names)  # wrong names are told before anything is loaded or drawn
    stream = ScopeWorldStream(seed=wanted.seed, edits=wanted.edits, probes=wanted.asked.get("probes", "usual"))
    run_all(editors, partial(streamed, stream, wanted), out, where=where, seed=wanted.seed)


def streamed(
    stream: Stream, wanted: Wanted, model: Model, editor: Editor[Any], text: str, baseline: Baseline, progress: Show
) -> Run:
    """An editor's run of a stream; `partial` takes the first two of these for `run_all`."""
    from errata.measure.evaluate import run_stream

    made = run_stream(
        model,
        editor,
        stream,
        horizons=wanted.horizons,
        seed=wanted.seed,
        edits=wanted.edits,
        progress=progress,
        baseline=baseline,
        asked=text,
    )
    return replace(made, benchmark={**made.benchmark, **wanted.asked})


def editors_named(texts: Sequence[str]) -> dict[str, Editor[Any]]:
    """The editors of a comparison, by the texts that name them; `run_all` hands them what they name.

    Raises:
        Unknown, BadInput: a wrong name or field, or one named twice.
    """
    from errata.session import registry

    editors = {text: registry.editor(text) for text in texts}
    if len(editors) < len(texts):
        raise BadInput("An editor is named twice. Name each once, or give its fields other values.")
    return editors


def run_all(
    editors: Mapping[str, Editor[Any]],
    run: Callable[[Model, Editor[Any], str, Baseline, Show], Run],
    out: Path,
    *,
    where: Where,
    seed: int,
) -> None:
    """Run every editor, write the figures of each as soon as they are known, then the report, and print a table.

    Args:
        editors: by the texts that name them.
        run: a run of an editor, which a text names, on a model; a function of a module or a `partial` of one, so that other
            processes can be handed it.
        seed: of the report's gallery.
    """
    from errata.measure.figures import folder_of, write_csv, write_json
    from errata.report.run import write_report

    found: dict[str, Run] = {}
    with closing(_each(editors, run, where, out)) as coming:
        for text, made in coming:
            found[text] = made
            # Saved as soon as it is known: a comparison that is stopped later keeps what it has.
            folder = out if len(editors) == 1 else out / folder_of(text)
            write_json(folder / "result.json", made)
            write_csv(folder / "result.csv", [made])
    runs = {text: found[text] for text in editors}
    if len(editors) > 1:
        write_csv(out / "result.csv", list(runs.values()))
    report = write_report(out / "report.html", list(runs.values()), seed=seed)
    _print(runs)
    say(f"figures: {out}")
    say(f"report: {report}")


@dataclass(frozen=True)
class _Desk:
    """What runs need in one process: the model, what its editors name, and the unedited answers, each asked for once."""

    model: Model
    tools: Tools
    baseline: Baseline

    @staticmethod
    def at(where: Where) -> _Desk:
        from errata.measure.evaluate import Baseline

        model = model_at(where.model, device=where.device, dtype=where.dtype)
        return _Desk(model, tools_at(device=where.device, dtype=where.dtype), Baseline(model))

    def equipped(self, editor: Editor[Any]) -> Editor[Any]:
        from errata.session.ready import equipped

        return equipped(editor, self.tools)


_OneRun = Callable[["Model", "Editor[Any]", str, "Baseline", Show], "Run"]


def _each(editors: Mapping[str, Editor[Any]], run: _OneRun, where: Where, out: Path) -> Generator[tuple[str, Run]]:
    """The runs as they end. What an editor names and can't be had is told before any of them runs, and so is a folder."""
    jobs, desk = min(where.jobs, len(editors)), _Desk.at(where)
    ready = {text: desk.equipped(editor) for text, editor in editors.items()}
    out.mkdir(parents=True, exist_ok=True)
    if jobs > 1:
        del desk, ready  # each process has a model of its own
        yield from _at_a_time(jobs, where, list(editors), run)
        return
    for text, editor in ready.items():
        with watched(text) as progress:
            made = run(desk.model, editor, text, desk.baseline, progress)
        yield text, made


def _at_a_time(jobs: int, where: Where, texts: Sequence[str], run: _OneRun) -> Generator[tuple[str, Run]]:
    from errata.measure.side_by_side import side_by_side

    work = partial(_ran, run)
    with (
        watched(f"{jobs} at a time") as progress,
        closing(side_by_side(texts, opened=partial(_Desk.at, where), work=work, jobs=jobs, progress=progress)) as coming,
    ):
        for text, made in coming:
            yield text, replace(made, cost=replace(made.cost, at_a_time=jobs))


def _ran(run: _OneRun, desk: _Desk, text: str, progress: Show) -> Run:
    from errata.session import registry

    return run(desk.model, desk.equipped(registry.editor(text)), text, desk.baseline, progress)


def horizons_of(text: str | None, edits: int) -> tuple[int, ...]:
    """The horizons that were asked for, or 1, 10, 50, 100, 200, 500, ... up to the last edit."""
    if text is None:
        steps = (1, 10, *(base * 10**power for power in range(1, 7) for base in (5, 10, 20)))
        return _up_to(edits, steps)
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and int(part) >= 1 for part in parts):
        raise BadInput(f"The horizons {quoted(text)} aren't numbers of edits. Write positive whole numbers with commas: 1,10,50.")
    found = tuple(sorted({int(part) for part in parts}))
    if found[-1] > edits:
        raise BadInput(f"The horizon {found[-1]} is beyond the last edit, {edits}. Leave it out, or stream more with --edits.")
    return found


def _up_to(edits: int, steps: Sequence[int]) -> tuple[int, ...]:
    """Those steps that lie before the last edit, and the last edit."""
    return tuple(sorted({step for step in steps if step < edits} | {edits}))


def _print(runs: dict[str, Run]) -> None:
    """The last horizon: a row for each kind of probe and each class, a column for each editor."""
    last: dict[str, Horizon] = {text: run.horizons[-1] for text, run in runs.items()}
    first = next(iter(last.values()))
    beside = [h.exact for h in last.values() if h.exact]  # of a benchmark with a matcher of its own
    none = [""] * len(beside)
    rows = [
        (kind, *(percent(_rate(h.rates, kind)) for h in last.values()), *(percent(_rate(exact, kind)) for exact in beside))
        for kind in first.rates
    ]
    rows += [(f"class: {name}", *(percent(h.classes[name].rate) for h in last.values()), *none) for name in (*_CLASSES, "strict")]
    rows.append(("refused edits", *(str(h.refused) for h in last.values()), *none))
    rows.append(("write, ms", *(f"{_write_ms(run):.0f}" for run in runs.values()), *none))
    how = str(next(iter(runs.values())).protocol["matcher"]) if beside else "exact match"
    say(f"{_after(first.edits, runs)}: share of probes that met their expectation (%), answers generated, {how}")
    columns = (*last, *(f"{text}, exact" for text, h in last.items() if h.exact))
    table(("", *columns), rows, numbers=columns)
    together = max(run.cost.at_a_time for run in runs.values())
    if together > 1:
        say(f"{together} ran at a time, so a write's milliseconds are of shared cores; --jobs 1 times each alone")


def _after(edits: int, runs: dict[str, Run]) -> str:
    held = "memory" in next(iter(runs.values())).protocol
    return f"{counted(edits, 'edit')} in memory at a time" if held else f"after {counted(edits, 'edit')}"


def _rate(rates: Mapping[str, Rate], kind: str) -> float | None:
    return rates[kind].rate if kind in rates else None


def _write_ms(run: Run) -> float:
    ordered = sorted(run.cost.write_ms)
    return ordered[len(ordered) // 2] if ordered else 0.0
