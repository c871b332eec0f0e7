"""`errata log alias`, `rule` and `erase-image`: the entries that are about the log itself rather than about one edit."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from errata.cli._groups import grouped
from errata.cli._open import log_to_read, log_to_write, session_to_ask, session_to_edit
from errata.cli._options import AsJson, By, Place, Turn, Where
from errata.cli._print import SHORT, say, say_json
from errata.cli._sure import Yes, check_sure
from errata.core.canonical import JSON
from errata.core.counted import counted
from errata.core.errors import BadInput, Unknown, quoted
from errata.core.given import words
from errata.core.records import instant
from errata.log.erasing import Concerned, concerned

if TYPE_CHECKING:
    from errata.log import EditLog
    from errata.session.takeback import Erased

TWO_PEOPLE = "two-people"
"""The rule's name."""

_ALIAS = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,63}")


@grouped
def alias(
    name: Annotated[str, typer.Argument(help="A name, such as release-3.")],
    point: Annotated[str, typer.Argument(help="An entry's number, another alias or a time; not given: the last entry.")] = "",
    by: By = By(),
    turn: Turn = Turn(),
    where: Where = Where(),
) -> None:
    """Name the state after an entry: `errata ask --at NAME` asks it, `errata edit revert --to NAME` goes back to it.

    \b
    Examples:
      errata log alias release-3
      errata log alias before-the-import 17 --author ann
    """
    if not _ALIAS.fullmatch(name):
        raise BadInput(f"{quoted(name)} can't be an alias. Use up to 64 letters, digits, '.', '_' or '-', starting with a letter.")
    given = by.provenance
    with log_to_read(where) as log:
        seq = _state(log, words(point, "point")) if point else len(log)
    with log_to_write(where, turn) as log:
        entry = log.append("aliased", None, given, details={"alias": name, "entry": seq})
    say(f"{name}: the state after entry {seq} (entry {entry.seq} says so)")


@grouped
def rule(
    name: Annotated[str, typer.Argument(help="two-people; not given: show what holds.")] = "",
    off: Annotated[bool, typer.Option("--off", help="End the rule.")] = False,
    by: By = By(),
    turn: Turn = Turn(),
    where: Where = Where(),
) -> None:
    """Say what the branch asks of whoever writes to it; the log keeps who said so.

    two-people: who proposed a correction can't approve it, and nothing is applied without a proposal and an approval. Taking back
    needs one person as before. A person is whom --author names.

    \b
    Examples:
      errata log rule
      errata log rule two-people --author ann --reason "the audit asks for it"
      errata log rule two-people --off --author bo
    """
    if name not in ("", TWO_PEOPLE):
        raise Unknown("rule of a branch", name, (TWO_PEOPLE,))
    if off and not name:
        raise BadInput(f"--off ends a rule. Name it: errata log rule {TWO_PEOPLE} --off")
    given = by.provenance
    with log_to_read(where) as log:
        held = log.two_people
        if not len(log):
            raise BadInput(
                f"Branch {where.branch!r} has no entry yet, so there is nothing to rule. Make its first correction before."
            )
    if not name or held != off:
        say(f"{TWO_PEOPLE}: {'on' if held else 'off'}{' already; nothing was changed' if name else ''}")
        return
    with log_to_write(where, turn) as log:
        entry = log.append("ruled", None, given, details={"two_people": not off})
    say(f"{TWO_PEOPLE}: {'off' if off else 'on'} (entry {entry.seq} says so)")


@grouped
def erase_image(
    image: Annotated[str, typer.Argument(help="The image's digest, or its first digits (at least 6).")],
    keep_effect: Annotated[
        bool, typer.Option("--keep-effect", help="Keep what the model learned from it; nothing before can then be replayed.")
    ] = False,
    alike: Annotated[bool, typer.Option("--alike", help="Erase the branch's other files that show the same pixels too.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be erased and reverted; change nothing.")] = False,
    yes: Yes = False,
    by: By = By(),
    turn: Turn = Turn(),
    place: Place = Place(),
    as_json: AsJson = False,
) -> None:
    """Erase an image for good: a person's right. The chain stays whole, for entries hold its digest alone.

    Edits in force that need it are reverted. With --keep-effect the state of now is pinned instead: every later replay starts
    there, and what came before can't be reverted or rebased any more. Snapshots are thrown away with it. It can't be undone, so
    it is asked first; --yes answers.

    The same picture may have come in other files, saved anew without a pixel changed: they are named, and --alike erases them too.

    \b
    Examples:
      errata log erase-image 3fa9c1 --dry-run
      errata log erase-image 3fa9c1 --alike --yes --author ann --reason "asked for by the person shown"
      errata log erase-image 3fa9c1 --keep-effect
    """
    wanted = words(image, "image").strip().lower()
    if not re.fullmatch(r"[0-9a-f]{6,64}", wanted):
        raise BadInput(
            f"{quoted(image)} isn't the digest of an image. Give 6 to 64 of its hexadecimal digits; `errata edit show` has them."
        )
    given = by.provenance
    with log_to_read(place.where) as log:  # before a model is loaded: is there such an image, and is it meant?
        about = concerned(log, wanted, alike=alike)
        if not dry_run:
            check_sure(_warned(about, keep_effect), yes)
    with session_to_ask(place) if dry_run else session_to_edit(place, turn) as session:
        from errata.session.takeback import erase_image as erase

        done = erase(session, about.image, given, keep_effect=keep_effect, alike=alike, dry_run=dry_run)
    flagged = 0 if dry_run else _forgotten(place, done.images)
    say_json({**_as_json(done, dry_run), "flagged": flagged}) if as_json else _show(done, dry_run)
    if flagged and not as_json:
        say(f"  {counted(flagged, 'flagged answer')} with it {'is' if flagged == 1 else 'are'} forgotten")


def _forgotten(place: Place, images: Sequence[str]) -> int:
    """How many answers were flagged in a server on this store that show one of the images; they are let go of."""
    from errata.serve.beside.opening import open_beside
    from errata.serve.recent import forget_pictures

    with closing(open_beside(place.where.at)) as beside:
        return forget_pictures(beside, images)


def _warned(about: Concerned, keep_effect: bool) -> str:
    """What will be gone, before it is."""
    images, edits = (", ".join(each[:SHORT] for each in named) for named in (about.taken, about.edits))
    fate = "keeping for good what was learned" if keep_effect else "reverting"
    return f"Erasing the image {images}" + (f", and {fate}: edit {edits}." if edits else ".")


def _as_json(done: Erased, dry_run: bool) -> dict[str, JSON]:
    return {
        "dry_run": dry_run,
        "image": done.image,
        "images": list(done.images),
        "reverted": [receipt.edit for receipt in done.reverted],
        "kept": list(done.kept),
        "branches": list(done.branches),
        "alike": list(done.left),
        "elsewhere": [{"branch": branch, "image": image} for branch, image in done.elsewhere],
    }


def _show(done: Erased, dry_run: bool) -> None:
    would = "would be " if dry_run else ""
    for image in done.images:
        say(f"image {image[:SHORT]} {would or 'is '}erased")
    for receipt in done.reverted:
        say(f"  edit {receipt.edit[:SHORT]} {would}reverted: {receipt.before!r} {would or 'is '}{receipt.after!r} again")
    for edit in done.kept:
        say(f"  edit {edit[:SHORT]} {'would keep' if dry_run else 'keeps'} its effect and can't be taken back")
    for other in done.branches:
        say(f"  branch {other} {'would say' if dry_run else 'says'} so too")
    for image in done.left:
        say(f"  image {image[:SHORT]} shows the same pixels and stays; --alike erases it too")
    for branch, image in done.elsewhere:
        say(f"  image {image[:SHORT]} on branch {branch} shows the same pixels and stays; erase it there")
    if dry_run:
        say("nothing was changed")


def _state(log: EditLog, point: str) -> int:
    """The entry that a name is to stand for.

    Raises:
        BadInput: it isn't one, or a time that is still to come: what the state will be then isn't known.
        LogError: there is no such entry.
    """
    seq, wanted = log.point(point), point.strip()
    is_time = wanted not in log.aliases() and not wanted.isdigit()
    if (
        is_time and seq == len(log) and instant(wanted) > datetime.now(UTC)
    ):  # before the last entry it's settled, whatever the clock says
        raise BadInput(
            f"The time {wanted} is still to come, so no state can be named by it. Give an entry's number or a time until now."
        )
    return seq
