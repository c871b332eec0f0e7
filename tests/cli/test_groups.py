"""A group of options among a command's parameters: spread out for the program, put together for the command."""

from dataclasses import dataclass
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from errata.cli._groups import Options, grouped


@dataclass(frozen=True)
class Where(Options):
    store: Annotated[str, typer.Option("--store", help="Which.")] = "a.db"
    branch: Annotated[str, typer.Option("--branch")] = "main"


@dataclass(frozen=True)
class By(Options):
    author: Annotated[str | None, typer.Option("--author")] = None


def program():
    app = typer.Typer()

    @app.command()
    @grouped
    def show(
        name: Annotated[str, typer.Argument()],
        last: Annotated[int, typer.Option("--last")] = 3,
        by: By = By(),  # noqa: B008  frozen
        where: Where = Where(),  # noqa: B008  frozen
        loud: Annotated[bool, typer.Option("--loud")] = False,
    ) -> None:
        """Show."""
        typer.echo(f"{name} {last} {by} {where} {loud}")

    return app


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["x"], "x 3 By(author=None) Where(store='a.db', branch='main') False"),
        (["x", "--store", "b.db", "--loud", "--author", "ann"], "x 3 By(author='ann') Where(store='b.db', branch='main') True"),
    ],
)
def test_the_command_is_called_with_the_group_of_what_was_given(words, said):
    done = CliRunner().invoke(program(), words)
    assert done.output.strip() == said


def test_the_options_stand_in_the_help_where_the_group_stands():
    shown = CliRunner().invoke(program(), ["--help"]).output
    places = [shown.index(name) for name in ("--last", "--author", "--store", "--branch", "--loud")]
    assert places == sorted(places)
