"""The import contracts of pyproject.toml find an import that points up, sideways, or at what a room must not load."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent

PLANTED = [
    ("core/records.py", "import torch", "light"),
    ("log/__init__.py", "import torch", "light"),
    ("core/records.py", "import errata.log", "floors"),
    ("editors/none.py", "import errata.models", "floors"),
    ("engine/results.py", "import errata.cli", "floors"),
    ("editors/none.py", "import transformers", "transformers"),
    ("engine/results.py", "import rich", "screen"),
    ("spare/__init__.py", "", "floors"),
]


def lint(tree: Path, contract: str) -> int:
    """The exit code of one contract over a copy of the package."""
    load = f"import sys; sys.path.insert(0, {str(tree / 'src')!r})"
    program = f"{load}; from importlinter.cli import lint_imports_command; lint_imports_command()"
    command = [sys.executable, "-c", program, "--no-cache", "--no-logo", "--contract", contract]
    return subprocess.run(command, cwd=tree, capture_output=True, check=False).returncode


@pytest.fixture
def copy(tmp_path):
    ignore = shutil.ignore_patterns("__pycache__", "assets")
    shutil.copytree(ROOT / "src" / "errata", tmp_path / "src" / "errata", ignore=ignore)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


@pytest.mark.parametrize(("name", "line", "contract"), PLANTED)
def test_a_forbidden_import_breaks_its_contract(copy, name, line, contract):
    assert lint(copy, contract) == 0
    path = copy / "src" / "errata" / name
    path.parent.mkdir(exist_ok=True)
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    path.write_text(f"{text}\n{line}\n", encoding="utf-8")
    assert lint(copy, contract) == 1
