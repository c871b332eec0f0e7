"""The page on a bad correction is true: each of its commands is run, in order, and does what the page says."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import inside  # noqa: F401  the fixture
from tools.commands import claims

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "docs" / "how-to" / "a-bad-correction.md"
FAILS = ("errata edit add", "ginger", "--dry-run")
"""The one command that the page says exits with 1."""


@pytest.fixture
def transcript(inside, tmp_path):  # noqa: F811
    """Every command of the page with what it left, run in a folder with the picture and the rules file."""
    shutil.copy(ROOT / "examples" / "scene.png", tmp_path)
    text = PAGE.read_text(encoding="utf-8")
    (tmp_path / "rules.yaml").write_text(text.split("```yaml\n")[1].split("```")[0], encoding="utf-8")
    left, bad = [], ""
    for line in (words for _, words, whole in claims(text) if whole):
        if "$BAD" in line and not bad:
            bad = json.loads(inside("edit", "list", "--json").out.splitlines()[-1])["edit"][:8]
        left.append((line, inside(*shlex.split(line.replace("$BAD", bad))[1:])))
    return left


def test_every_command_does_what_the_page_says(transcript):
    for line, done in transcript:
        expected = 1 if all(word in line for word in FAILS) else 0
        assert done.code == expected, f"{line}\n{done.out}\n{done.err}"
    said = [done.out.strip() for line, done in transcript if line.startswith("errata ask")]
    assert said[0] == "ginger"
    assert said[1] != "ginger"
    assert said[3] == said[1]
    tried = [done.out for line, done in transcript if line.startswith("errata edit revert") and "--dry-run" in line]
    assert len(tried) == 2
    assert all("nothing was changed" in out or "would be taken back" in out for out in tried)
    (refused,) = [done.out for line, done in transcript if all(word in line for word in FAILS)]
    assert "would refuse" in refused
    (entries,) = [done.out for line, done in transcript if line.startswith("errata log show --json")]
    kinds = [json.loads(entry)["kind"] for entry in entries.splitlines()]
    assert kinds == ["begun", "applied", "aliased", "applied", "reverted", "checkpointed"]
