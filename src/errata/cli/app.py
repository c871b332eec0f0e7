"""The program: its commands put together, and the one place where an error becomes a sentence and an exit code.

Exit codes: 0 done; 1 the model refused the edit, a check of a model wasn't passed, a proof or a rule doesn't hold, or an audit
found something that faded or leaks; 2 the input or the store can't be used, nothing was changed; 3 an import met bad records and
kept the good ones.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import version
from types import MappingProxyType
from typing import Annotated

import typer

from errata.cli._print import complain, say
from errata.core.errors import ErrataError


def _bench() -> typer.Typer:
    from errata.cli.bench import build, fgv, keys, machine, stream

    stream.app.command("scopeworld-fgv")(fgv.scopeworld)
    stream.app.command("fgvedit")(fgv.published)
    stream.app.command("build-fgv")(build.build)
    stream.app.command("cost")(machine.cost)
    stream.app.command("keys")(keys.keys)
    stream.app.command("memory")(machine.memory)
    stream.app.command("store")(machine.store)
    return stream.app


def _table() -> typer.Typer:
    from errata.cli.table import costs, decided, editors, fgv, fusions, odedit, transfer

    editors.app.command("fgvedit-1")(fgv.first)
    editors.app.command("fgvedit-2")(fusions.second)
    editors.app.command("fgvedit-3")(transfer.third)
    editors.app.command("fgvedit-4")(costs.costs)
    editors.app.command("fgvedit-figure-4")(decided.fourth)
    editors.app.command("odedit")(odedit.odedit)
    return editors.app


def _edit() -> typer.Typer:
    from errata.cli.edit import back, edits, files

    edits.app.command("revert")(back.revert)
    edits.app.command("restore")(back.restore)
    edits.app.command("import")(files.import_)
    edits.app.command("export")(files.export)
    return edits.app


def _log() -> typer.Typer:
    from errata.cli.log import read, write

    read.app.command("alias")(write.alias)
    read.app.command("erase-image")(write.erase_image)
    return read.app


def _model() -> typer.Typer:
    from errata.cli.model import merge, models

    models.app.command("merge")(merge.merge)
    return models.app


def _scope() -> typer.Typer:
    from errata.cli import scope

    return scope.app


GROUPS: Mapping[str, Callable[[], typer.Typer]] = MappingProxyType(
    {
        name: cache(made)
        for name, made in (
            ("bench", _bench),
            ("table", _table),
            ("edit", _edit),
            ("log", _log),
            ("model", _model),
            ("scope", _scope),
        )
    }
)
"""Commands that have commands of their own."""


def _version(asked: bool) -> None:
    if asked:
        say(f"errata {version('errata')}")
        raise typer.Exit


def _whole(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which version this is.")
    ] = False,
) -> None:
    """Keep a deployed multimodal language model correct by applying online edits, and take each of them back."""


@cache
def program(first: str = "") -> typer.Typer:
    """The program; where its first word is a group, only that group is in it: making all takes longer than showing a log."""
    app = typer.Typer(
        name="errata",
        help="Keep a deployed multimodal language model correct by applying online edits, and take each of them back.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,  # plain help: brackets in it are words, not markup
    )
    app.callback()(_whole)
    if first not in GROUPS:
        from errata.cli import ask, audit, config, rebase, train
        from errata.cli.bench import stream

        for name, command in (
            ("demo", stream.demo),
            ("train", train.train),
            ("ask", ask.ask),
            ("audit", audit.audit),
            ("rebase", rebase.rebase),
            ("config", config.config),
        ):
            app.command(name)(command)
    for name in (first,) if first in GROUPS else GROUPS:
        app.add_typer(GROUPS[name](), name=name)
    return app


def main() -> None:
    """Run the program on the arguments of the process, and exit."""
    # Threads that spin while they wait cost small models twenty times what they bring; torch reads this when it is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        program(sys.argv[1] if len(sys.argv) > 1 else "")()
    except ErrataError as error:
        complain(str(error))
        sys.exit(2)
    except OSError as error:
        complain(f"{error.filename or 'A file'}: {error.strerror or error}. Check the path, its permissions and the space left.")
        sys.exit(2)
