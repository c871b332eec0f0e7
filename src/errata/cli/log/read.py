"""`errata log`: what happened, and whether it is still what was written. Nothing here needs a model or torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from errata.cli._groups import grouped
from errata.cli._open import log_to_read, log_to_write
from errata.cli._options import AsJson, By, Turn, Where
from errata.cli._print import complain, note, say, say_json
from errata.cli.log.listed import Offset, Which, paged, show_rows, sizes_in
from errata.core.counted import counted
from errata.core.errors import BadInput, Tampered
from errata.log.listing import entries

if TYPE_CHECKING:
    from errata.log.checkpoint import Checkpoint
    from errata.log.survey import Survey

app = typer.Typer(help="Read and verify the log of everything that was done, and prove it to others.", no_args_is_help=True)

NOT_PROVEN = 1
"""Exit code: a proof doesn't hold, or a signature isn't there or isn't that of the key."""

Kept = Annotated[Path | None, typer.Option("--checkpoint", help="A checkpoint's file that was kept elsewhere.")]
PublicKey = Annotated[
    Path | None, typer.Option("--public-key", help="The public key (PEM) by which the checkpoint must be signed.")
]
Out = Annotated[Path | None, typer.Option("--out", help="Write it to this new file, for whoever keeps or checks it.")]


@app.command()
@grouped
def show(
    last: Annotated[int, typer.Option("--last", "--limit", min=1, help="How many entries, counted from the end.")] = 20,
    start: Annotated[
        int | None, typer.Option("--from", min=1, help="Begin with this entry instead, and show `--last` of them.")
    ] = None,
    offset: Offset = 0,
    which: Which = Which(),
    where: Where = Where(),
    as_json: AsJson = False,
) -> None:
    """Show entries of the log, oldest first: all, or those that fit. What is asked of an edit is asked of the one they are about.

    \b
    Examples:
      errata log show
      errata log show --last 5 --json
      errata log show --from 1 --last 100 --store corrections.db
      errata log show --author ann --since 2026-11-01 --text harbor
      errata log show --status reverted --image scene.png --limit 50 --offset 50
    """
    if start is not None and offset:
        raise BadInput("Both --from and --offset say where to begin. Give one of them.")
    which = which.checked()
    with log_to_read(where) as log:
        page = entries(log, which.sought(log), limit=last, offset=offset, start=start)
        if as_json:
            for one in page.rows:
                say_json(one.entry.to_json())  # what its hash covers, and no more
            return
        show_rows(sizes_in(log), page.rows, kinds=True)
        note(f"{paged(page, 'entry', 0 if start is not None else offset)} on branch {where.branch}")


@app.command()
@grouped
def verify(
    head: Annotated[
        str | None,
        typer.Option("--head", help="A head that was kept elsewhere (ENTRY:HASH, or the hash): finds a log that was cut short."),
    ] = None,
    checkpoint: Kept = None,
    public_key: PublicKey = None,
    where: Where = Where(),
) -> None:
    """Recompute every hash, the chain, every image and every checkpoint; the first entry that isn't what was written is named.

    With a head or a checkpoint that was kept elsewhere, a log that was cut short or rewritten whole is found too. Exits with 1 when
    `--public-key` is given and no checkpoint is signed by it.

    \b
    Examples:
      errata log verify
      errata log verify --head 17:0f3c... --store corrections.db
      errata log verify --checkpoint kept.json --public-key log-key.pub
    """
    from errata.cli.log.proofs import read_checkpoint
    from errata.log.signing import available, read_public_key
    from errata.log.survey import Survey

    kept = None if checkpoint is None else read_checkpoint(checkpoint)
    key = None if public_key is None else read_public_key(public_key)
    with log_to_read(where) as log:
        count = log.verify(head)
        survey = Survey.of(log)
        if kept is not None:
            survey.check(kept)
        if available():
            survey.check_signatures()
        elif any(found.signature for found in survey.recorded.values()):
            note("Signatures weren't checked. To check them: pip install 'errata[sign]'")
        say(f"Verified {counted(count, 'entry')} on branch {where.branch}: every hash, the chain, every image.")
        if survey.recorded:
            say(f"checkpoints {len(survey.recorded)}, the newest over {counted(max(survey.recorded), 'entry')}")
        if kept is not None:
            say(f"The first {counted(kept.size, 'entry')} are those of {checkpoint}.")
        if key is not None:
            _say_signed(key, [kept] if kept is not None else list(survey.recorded.values()))
        newest = log.head
        if newest is not None:
            say(f"head {newest.mark}")
            note("Keep the head elsewhere: `errata log verify --head` with it finds a log that was cut short.")


@app.command()
@grouped
def checkpoint(
    sign: Annotated[Path | None, typer.Option("--sign", help="Sign it with this private key (PEM, Ed25519).")] = None,
    out: Out = None,
    by: By = By(),
    turn: Turn = Turn(),
    where: Where = Where(),
    as_json: AsJson = False,
) -> None:
    """Append a checkpoint over everything in the log, and give it to be kept elsewhere.

    A checkpoint is the size of the log and one hash over all of it. Whoever keeps it can later have proved that an entry was in the
    log, and that nothing was rewritten since.

    \b
    Examples:
      errata log checkpoint --out kept.json
      errata log checkpoint --sign log-key.pem --out kept.json --author "night job"
    """
    from errata.cli.log.proofs import check_free, give
    from errata.log.signing import read_key
    from errata.log.survey import checkpoint as append

    given, key = by.provenance, None if sign is None else read_key(sign)
    check_free(out)
    with log_to_write(where, turn) as log:
        entry, made = append(log, given, key=key)
    give(made, out, as_json=as_json)
    note(f"It is entry {entry.seq} of branch {where.branch}. Keep it where whoever can change the store can't.")


@app.command()
@grouped
def prove(
    entry: Annotated[int, typer.Argument(help="The number of the entry.", min=1)],
    at: Annotated[int | None, typer.Option("--at", help="Prove it for the head over so many entries.", min=1)] = None,
    checkpoint: Kept = None,
    out: Out = None,
    where: Where = Where(),
    as_json: AsJson = False,
) -> None:
    """Prove that an entry is in the log: for a checkpoint that somebody keeps, or for the newest one in the log that covers it.

    Where no checkpoint covers the entry, it is proved for the log as it stands. The proof holds the entry and a few hashes;
    `errata log check-proof` checks it without the store.

    \b
    Examples:
      errata log prove 17 --out entry-17.json
      errata log prove 17 --checkpoint kept.json --out entry-17.json
      errata log prove 17 --at 20 --json
    """
    from errata.cli.log.proofs import check_free, give, read_checkpoint
    from errata.log.survey import Survey

    if at is not None and checkpoint is not None:
        raise BadInput("Both --at and --checkpoint say which head the entry is proved for. Give one of them.")
    kept = None if checkpoint is None else read_checkpoint(checkpoint)
    check_free(out)
    with log_to_read(where) as log:
        survey = Survey.of(log)
        if kept is not None:
            survey.check(kept)
        proof = survey.inclusion(entry, kept or (survey.newest(entry) if at is None else survey.head(at)))
    give(proof, out, as_json=as_json)


@app.command()
@grouped
def consistent(
    head1: Annotated[str, typer.Argument(help="The older head: a checkpoint's file, or a number of entries.")],
    head2: Annotated[str, typer.Argument(help="The newer head: a checkpoint's file, or a number of entries.")],
    out: Out = None,
    where: Where = Where(),
    as_json: AsJson = False,
) -> None:
    """Prove that one head of the log grew into another: nothing was rewritten, taken out or put between.

    Exits with 1 when it didn't: the log isn't the one that a checkpoint was taken of, or was rewritten or cut short since.

    \b
    Examples:
      errata log consistent kept.json today.json --out growth.json
      errata log consistent 17 20
    """
    from errata.cli.log.proofs import check_free, give
    from errata.log.survey import Survey

    check_free(out)
    with log_to_read(where) as log:
        survey = Survey.of(log)
        proof = survey.consistency(_head(survey, head1), _head(survey, head2))
    if fault := proof.fault():
        _not_proven(fault)
    give(proof, out, as_json=as_json)


@app.command("check-proof")
def check_proof(
    file: Annotated[Path, typer.Argument(help="A proof of inclusion or consistency, or a signed checkpoint.")],
    checkpoint: Kept = None,
    public_key: PublicKey = None,
) -> None:
    """Check a proof. Nothing is needed but the file: no store, no model.

    A proof leads to the head that is named in it. Give the checkpoint that you kept, or the public key of the log's owner, to know
    that this head is the log's. Exits with 1 when the proof doesn't hold.

    \b
    Examples:
      errata log check-proof entry-17.json --checkpoint kept.json
      errata log check-proof growth.json --public-key log-key.pub
    """
    from errata.cli.log.proofs import compared, give, read_checkpoint, read_proof, signature_fault
    from errata.log.checkpoint import Checkpoint, Consistency
    from errata.log.signing import read_public_key

    found = read_proof(file)
    kept = None if checkpoint is None else read_checkpoint(checkpoint)
    key = None if public_key is None else read_public_key(public_key)
    heads = (
        [found]
        if isinstance(found, Checkpoint)
        else [found.first, found.second]
        if isinstance(found, Consistency)
        else [found.checkpoint]
    )
    fault = "" if isinstance(found, Checkpoint) else found.fault()
    if isinstance(found, Checkpoint) and found.signature is None and kept is None:
        fault = "the checkpoint isn't signed, so there is nothing in it to check"
    fault = fault or ("" if kept is None else compared(heads, kept)) or signature_fault(heads, key, kept)
    if fault:
        _not_proven(f"{file}: {fault}")
    say(f"{file} holds.")
    give(found, None, as_json=False)
    if kept is None and key is None:
        note("Only a checkpoint that you kept, or its owner's key, tells that this head is the log's: --checkpoint, --public-key.")


@app.command()
def key(
    file: Annotated[Path, typer.Argument(help="The new file for the private key; readable by its owner alone.")],
) -> None:
    """Make an Ed25519 key that signs checkpoints: the private one to a new file, the public one to standard output.

    \b
    Examples:
      errata log key log-key.pem > log-key.pub
    """
    from errata.log.signing import make_key

    say(make_key(file).rstrip())
    note(f"{file} is the private key: keep it from whoever can change the store. Above is the public key, for whoever checks.")


def _head(survey: Survey, name: str) -> Checkpoint:
    """The head that a word of the command line names; a checkpoint in a file must be one of this log."""
    from errata.cli.log.proofs import read_checkpoint, signature_fault

    if name.isdecimal() and len(name) < 19:
        return survey.head(int(name))
    kept = read_checkpoint(Path(name))
    try:
        survey.check(kept)
    except Tampered as error:
        _not_proven(f"{name} isn't a head of this log: {error.why}")
    if fault := signature_fault([kept], None):
        _not_proven(f"{name}: {fault}")
    return kept


def _say_signed(key: bytes, checkpoints: list[Checkpoint]) -> None:
    """Say how far the signatures of a key reach, or that there are none."""
    by_key = [found.size for found in checkpoints if not found.signature_fault(key)]
    if not by_key:
        _not_proven("no checkpoint is signed by that key")
    say(f"signed by that key: {len(by_key)}, the newest over {counted(max(by_key), 'entry')}")


def _not_proven(why: str) -> NoReturn:
    complain(f"Not proven: {why}.")
    raise typer.Exit(NOT_PROVEN)
