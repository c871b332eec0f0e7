"""`errata key`: who may ask a served model, correct it, and approve corrections."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from errata.cli._groups import grouped
from errata.cli._options import AsJson, Where
from errata.cli._print import note, say, say_json, table
from errata.core.counted import counted
from errata.core.errors import BadInput
from errata.core.given import words

if TYPE_CHECKING:
    from errata.serve.keys.stored import StoredKeys

app = typer.Typer(help="Make, list and revoke the keys of a served model.", no_args_is_help=True)

RoleName = Literal["ask", "propose", "approve", "admin"]


@app.command()
@grouped
def add(
    name: Annotated[str, typer.Argument(help="Whose key it is: the author of what is done with it.")],
    role: Annotated[
        RoleName, typer.Option("--role", help="What it may do, each what those before may: ask, propose, approve, admin.")
    ] = "ask",
    where: Where = Where(),
) -> None:
    """Make a key of a branch. Its secret is shown this once, on standard output; only a digest of it is kept, beside the store.

    ask: put questions, flag answers. propose: see the log, try and propose corrections. approve: apply, approve, take back. admin:
    keys.

    \b
    Examples:
      errata key add ann --role approve
      errata key add web-shop --role ask --branch shop --store errata.db
    """
    with _keys(where) as keys:
        secret = keys.add(words(name, "name"), role, where.branch)
    say(secret)
    note(f"A key of {name.strip()} ({role}, branch {where.branch}). It isn't shown again; send it as: Authorization: Bearer KEY")


@app.command("list")
@grouped
def list_(
    everything: Annotated[bool, typer.Option("--all", help="Of every branch.")] = False,
    where: Where = Where(),
    as_json: AsJson = False,
) -> None:
    """List the keys of a branch, without their secrets.

    \b
    Examples:
      errata key list
      errata key list --all --json
    """
    with _keys(where) as keys:
        found = keys.list(None if everything else where.branch)
    if as_json:
        for key in found:
            say_json(dict(key._asdict()))
        return
    if found:
        table(("key", "name", "role", "branch", "made (UTC)"), [tuple(key) for key in found])
    note(f"{counted(len(found), 'key')}{'' if everything else f' of branch {where.branch}'}")


@app.command()
@grouped
def revoke(
    key: Annotated[str, typer.Argument(help="The key's digits in `errata key list`, or the first of them (at least 4).")],
    where: Where = Where(),
) -> None:
    """Make a key nobody's, at once, in every server on the store.

    \b
    Examples:
      errata key revoke 3fa9c1d2
    """
    with _keys(where) as keys:
        gone = keys.revoke(words(key, "key"))
    say(f"revoked  {gone.id}, of {gone.name} ({gone.role}, branch {gone.branch})")


@contextmanager
def _keys(where: Where) -> Iterator[StoredKeys]:
    if where.nowhere:
        raise BadInput("Keys are kept beside a store. Name one: --store errata.db")
    from errata.serve.keys.opening import open_keys

    with closing(open_keys(where.at)) as keys:
        yield keys
