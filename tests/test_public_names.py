"""The names that a user may import are listed, sorted, documented, and load nothing heavy."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import errata

SRC = Path(__file__).parent.parent / "src" / "errata"


def listed(path: Path) -> list[str] | None:
    """The `__all__` of a module, read without importing it."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        target = node.targets[0] if isinstance(node, ast.Assign) else None
        if isinstance(target, ast.Name) and target.id == "__all__":
            names: list[str] = ast.literal_eval(node.value)  # type: ignore[attr-defined]
            return names
    return None


def plain_order(names: list[str]) -> list[str]:
    """Constants, then classes, then the rest, each by the alphabet: the order that ruff keeps in `__all__`."""
    return sorted(names, key=lambda name: (not name.isupper(), not name[0].isupper(), name))


MODULES = sorted(path for path in SRC.rglob("*.py") if listed(path) is not None)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(SRC).as_posix())
def test_a_list_of_public_names_is_sorted_and_true(path):
    names = listed(path)
    assert names is not None
    assert names == plain_order(list(set(names)))
    dotted = ".".join(("errata", *path.relative_to(SRC).with_suffix("").parts)).removesuffix(".__init__")
    module = importlib.import_module(dotted)
    assert [name for name in names if name not in vars(module)] == []


def test_the_top_of_the_package_lists_everything_that_it_imports():
    tree = ast.parse((SRC / "__init__.py").read_text(encoding="utf-8"))
    imported = [alias.asname or alias.name for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names]
    assert sorted(imported) == sorted(errata.__all__)


def test_every_public_name_says_what_it_is():
    classes = [value for value in (vars(errata)[name] for name in errata.__all__) if isinstance(value, type)]
    assert [kind.__name__ for kind in classes if not (kind.__doc__ or "").strip()] == []


def test_importing_errata_loads_no_torch():
    program = "import sys, errata; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout == "False\n", done.stderr
