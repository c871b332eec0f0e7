"""What the erasing of an image concerns: the edits and branches that name it, and the other files that show the same pixels."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass

from errata.core.errors import BadImage, BadInput, LogError, Unknown
from errata.core.records import EditId
from errata.log.edit_log import EditLog

_SHOWN = 12


@dataclass(frozen=True)
class Concerned:
    """Found by reading alone; nothing is changed by it."""

    image: str
    """The digest of the image that was named."""

    pixels: str | None
    """The digest of what it shows (`Image.shown`); None where it can't be decoded."""

    taken: tuple[str, ...]
    """What is to be erased: it, and where that was asked for the other files of the branch that show the same pixels."""

    left: tuple[str, ...]
    """Those other files, where they stay."""

    elsewhere: tuple[tuple[str, str], ...]
    """Files with these pixels that other branches alone name: branch and digest. They are erased there."""

    edits: tuple[EditId, ...]
    """The edits in force that need one of `taken`, in their order."""


def concerned(log: EditLog, named: str, *, alike: bool) -> Concerned:
    """What the erasing of an image concerns.

    Args:
        log: of the branch where the edits are in force.
        named: the image's digest, or its first digits.
        alike: whether the branch's other files that show the same pixels are to be erased with it.

    Raises:
        Unknown: no edit of the branch names such an image.
        BadInput: several fit.
        LogError: it is erased already.
    """
    naming = _naming(log)
    found = sorted(digest for digest in naming if named and digest.startswith(named))
    if not found:
        raise Unknown("image of an edit on this branch", named, ())
    if len(found) > 1:
        raise BadInput(f"{named!r} fits {len(found)} images: {', '.join(digest[:_SHOWN] for digest in found)}. Give more digits.")
    (image,) = found
    if log.store.blobs.get(image) is None:
        raise LogError(f"The image {image[:_SHOWN]} is erased already. Nothing was changed.")
    pixels = _pixels(log, image)
    others = tuple(sorted(_showing(log, pixels, set(naming) - {image})))
    taken = (image, *others) if alike else (image,)
    wanted = {edit for digest in taken for edit in naming[digest]}
    return Concerned(
        image,
        pixels,
        taken,
        () if alike else others,
        _elsewhere(log, pixels, set(naming)),
        tuple(edit for edit in log.ids_in_force() if edit in wanted),
    )


def branches_naming(log: EditLog, images: Collection[str]) -> dict[str, tuple[str, ...]]:
    """The other branches whose entries name one of the images -> which; none of them may need it.

    Raises:
        LogError: an edit in force there needs one.
    """
    found = {}
    for branch in _others(log):
        other = log.on(branch)
        naming = _naming(other)
        named = tuple(image for image in images if image in naming)
        standing = set(other.ids_in_force())
        for image in named:
            if naming[image] & standing:
                raise LogError(
                    f"An edit in force on branch {branch!r} needs the image {image[:_SHOWN]}. Nothing was changed. Revert it there "
                    f"first (errata edit revert --branch {branch})."
                )
        if named:
            found[branch] = named
    return found


def _others(log: EditLog) -> list[str]:
    return [branch for branch in log.branches() if branch != log.branch]


def _naming(log: EditLog) -> Mapping[str, set[EditId]]:
    """Every image that the branch's edits name -> those edits."""
    found: dict[str, set[EditId]] = {}
    for entry in log.entries():
        for digest in entry.image_digests():
            if entry.edit_id is not None:
                found.setdefault(digest, set()).add(entry.edit_id)
    return found


def _elsewhere(log: EditLog, pixels: str | None, known: Collection[str]) -> tuple[tuple[str, str], ...]:
    named = ((branch, _naming(log.on(branch))) for branch in _others(log))
    return tuple((branch, image) for branch, naming in named for image in sorted(_showing(log, pixels, set(naming) - set(known))))


def _showing(log: EditLog, pixels: str | None, images: Collection[str]) -> list[str]:
    """Of these images, the ones that show the pixels; those that are gone or can't be decoded show nothing."""
    return [image for image in images if pixels is not None and _pixels(log, image) == pixels]


def _pixels(log: EditLog, image: str) -> str | None:
    with suppress(BadImage):
        return log.image(image).shown(log.decoder)
    return None
