"""The import contracts of pyproject.toml find an import that points up, sideways, or at what a room must not load."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent

PLANTED = [
    ("core/records.py", "import torch", "errata.core.records -> torch"),
    ("log/store.py", "import torch", "errata.log.store -> torch"),
    ("benchmarks/__init__.py", "import transformers", "errata.benchmarks -> transformers"),
    ("core/images.py", "import errata.log", "errata.core.images -> errata.log"),
    ("editors/none.py", "import errata.models", "errata.editors.none -> errata.models"),
    ("measure/results.py", "import errata.cli", "errata.measure.results -> errata.cli"),
    ("session/guard.py", "import errata.measure", "errata.session.guard -> errata.measure"),
    ("school/fit.py", "import errata.measure", "errata.school.fit -> errata.measure"),
    ("measure/results.py", "import errata.report", "errata.measure.results -> errata.report"),
    ("report/run.py", "import errata.tables", "errata.report.run -> errata.tables"),
    ("editors/finetune.py", "import transformers", "errata.editors.finetune -> transformers"),
    ("measure/results.py", "import rich", "errata.measure.results -> rich"),
    ("cli/ask.py", "import fastapi", "errata.cli.ask -> fastapi"),
    ("door.py", "import errata.serve.app", "errata.door -> errata.serve.app"),
    ("serve/app.py", "import transformers", "errata.serve.app -> transformers"),
    ("serve/app.py", "import rich", "errata.serve.app -> rich"),
    ("spare/__init__.py", "", "errata.spare"),
]
"""Where a line is planted, and what must be said of it."""


def lint(tree: Path) -> tuple[int, str]:
    """The exit code and report of all contracts over a copy of the package."""
    load = f"import sys; sys.path.insert(0, {str(tree / 'src')!r})"
    program = f"{load}; from importlinter.cli import lint_imports_command; lint_imports_command()"
    done = subprocess.run(
        [sys.executable, "-c", program, "--no-cache", "--no-logo"], cwd=tree, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What is said of a copy of the package with every line planted; before, nothing is wrong with it."""
    tree = tmp_path_factory.mktemp("copy")
    shutil.copytree(ROOT / "src" / "errata", tree / "src" / "errata", ignore=shutil.ignore_patterns("__pycache__", "assets"))
    shutil.copy(ROOT / "pyproject.toml", tree)
    assert lint(tree)[0] == 0
    for name, line, _ in PLANTED:
        path = tree / "src" / "errata" / name
        path.parent.mkdir(exist_ok=True)
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        path.write_text(f"{text}\n{line}\n", encoding="utf-8")
    code, said = lint(tree)
    assert code == 1
    return said


@pytest.mark.parametrize(("name", "line", "said"), PLANTED)
def test_a_forbidden_import_is_named(report, name, line, said):
    assert said in report
