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
    assert [name for name in names if name not in dir(module)] == []


def imported_for_types() -> dict[str, str]:
    """Name -> the module that type checkers are told it comes from, at the top of the package."""
    tree = ast.parse((SRC / "__init__.py").read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    return {
        alias.asname or alias.name: str(node.module)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def test_the_top_of_the_package_gives_every_name_from_where_type_checkers_look_for_it():
    given = {name: module for module, names in errata._HOMES.items() for name in names}
    assert given == imported_for_types()
    assert sorted(given) == sorted(errata.__all__)
    for name, module in given.items():
        assert getattr(errata, name) is vars(importlib.import_module(module))[name]
    assert set(errata.__all__) <= set(dir(errata))


def test_a_name_that_is_not_there_is_an_ordinary_error():
    with pytest.raises(AttributeError, match="no attribute 'opne'"):
        errata.opne  # noqa: B018


def test_every_public_name_says_what_it_is():
    silent = [name for name in errata.__all__ if name != "UNCHANGED" and not (getattr(errata, name).__doc__ or "").strip()]
    assert silent == []


def test_importing_errata_loads_no_torch():
    program = "import sys, errata; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout == "False\n", done.stderr
