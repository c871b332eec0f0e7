"""Each gate finds what it is there to find, and leaves a clean tree alone."""

import subprocess
from pathlib import Path

import pytest

from tools import gates


@pytest.fixture
def tree(tmp_path):
    """A small clean project."""
    write(tmp_path, "src/pkg/clean.py", '"""One idea."""\n\n\ndef small():\n    return 1\n')
    write(tmp_path, "CHANGELOG.md", "# Changelog\n\n## [Unreleased]\n")
    write(tmp_path, gates.EXCEPTIONS, "# none\n")
    return tmp_path


def write(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def long_function(lines: int) -> str:
    return '"""One idea."""\n\n\ndef long():\n' + "    x = 1\n" * (lines - 1)


def found(root: Path) -> list[str]:
    return [str(finding) for finding in gates.findings(root)]


def test_a_clean_tree_has_no_findings(tree):
    assert found(tree) == []


def test_a_file_of_500_lines_passes_and_one_more_is_found(tree):
    write(tree, "src/pkg/big.py", '"""One idea."""\n' + "x = 1\n" * 499)
    assert found(tree) == []
    write(tree, "src/pkg/big.py", '"""One idea."""\n' + "x = 1\n" * 500)
    assert found(tree) == ["src/pkg/big.py: 501 lines, at most 500. Split it by idea."]


def test_a_function_of_60_lines_passes_and_one_more_is_found(tree):
    write(tree, "src/pkg/mod.py", long_function(60))
    assert found(tree) == []
    write(tree, "src/pkg/mod.py", long_function(61))
    assert found(tree) == ["src/pkg/mod.py::long: 61 lines, at most 60. Split it by idea."]


def test_methods_and_functions_in_tests_are_measured_too(tree):
    body = "".join(f"        x{i} = 1\n" for i in range(61))
    write(tree, "tests/test_mod.py", f"class A:\n    def m(self):\n{body}")
    assert found(tree) == ["tests/test_mod.py::A.m: 62 lines, at most 60. Split it by idea."]


def test_an_exception_holds_for_exactly_the_agreed_length(tree):
    write(tree, "src/pkg/mod.py", long_function(70))
    write(tree, gates.EXCEPTIONS, "src/pkg/mod.py::long 70\n")
    assert found(tree) == []
    write(tree, "src/pkg/mod.py", long_function(71))
    assert found(tree) == ["src/pkg/mod.py::long: 71 lines, at most 70. Split it by idea."]


def test_an_exception_that_could_shrink_is_found(tree):
    write(tree, "src/pkg/mod.py", long_function(65))
    write(tree, gates.EXCEPTIONS, "src/pkg/mod.py::long 70\n")
    assert found(tree) == [f"{gates.EXCEPTIONS}: src/pkg/mod.py::long has shrunk to 65 lines. Lower its number from 70."]


@pytest.mark.parametrize("lines", [60, None])
def test_an_exception_that_is_not_needed_any_more_is_found(tree, lines):
    if lines is not None:
        write(tree, "src/pkg/mod.py", long_function(lines))
    write(tree, gates.EXCEPTIONS, "src/pkg/mod.py::long 70\n")
    assert found(tree) == [f"{gates.EXCEPTIONS}: src/pkg/mod.py::long needs no exception any more. Delete its line."]


def test_a_room_of_20_modules_passes_and_one_more_is_found(tree):
    for number in range(19):
        write(tree, f"src/pkg/m{number}.py", '"""One idea."""\n')
    write(tree, "src/pkg/__init__.py", '"""One idea."""\n')
    assert found(tree) == []
    write(tree, "src/pkg/one_more.py", '"""One idea."""\n')
    assert found(tree) == ["src/pkg: 21 modules, at most 20. Make rooms in it."]


def test_three_modules_that_begin_alike_are_found(tree):
    write(tree, "src/pkg/_gate_one.py", '"""One idea."""\n')
    write(tree, "src/pkg/gate_two.py", '"""One idea."""\n')
    assert found(tree) == []
    write(tree, "src/pkg/gate.py", '"""One idea."""\n')
    assert found(tree) == ["src/pkg: 3 modules begin with 'gate'. Give them a folder of that name."]


@pytest.mark.parametrize(
    "back", ["from pkg import one", "def f():\n    from pkg.one import x", "if TYPE_CHECKING:\n    import pkg.one"]
)
def test_a_module_that_imports_itself_by_way_of_another_is_found(tree, back):
    write(tree, "src/pkg/one.py", '"""One idea."""\nimport pkg.two\n')
    write(tree, "src/pkg/two.py", '"""One idea."""\n')
    assert found(tree) == []
    write(tree, "src/pkg/two.py", f'"""One idea."""\n{back}\n')
    (line,) = found(tree)
    assert "imports itself: pkg." in line


@pytest.mark.parametrize("guess", ["hasattr(x, 'a')", "getattr(x, 'a', None)", "getattr(x, 'a', *d)"])
def test_a_guessed_attribute_in_the_package_is_found(tree, guess):
    write(tree, "src/pkg/mod.py", f'"""One idea."""\n\nx, d = 1, [2]\ny = {guess}\n')
    (line,) = found(tree)
    assert line.startswith("src/pkg/mod.py:4: ")


def test_getattr_without_a_default_is_allowed_and_so_are_guesses_in_tests(tree):
    write(tree, "src/pkg/mod.py", '"""One idea."""\n\ny = getattr(1, "real")\n')
    write(tree, "tests/test_mod.py", "y = getattr(1, 'a', None)\n")
    assert found(tree) == []


PLACES = [
    "see /" + "work/x/y.md",
    "HOME=/" + "root/x",
    "'/home" + "/ann/x'",
    "https://pypi" + ".org/simple",
    "files.pythonhosted" + ".org",
]


@pytest.mark.parametrize("text", PLACES)
def test_a_machine_path_or_a_registry_host_in_any_text_is_found(tree, text):
    write(tree, "docs/page.md", f"# Page\n\n{text}\n")
    (line,) = found(tree)
    assert line.startswith("docs/page.md:3: ")


@pytest.mark.parametrize(
    "text", ["/".join(("a", "work", "b")), "/".join(("framework", "root", "x")), "https://example.org/home/x/y", "homework"]
)
def test_ordinary_words_and_links_are_not_taken_for_machine_paths(tree, text):
    write(tree, "docs/page.md", text)
    assert found(tree) == []


def test_a_module_without_a_docstring_is_found(tree):
    write(tree, "src/pkg/mod.py", "x = 1\n")
    assert found(tree) == ["src/pkg/mod.py: no docstring. Say the file's one idea in its first line."]


def test_a_missing_or_headless_change_log_is_found(tree):
    write(tree, "CHANGELOG.md", "# Changelog\n")
    assert [line.split(":")[0] for line in found(tree)] == ["CHANGELOG.md"]
    (tree / "CHANGELOG.md").unlink()
    assert [line.split(":")[0] for line in found(tree)] == ["CHANGELOG.md"]


def test_what_git_ignores_is_not_judged(tree):
    subprocess.run(["git", "init", "--quiet", str(tree)], check=True)
    write(tree, ".gitignore", "out/\n")
    write(tree, "out/page.md", "/" + "root/x")
    assert found(tree) == []
    write(tree, "docs/page.md", "/" + "root/x")
    assert len(found(tree)) == 1
