"""The program: its commands put together, and the one place where an error becomes a sentence and an exit code.

Exit codes: 0 done; 1 the model refused the edit, a check of a model wasn't passed, a proof or a rule doesn't hold, or an audit
found something that faded or leaks; 2 the input or the store can't be used, nothing was changed; 3 an import met bad records and
kept the good ones.
"""

from __future__ import annotations

import os
import sys

import typer

from errata.cli import (
    ask,
    audit,
    bench,
    bench_build,
    bench_fgv,
    edit,
    edit_back,
    edit_files,
    log,
    log_writes,
    model,
    rebase,
    scope,
    table,
    table_fgv,
    train,
)
from errata.cli._print import complain
from errata.core.errors import ErrataError

app = typer.Typer(
    name="errata",
    help="Keep a deployed multimodal language model correct by applying online edits, and take each of them back.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: brackets in it are words, not markup
)
app.command("demo")(bench.demo)
app.command("train")(train.train)
app.command("ask")(ask.ask)
app.command("audit")(audit.audit)
app.command("rebase")(rebase.rebase)
bench.app.command("scopeworld-fgv")(bench_fgv.scopeworld)
bench.app.command("fgvedit")(bench_fgv.published)
bench.app.command("build-fgv")(bench_build.build)
table.app.command("fgvedit-1")(table_fgv.first)
edit.app.command("revert")(edit_back.revert)
edit.app.command("import")(edit_files.import_)
edit.app.command("export")(edit_files.export)
log.app.command("alias")(log_writes.alias)
log.app.command("erase-image")(log_writes.erase_image)
app.add_typer(bench.app, name="bench")
app.add_typer(table.app, name="table")
app.add_typer(edit.app, name="edit")
app.add_typer(log.app, name="log")
app.add_typer(model.app, name="model")
app.add_typer(scope.app, name="scope")


def main() -> None:
    """Run the program on the arguments of the process, and exit."""
    # Threads that spin while they wait cost small models twenty times what they bring; torch reads this when it is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        app()
    except ErrataError as error:
        complain(str(error))
        sys.exit(2)
    except OSError as error:
        complain(f"{error.filename or 'A file'}: {error.strerror or error}. Check the path, its permissions and the space left.")
        sys.exit(2)
