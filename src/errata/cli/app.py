"""The program: its commands put together, and the one place where an error becomes a sentence and an exit code.

Exit codes: 0 done; 1 the model refused the edit, a check of a model wasn't passed, a proof or a rule doesn't hold, or an audit
found something that faded or leaks; 2 the input or the store can't be used, nothing was changed; 3 an import met bad
records and kept the good ones, or a file of questions had rows that can't be asked, and the others were answered.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from types import MappingProxyType
from typing import Annotated

import typer

from errata.cli._print import complain, say
from errata.core.errors import ErrataError
from errata.log.stores.places import FarAway

Command = Callable[..., None]

_SHOWN = warnings.formatwarning


def _bench() -> Mapping[str, Command]:
    from errata.cli.bench import atlas, build, fgv, keys, machine, pictures

    return {
        "atlas-stream": atlas.atlas_stream,
        "atlas-words": atlas.atlas_words,
        "scopeworld-fgv": fgv.scopeworld,
        "fgvedit": fgv.published,
        "build-fgv": build.build,
        "cost": machine.cost,
        "keys": keys.keys,
        "memory": machine.memory,
        "pictures": pictures.pictures,
        "store": machine.store,
    }


def _table() -> Mapping[str, Command]:
    from errata.cli.table import atlas, costs, decided, fgv, fusions, odedit, transfer

    return {
        "atlas-stream": atlas.atlas_stream,
        "atlas-words": atlas.atlas_words,
        "fgvedit-1": fgv.first,
        "fgvedit-2": fusions.second,
        "fgvedit-3": transfer.third,
        "fgvedit-4": costs.costs,
        "fgvedit-figure-4": decided.fourth,
        "odedit": odedit.odedit,
    }


def _edit() -> Mapping[str, Command]:
    from errata.cli.edit import back, files

    return {"revert": back.revert, "restore": back.restore, "import": files.import_, "export": files.export}


def _log() -> Mapping[str, Command]:
    from errata.cli.log import report, write

    return {"alias": write.alias, "rule": write.rule, "erase-image": write.erase_image, "report": report.report}


def _model() -> Mapping[str, Command]:
    from errata.cli.model import convert, inspect, merge, tune

    return {
        "merge": merge.merge,
        "inspect": inspect.inspect,
        "verify": inspect.verify,
        "build": inspect.build,
        "tune": tune.tune,
        "convert-minigpt4": convert.convert_minigpt4,
    }


def _no_more() -> Mapping[str, Command]:
    return {}


GROUPS: Mapping[str, tuple[str, Callable[[], Mapping[str, Command]]]] = MappingProxyType(
    {
        "bench": ("errata.cli.bench.stream", _bench),
        "table": ("errata.cli.table.editors", _table),
        "edit": ("errata.cli.edit.edits", _edit),
        "log": ("errata.cli.log.read", _log),
        "model": ("errata.cli.model.models", _model),
        "scope": ("errata.cli.scope", _no_more),
        "key": ("errata.cli.key", _no_more),
        "export": ("errata.cli.export", _no_more),
    }
)
"""Commands that have commands of their own -> the module whose `app` holds the first of them, and what gives the others."""

ALONE: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "demo": ("errata.cli.bench.stream", "demo"),
        "train": ("errata.cli.train", "train"),
        "ask": ("errata.cli.ask", "ask"),
        "serve": ("errata.cli.serve", "serve"),
        "proxy": ("errata.cli.proxy.proxy", "proxy"),
        "audit": ("errata.cli.audit", "audit"),
        "rebase": ("errata.cli.rebase", "rebase"),
        "config": ("errata.cli.config", "config"),
    }
)
"""Commands that stand alone -> where each is."""


def _group(name: str, second: str = "") -> typer.Typer:
    """A group; where its second word is one of the first commands of it, the others aren't loaded."""
    module, others = GROUPS[name]
    app: typer.Typer = vars(import_module(module))["app"]
    named = {info.name or (info.callback.__name__ if info.callback else "") for info in app.registered_commands}
    if second not in named:
        for other, command in others().items():
            if other not in named:
                app.command(other)(command)
    return app


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version  # takes longer than all of a short command

        say(f"errata {version('errata')}")
        raise typer.Exit


def _whole(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which version this is.")
    ] = False,
) -> None:
    """Keep a deployed multimodal language model correct by applying online edits, and take each of them back."""


@cache
def program(first: str = "", second: str = "") -> typer.Typer:
    """The program; where its first words name a command, little else is in it: all of it takes longer than showing a log."""
    app = typer.Typer(
        name="errata",
        help="Keep a deployed multimodal language model correct by applying online edits, and take each of them back.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,  # plain help: brackets in it are words, not markup
    )
    app.callback()(_whole)
    known = first in ALONE or first in GROUPS
    for name, (module, command) in ALONE.items():
        if name == first or not known:
            app.command(name)(vars(import_module(module))[command])
    for name in GROUPS:
        if name == first or not known:
            app.add_typer(_group(name, second), name=name)
    return app


def _sentence(message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None) -> str:
    """A warning as it is printed: ours is for whoever runs the command, and needs no place in the code."""
    return f"{message}\n" if issubclass(category, FarAway) else _SHOWN(message, category, filename, lineno, line)


def main() -> None:
    """Run the program on the arguments of the process, and exit."""
    # Threads that spin while they wait cost small models twenty times what they bring; torch reads this when it is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    warnings.formatwarning = _sentence
    try:
        program(*sys.argv[1:3])()
    except ErrataError as error:
        complain(str(error))
        sys.exit(2)
    except OSError as error:
        complain(f"{error.filename or 'A file'}: {error.strerror or error}. Check the path, its permissions and the space left.")
        sys.exit(2)
