"""The pages say what is true: commands exist, links lead somewhere, every command is written about, every example runs."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools.commands import claims, commands, complaint

ROOT = Path(__file__).parent.parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
EXAMPLES = sorted(ROOT.glob("examples/*.py"))
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)[^)]*\)")
HEADING = re.compile(r"^#{1,6} +(.*)$", re.MULTILINE)

has_program = importlib.util.find_spec("errata.cli") is not None
needs_program = pytest.mark.skipif(not has_program, reason="errata.cli isn't there yet")


@pytest.fixture(scope="module")
def program():
    from errata.cli.app import program

    return commands(program())


def anchor(heading: str) -> str:
    """The fragment that a heading is linked by."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def broken_links(page: Path) -> list[str]:
    text = re.sub(r"^(```|~~~).*?^\1", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    broken = []
    for target in LINK.findall(text):
        name, _, fragment = target.partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        file = (page.parent / name) if name else page
        anchors = (
            {anchor(heading) for heading in HEADING.findall(file.read_text(encoding="utf-8"))}
            if file.suffix == ".md" and file.exists()
            else set()
        )
        if not file.exists() or (fragment and file.suffix == ".md" and fragment not in anchors):
            broken.append(target)
    return broken


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_relative_link_leads_somewhere(page):
    assert broken_links(page) == []


@needs_program
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_command_on_a_page_exists(page, program):
    found = claims(page.read_text(encoding="utf-8"))
    wrong = {f"line {line}: {words}": complaint(words, program, whole=whole) for line, words, whole in found}
    assert {words: why for words, why in wrong.items() if why} == {}


@needs_program
def test_every_command_is_written_about_outside_the_generated_reference(program):
    pages = [page for page in PAGES if "reference" not in page.parts]
    written = {claim.words for page in pages for claim in claims(page.read_text(encoding="utf-8"))}
    silent = [path for path in program if not any(words.split()[1 : 1 + len(path)] == list(path) for words in written)]
    assert [" ".join(path) for path in silent] == []


@needs_program
def test_every_command_explains_itself_with_an_example(program):
    assert [" ".join(path) for path, command in program.items() if f"errata {' '.join(path)}" not in command.help] == []


@needs_program
def test_every_example_in_a_commands_help_can_be_typed(program):
    examples = [line.strip().removeprefix("$ ") for command in program.values() for line in command.help.splitlines()]
    wrong = {line: complaint(line, program) for line in examples if line.startswith("errata ")}
    assert {words: why for words, why in wrong.items() if why} == {}


@needs_program
def test_every_option_says_what_it_does(program):
    silent = [
        (" ".join(path), option.names[0])
        for path, command in program.items()
        for option in (*command.options, *command.arguments)
        if not option.help
    ]
    assert silent == []


@needs_program
def test_the_generated_reference_is_fresh():
    from tools.reference import stale

    assert [path.name for path in stale()] == [], "run: make docs"


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_every_example_runs(example, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTHONWARNINGS": "error"}
    done = subprocess.run(
        [sys.executable, str(example)], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr


PYTHON_BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)


def test_the_readmes_python_is_five_lines_at_most_and_runs(tmp_path):
    (snippet,) = PYTHON_BLOCK.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    assert len([line for line in snippet.splitlines() if line.strip()]) <= 5
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTHONWARNINGS": "error"}
    done = subprocess.run(
        [sys.executable, "-c", snippet], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.returncode, done.stdout) == (0, "applied the old pier\n"), done.stderr
