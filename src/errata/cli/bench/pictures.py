"""`errata bench pictures`: which pictures of Atlas are on this machine, whose they are, and whether they are what they were."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from errata.cli import _print
from errata.cli._options import AsJson
from errata.cli._print import note, say, say_json, watched
from errata.core.errors import BadInput, quoted

if TYPE_CHECKING:
    from errata.benchmarks.atlas.pictures.picture import Picture
    from errata.benchmarks.atlas.pictures.table import Row
    from errata.core.canonical import JSON


def pictures(
    of: Annotated[
        str, typer.Option("--of", metavar="NAME", help="Only pictures with this in their names; each is shown by itself.")
    ] = "",
    attributions: Annotated[
        bool, typer.Option("--attributions", help="One line for each picture: what it shows, who made it, under which licence.")
    ] = False,
    sheet: Annotated[Path | None, typer.Option("--sheet", metavar="FILE", help="Draw the pictures on one PNG.")] = None,
    table: Annotated[
        Path | None,
        typer.Option("--table", metavar="FILE", help="Write the table of the pictures as they are here, tab-separated."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """The pictures of Atlas: how many are there, under which licences, and does each agree with the table that ships?

    They are read from Debian's packages, and none is in errata. A picture is "other than in the table" where its package is of
    another version, so that figures measured on it may differ a little. "gone" counts what the table has and this machine lacks.

    \b
    Examples:
      errata bench pictures
      errata bench pictures --of "Eiffel Tower" --sheet towers.png
      errata bench pictures --attributions
    """
    from errata.benchmarks.atlas.pictures.catalogue import every
    from errata.benchmarks.atlas.pictures.table import row, written

    listed = [each for each in every() if of.lower() in each.name.lower()]
    if not listed:
        raise BadInput(f"No picture has {quoted(of)} in its name. Run errata bench pictures --attributions to see all names.")
    rows = []
    with watched("pictures") as progress:
        for done, each in enumerate(listed):
            progress(each.collection, done, len(listed))
            rows.append(row(each))
    if sheet is not None:
        _draw(listed, sheet)
    if table is not None:
        _write(table, written(rows))
    if attributions:
        _attributed(rows, as_json=as_json)
    elif of:
        _each(rows, as_json=as_json)
    else:
        _collections(listed, rows, as_json=as_json)
    _further()


def _attributed(rows: Sequence[Row], *, as_json: bool) -> None:
    for row in rows:
        if as_json:
            say_json({"picture": row.key, "name": row.name, "licence": row.licence, "attribution": row.attribution})
        else:
            say(f"{row.key}: {row.name}; {row.attribution}; {row.licence}")


def _each(rows: Sequence[Row], *, as_json: bool) -> None:
    from errata.benchmarks.atlas.pictures.table import state

    if not as_json:
        _print.table(
            ("picture", "name", "licence", "digest", ""),
            [(row.key, row.name, row.licence, row.digest, state(row)) for row in rows],
        )
        return
    for row in rows:
        say_json({"picture": row.key, "name": row.name, "licence": row.licence, "digest": row.digest, "state": state(row)})


def _collections(listed: Sequence[Picture], rows: Sequence[Row], *, as_json: bool) -> None:
    from errata.benchmarks.atlas.pictures import table

    told = table.rows()
    here = {row.key for row in rows}
    shown = []
    for collection in dict.fromkeys(each.collection for each in listed):
        own = [row for row in rows if row.key.startswith(f"{collection}/")]
        states = Counter(table.state(row) for row in own)
        gone = sum(key.startswith(f"{collection}/") and key not in here for key in told)
        licences = Counter(row.licence for row in own)
        if as_json:
            counts: dict[str, JSON] = {state: states[state] for state in table.STATES}
            say_json({"collection": collection, "pictures": len(own), "licences": dict(licences), **counts, "gone": gone})
        said = ", ".join(f"{licence} {count}" if len(licences) > 1 else licence for licence, count in licences.most_common())
        shown.append((collection, str(len(own)), *(str(states[state]) for state in table.STATES), str(gone), said))
    if not as_json:
        numbers = ("pictures", *table.STATES, "gone")
        _print.table(("collection", *numbers, "licences"), shown, numbers=numbers)


def _further() -> None:
    """What else could be installed."""
    from errata.benchmarks.atlas.pictures import photographs, stamps
    from errata.benchmarks.atlas.pictures.packages import PHOTOGRAPHS, STAMPS, install

    missing = [name for name, room in ((PHOTOGRAPHS, photographs), (STAMPS, stamps)) if not room.there()]
    if missing:
        note(f"More pictures come with: {install(*missing)}")


def _draw(listed: Sequence[Picture], path: Path) -> None:
    from errata.benchmarks.atlas.pictures.sheet import sheet

    try:
        sheet(listed).save(path, "PNG")
    except OSError as error:
        raise BadInput(f"{path} can't be written: {error.strerror}. Name a file in a folder that is there.") from None


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadInput(f"{path} can't be written: {error.strerror}. Name a file in a folder that is there.") from None
