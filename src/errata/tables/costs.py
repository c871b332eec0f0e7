"""What a scoped editor costs beside its base model (FGVEdit's Table 4): bytes and time of base, scope and who is told the edit.

What was seen of a picture is kept by models and encoders, so each part is put the question with a copy of the picture that is new
to it: the scope's time is that of its decision, encoding included, with all edits in memory; the base's is that of its own answer;
the counterfactual's is that of the answer with the edit told, to a question in scope. Every system is asked the same questions, one
after the other in one process.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any, Final

from PIL.PngImagePlugin import PngInfo

from errata.core.counted import counted
from errata.core.editor import Editor, Weighs
from errata.core.errors import BadInput
from errata.core.images import Image
from errata.core.model import Model
from errata.core.progress import Progress
from errata.core.records import Edit, Message, Query
from errata.measure.figures import csv_text, write_texts
from errata.nn.patches import Handed, NoPatch, Rewrite
from errata.report.bars import Bar, bars
from errata.tables.decided import Decides

NAME: Final = "fgvedit-4"

COLUMNS: Final = (
    "model", "system", "part", "parameters", "bytes", "milliseconds", "share_of_bytes", "share_of_time", "questions", "memory",
)  # fmt: skip

HEADER: Final = ("model", "system", "part", "parameters", "MB", "% of MB", "ms a question", "% of ms")
"""The columns of what is shown."""

PARTS: Final = ("base", "scope", "counterfactual")


@dataclass(frozen=True)
class Part:
    """One part of a system on a model."""

    name: str
    """One of `PARTS`."""

    parameters: int
    size: int
    """Bytes of its weights; 0 for a counterfactual that is the base itself."""

    milliseconds: float
    """The median over the questions."""


@dataclass(frozen=True)
class Costs:
    """One system on one model."""

    model: str
    system: str
    parts: tuple[Part, ...]
    edits: int
    """Edits in memory, and questions, one about each."""

    def share(self, part: Part, of: str) -> float:
        """What a part takes of all three; `of`: "size" or "milliseconds"."""
        return float(getattr(part, of)) / sum(float(getattr(each, of)) for each in self.parts)


def measure(
    label: str,
    model: Model,
    system: str,
    editor: Editor[Any],
    asked: Sequence[tuple[Edit, Query]],
    progress: Progress,
) -> Costs:
    """Bytes and times of an editor with a scope, all edits in memory at once.

    Args:
        asked: edits, each with a question in its scope other than its own.

    Raises:
        BadInput: the editor has no scope, or takes no question to be in scope, so that nobody is told anything.
    """
    if not isinstance(editor, Decides):
        raise BadInput(f"{system} has no scope that decides. Name an editor with one, such as told, serac or mscke.")
    scope, state = editor.decider(), editor.begin(model)
    for edit, _ in asked:
        state = editor.write(model, state, edit)
    took: dict[str, list[float]] = {name: [] for name in PARTS}
    other: Model | None = None
    for place, (_, query) in enumerate(asked):
        progress(f"{system}: questions", place, len(asked))
        bare, read, told = (copied(query, f"{system}, question {place}, {name}") for name in PARTS)
        patch = _timed(took["scope"], editor.read, model, state, read)
        _timed(took["base"], model.answers, [bare], [NoPatch()])
        if patch.edits:
            patch = replace(patch, query=_with_pictures(patch.query, told)) if isinstance(patch, Handed | Rewrite) else patch
            _timed(took["counterfactual"], model.answers, [told], [patch])
            other = patch.speaker if isinstance(patch, Handed) else None
    if not took["counterfactual"]:
        raise BadInput(f"{system} takes none of {len(asked)} questions to be about an edit, so no answer with an edit was timed.")
    weights = {
        "base": (model.parameters, model.size),
        "scope": (scope.parameters, scope.size) if isinstance(scope, Weighs) else (0, 0),
        "counterfactual": (0, 0) if other is None else (other.parameters, other.size),
    }
    parts = tuple(Part(name, *weights[name], median(took[name])) for name in PARTS)
    return Costs(label, system, parts, len(asked))


def copied(query: Query, mark: str) -> Query:
    """The query with each picture as other bytes: the same pixels, and a mark in the file."""
    new = {image.digest: _marked(image, mark) for image in query.images}
    return _mapped(query, new)


def _with_pictures(told: Query, other: Query) -> Query:
    """What is told, with the pictures of another query in their order."""
    return _mapped(told, {old.digest: new for old, new in zip(told.images, other.images, strict=True)})


def _mapped(query: Query, pictures: Mapping[str, Image]) -> Query:
    messages = (
        Message(said.role, tuple(pictures[part.digest] if isinstance(part, Image) else part for part in said.parts))
        for said in query.messages
    )
    return Query(tuple(messages))


def _marked(image: Image, mark: str) -> Image:
    told, file = PngInfo(), io.BytesIO()
    told.add_text("Comment", mark)
    image.pixels().save(file, format="PNG", pnginfo=told)
    return Image.of(file.getvalue())


def write_table(folder: Path, found: Sequence[Costs]) -> tuple[Path, ...]:
    """Write fgvedit-4.csv, .md and .svg.

    Raises:
        OSError: a file can't be written.
    """
    texts = {"csv": as_csv(found), "md": as_markdown(found), "svg": as_figure(found)}
    return write_texts(folder, NAME, texts)


def as_csv(found: Sequence[Costs]) -> str:
    """A line for each model, system and part."""
    lines: list[Sequence[object]] = []
    for each in found:
        for part in each.parts:
            shares = (each.share(part, "size"), each.share(part, "milliseconds"))
            numbers = (part.parameters, part.size, part.milliseconds, *shares)
            lines.append((each.model, each.system, part.name, *numbers, each.edits, each.edits))
    return csv_text(COLUMNS, lines)


def rows(found: Sequence[Costs]) -> list[tuple[str, ...]]:
    """What is shown of each part: model, system, part, parameters, MB and its share, milliseconds and its share."""
    return [
        (
            each.model,
            each.system,
            part.name,
            f"{part.parameters:,}",
            f"{part.size / 1e6:.1f}",
            f"{100 * each.share(part, 'size'):.1f}",
            f"{part.milliseconds:.1f}",
            f"{100 * each.share(part, 'milliseconds'):.1f}",
        )
        for each in found
        for part in each.parts
    ]


def headline(found: Sequence[Costs]) -> str:
    """What the figures are of, in a line."""
    return f"scopeworld-fgv, {counted(found[0].edits, 'edit')} in memory, median of {found[0].edits} questions"


def as_markdown(found: Sequence[Costs]) -> str:
    """A row for each part."""
    lines = [f"# {NAME}", "", headline(found), "", f"| {' | '.join(HEADER)} |", "|---|---|---|" + "---:|" * 5]
    lines += [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows(found)]
    note = "A counterfactual without bytes is the base, told or written to. The scope's time is its decision, encoding included."
    return "\n".join([*lines, "", note]) + "\n"


def as_figure(found: Sequence[Costs]) -> str:
    """A panel for each model and system: what each part takes of bytes and of time."""
    panels = {
        f"{each.model}, {each.system}": {
            what: [Bar(part.name, each.share(part, of), None, None) for part in each.parts]
            for what, of in (("bytes", "size"), ("time", "milliseconds"))
        }
        for each in found
    }
    return bars(f"{NAME}: {headline(found)}", panels, PARTS, key="bar: share of what all three take")


def _timed(took: list[float], call: Callable[..., Any], *given: Any) -> Any:
    started = time.perf_counter()
    made = call(*given)
    took.append(1000 * (time.perf_counter() - started))
    return made


def questions(cases: Sequence[Any]) -> list[tuple[Edit, Query]]:
    """Of each case the edit, and one question in its scope in other words."""
    return [(case.edit, next(probe.query for probe in case.probes if probe.kind == "text_generality")) for case in cases]


def measure_all(
    models: Mapping[str, Callable[[], Model]],
    editors: Callable[[], Mapping[str, Editor[Any]]],
    asked: Sequence[tuple[Edit, Query]],
    progress: Progress,
) -> list[Costs]:
    """Every editor on every model, one model at a time.

    Args:
        editors: gives them anew for each model, with encoders that have seen nothing yet.
    """
    found = []
    for label, load in models.items():
        made, model = editors(), load()
        found += [measure(label, model, system, editor, asked, progress) for system, editor in made.items()]
    return found
