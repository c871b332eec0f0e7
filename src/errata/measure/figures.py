"""The figures files: `result.json` for one run, one CSV with a row for each editor, horizon and probe kind, and where they go."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from errata.measure.kinds import known
from errata.measure.labels import labels
from errata.measure.results import Run

COLUMNS = ("editor", "edits", "kind", "protocol", "rate", "n")
"""The columns of the CSV. `protocol` is "generated" or "teacher_forced", and "exact" beside them where "generated" is by a matcher
of the benchmark's own; `rate` is in [0, 1], and empty where n is 0."""


def write_json(path: Path, run: Run) -> Path:
    """Write one run's figures as UTF-8 JSON, indented by two; the layout is `Run.to_json`. Folders are made as needed.

    Raises:
        ValueError: a figure is NaN or infinite.
        OSError: the file can't be written.
    """
    text = json.dumps(run.to_json(), indent=2, ensure_ascii=False, allow_nan=False)
    return write_text(path, text + "\n")


def write_csv(path: Path, runs: Sequence[Run]) -> Path:
    """Write the rates of every run, editors in the given order, horizons ascending, generated before teacher-forced.

    Raises:
        OSError: the file can't be written.
    """
    rates_of = [
        (label, horizon.edits, protocol, rates)
        for run, label in zip(runs, labels(runs), strict=True)
        for horizon in run.horizons
        for protocol, rates in (("generated", horizon.rates), ("teacher_forced", horizon.teacher_forced), ("exact", horizon.exact))
    ]
    lines = [
        (label, edits, kind.name, protocol, "" if (rate := rates[kind.name]).rate is None else repr(rate.rate), rate.n)
        for label, edits, protocol, rates in rates_of
        for kind in known(rates)
    ]
    return write_text(path, csv_text(COLUMNS, lines))


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A CSV with plain newlines: the columns, then a line for each row."""
    text = io.StringIO(newline="")
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(columns)
    lines.writerows(rows)
    return text.getvalue()


def write_texts(folder: Path, stem: str, texts: Mapping[str, str]) -> tuple[Path, ...]:
    """Write a table in several forms: suffix -> text, as `write_text` does.

    Raises:
        OSError: a file can't be written.
    """
    return tuple(write_text(folder / f"{stem}.{suffix}", text) for suffix, text in texts.items())


def folder_of(name: str) -> str:
    """A folder's name for an editor's: `scopeedit:preset=paper` -> `scopeedit-preset-paper`, with + and - told apart."""
    return re.sub(r"[^A-Za-z0-9._]+", "-", name.replace(" + ", " with ").replace(" - ", " without ")).strip("-.") or "editor"


def write_text(path: Path, text: str) -> Path:
    """Write a text as UTF-8 with plain newlines. Folders are made as needed.

    Raises:
        OSError: the file can't be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")
    return path
