"""Checkpoints and proofs as files, and what is said about them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from errata.cli._print import fields, note, say, say_json
from errata.core.canonical import JSON
from errata.core.counted import counted
from errata.core.errors import BadInput
from errata.log.checkpoint import Checkpoint, Consistency, Inclusion, from_json
from errata.log.signing import available

_LARGEST_FILE_BYTES: Final = 1 << 26


def read_proof(path: Path) -> Checkpoint | Inclusion | Consistency:
    """The checkpoint or proof in a file.

    Raises:
        BadInput: the file can't be read, or holds neither.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST_FILE_BYTES + 1)
    except OSError as error:
        raise BadInput(f"{path} can't be read: {error.strerror or error}. Check the path and its permissions.") from None
    if len(data) > _LARGEST_FILE_BYTES:
        raise BadInput(f"{path} is too large to be a checkpoint or a proof. Check the path.")
    try:
        return from_json(json.loads(data))
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from None
    except (ValueError, RecursionError):
        raise BadInput(f"{path} isn't JSON, so it's neither a checkpoint nor a proof. Give the file as errata wrote it.") from None


def read_checkpoint(path: Path) -> Checkpoint:
    """The checkpoint in a file.

    Raises:
        BadInput: the file can't be read, or holds none.
    """
    found = read_proof(path)
    if not isinstance(found, Checkpoint):
        raise BadInput(f"{path} is a proof, not a checkpoint. Give a file that `errata log checkpoint --out` wrote.")
    return found


def check_free(path: Path | None) -> None:
    """Make sure, before anything is done, that a file can be made there; one that is there is never overwritten.

    Raises:
        BadInput: it can't.
    """
    if path is None:
        return
    if path.exists():
        raise BadInput(f"There is a file {path} already; what was kept isn't overwritten. Name another with --out.")
    if not path.parent.is_dir():
        raise BadInput(f"{path} can't be written: there is no folder {path.parent}. Make it first.")


def give(found: Checkpoint | Inclusion | Consistency, out: Path | None, *, as_json: bool) -> None:
    """Write a checkpoint or proof to its new file, and show it as JSON or in words."""
    if out is not None:
        _write(out, found.to_json())
    if as_json:
        say_json(found.to_json())
        return
    fields(_words(found))
    if out is not None:
        say(f"written to {out}")


def compared(heads: Sequence[Checkpoint], kept: Checkpoint) -> str:
    """Why the heads of a proof aren't those of a checkpoint that was kept; "" where they are.

    Raises:
        BadInput: the proof is about other heads, so that nothing can be said.
    """
    same = [head for head in heads if (head.origin, head.size) == (kept.origin, kept.size)]
    if not same:
        about = " and ".join(f"{counted(head.size, 'entry')} of {head.origin}" for head in heads)
        raise BadInput(
            f"This is about {about}; the checkpoint covers {counted(kept.size, 'entry')} of {kept.origin}. Get a proof for it anew."
        )
    return (
        ""
        if all(head.same_head(kept) for head in same)
        else f"the root over {counted(kept.size, 'entry')} isn't that of the kept checkpoint"
    )


def signature_fault(heads: Sequence[Checkpoint], public_key: bytes | None, kept: Checkpoint | None = None) -> str:
    """Why the heads of a proof aren't signed as they should be; "" where they are.

    The last head must be signed by the given key: a smaller head follows from it by the proof. A signature is checked wherever
    there is one. A kept checkpoint stands for the same head in the proof, which may have been proved for it unsigned.
    """
    for place, head in enumerate(heads, start=1):
        best = kept if kept is not None and kept.signature is not None and kept.same_head(head) else head
        wanted = public_key if place == len(heads) else None
        if wanted is None and best.signature is None:
            continue
        if wanted is None and not available():
            note("A signature is there and wasn't checked. To check it: pip install 'errata[sign]'")
            continue
        if fault := best.signature_fault(wanted):
            return fault
    return ""


def _words(found: Checkpoint | Inclusion | Consistency) -> dict[str, str]:
    match found:
        case Checkpoint():
            signer = "" if found.signature is None else found.signature.public_key.hex()
            return {"origin": found.origin, "size": str(found.size), "root": found.root.hex(), "signed by": signer}
        case Inclusion():
            entry = found.entry
            return {
                "entry": f"{entry.seq}: {entry.kind}, {entry.time}, by {entry.by.author}",
                "is among": f"the {counted(found.checkpoint.size, 'entry')} of {found.checkpoint.origin}",
                "root": found.checkpoint.root.hex(),
                "path": _counted(found.path),
            }
        case Consistency():
            return {
                "the first": f"{counted(found.first.size, 'entry')}, root {found.first.root.hex()}",
                "are of the": f"{counted(found.second.size, 'entry')}, root {found.second.root.hex()}",
                "in": found.second.origin,
                "path": _counted(found.path),
            }


def _counted(path: Sequence[bytes]) -> str:
    return f"{len(path)} hash{'' if len(path) == 1 else 'es'}"


def _write(path: Path, value: JSON) -> None:
    """A new file, whole or not at all."""
    with path.open("x", encoding="utf-8") as file:
        try:
            file.write(json.dumps(value, ensure_ascii=False, sort_keys=True, indent=2) + "\n")
            file.flush()
        except OSError:
            path.unlink()
            raise
