"""The reader of command lines in pages finds them, and sees what is wrong with one."""

from typing import Annotated

import pytest
import typer

from tools.commands import claims, commands, complaint


@pytest.fixture(scope="module")
def known():
    app, edit = typer.Typer(), typer.Typer()
    app.add_typer(edit, name="edit")

    @app.command()
    def ask(prompt: str, image: Annotated[list[str] | None, typer.Option()] = None, quiet: bool = False):
        """Ask."""

    @edit.command()
    def add(target: Annotated[str, typer.Option()], force: Annotated[bool, typer.Option("--force", "-f")] = False):
        """Add."""

    @edit.command()
    def show(ids: list[str]):
        """Show."""

    return commands(app)


def test_commands_are_found_in_blocks_and_spans_with_their_lines():
    block = "$ errata edit add \\\n    --target x\n.venv/bin/errata edit show 1\nls"
    page = f"Use `errata ask x`.\n\n```sh\n{block}\n```\n\nnot errata ask\n"
    assert list(claims(page)) == [
        (1, "errata ask x", False),
        (4, "errata edit add --target x", True),
        (6, "errata edit show 1", True),
    ]


@pytest.mark.parametrize(
    "words",
    [
        "errata ask 'what is it?' --image a.png --image b.png",
        "errata ask what --quiet | head",
        "errata edit add --target=x -f  # comment",
        "errata edit show a b c",
        "errata edit --help",
        "errata --help",
        "errata edit add --help",
    ],
)
def test_a_true_command_line_passes(known, words):
    assert complaint(words, known) is None


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("errata sing", "no command errata sing"),
        ("errata edit sing", "no command errata edit sing"),
        ("errata edit", None),
        ("errata ask", "0 arguments where it takes 1"),
        ("errata ask a b", "2 arguments where it takes 1"),
        ("errata ask a --loud", "no option --loud"),
        ("errata ask a --image", "--image needs a value"),
        ("errata edit add", "--target missing"),
        ("errata edit show", "0 arguments where it takes 1 to any number"),
    ],
)
def test_a_false_command_line_is_named_with_its_fault(known, words, why):
    assert complaint(words, known) == why


@pytest.mark.parametrize(
    ("words", "why"), [("errata ask", None), ("errata edit add", None), ("errata ask --loud", "no option --loud")]
)
def test_a_command_named_in_a_sentence_may_leave_arguments_out(known, words, why):
    assert complaint(words, known, whole=False) == why
