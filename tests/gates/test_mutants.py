"""The mutants' runner: it tells who noticed, and what is listed as no change is of lines that are there.

What makes the mutants is installed by `make mutants` alone; here they are made by hand.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

from tools.mutants import EQUIVALENT, ROOT, TARGETS, equivalent

RULE = "def rule(values):\n    return all(values)\n"
NOTICED = "from planted.rule import rule\n\n\ndef test_rule():\n    assert rule([1, 1])\n    assert not rule([0, 1])\n"
UNNOTICED = "from planted.rule import rule\n\n\ndef test_rule():\n    assert rule([1, 1])\n"
ENDLESS = "def rule(values):\n    while True:\n        pass\n"
NO_MODULE = "def rule(values:\n"


@pytest.mark.parametrize(
    ("source", "test", "said"),
    [
        (RULE, NOTICED, "True"),
        (RULE.replace("all", "any"), NOTICED, "False"),
        (RULE.replace("all", "any"), UNNOTICED, "True"),
        (ENDLESS, UNNOTICED, "None"),
        (NO_MODULE, UNNOTICED, "False"),
    ],
    ids=["as it is", "noticed", "unnoticed", "endless", "broken"],
)
def test_a_mutant_survives_where_all_tests_pass_on_it_and_the_file_stays_as_it_was(tmp_path, source, test, said):
    module = tmp_path / "src" / "planted" / "rule.py"
    module.parent.mkdir(parents=True)
    module.write_text(RULE, encoding="utf-8")
    (tmp_path / "test_rule.py").write_text(test, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\npythonpath = src\n", encoding="utf-8")
    asked = f"survives('src/planted/rule.py', {source!r}, ['test_rule.py'], root=Path({str(tmp_path)!r}), limit_s=20)"
    program = f"from pathlib import Path\nfrom tools.mutants import survives\nprint({asked})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == said
    assert module.read_text(encoding="utf-8") == RULE


def test_what_is_listed_as_no_change_is_of_a_line_that_is_there_and_says_why():
    """A line that was rewritten leaves the list, so that it excuses nothing else."""
    listed = equivalent(EQUIVALENT.read_text(encoding="utf-8"))
    for (path, old, new), why in listed.items():
        source = " ".join(line.strip() for line in (ROOT / path).read_text(encoding="utf-8").splitlines())
        assert path in TARGETS
        assert old in source, f"{path}: {old}"
        assert new != old
        assert len(why) > 10


def test_every_test_that_must_notice_is_there():
    assert all((ROOT / test).is_file() for tests in TARGETS.values() for test in tests)
    assert all((ROOT / path).is_file() for path in TARGETS)


def test_a_block_of_another_shape_is_a_sentence():
    with pytest.raises(SystemExit, match="a block has lines in, -, \\+ and ="):
        equivalent("in src/errata/log/fold.py\n- a\n")
