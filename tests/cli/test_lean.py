"""Loading with less to do takes nothing from whoever else needs it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.cli.runs import SRC

BESIDE = """
import sys
from errata.cli._lean import lean
with lean():
    from transformers import utils
    from transformers.utils import import_utils
    print(utils.is_scipy_available(), import_utils.is_sklearn_available())
    import sklearn
    print(sklearn.metrics)
print(utils.is_scipy_available(), import_utils.is_sklearn_available())
"""

ENDS = """
import atexit, gc, sys
atexit.register(lambda: print(gc.get_freeze_count() > 0))
{before}
from errata.cli._lean import lean
with lean():
    pass
"""


def run(program, *beside):
    """What a program prints that finds packages in a folder."""
    told = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (*beside, SRC)))}
    done = subprocess.run([sys.executable, "-c", program], env=told, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_transformers_takes_scipy_and_scikit_learn_for_not_there_and_all_others_find_them(tmp_path):
    for name, text in {
        "scipy/__init__.py": "",
        "scipy/sparse.py": "",
        "sklearn/__init__.py": "import scipy.sparse\nmetrics = 'found'\n",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert run(BESIDE, tmp_path) == ["False False", "found", "True True"]


@pytest.mark.parametrize(("before", "frozen"), [("", "True"), ("sys.modules['triton'] = sys", "False")])
def test_where_triton_is_loaded_what_it_made_is_collected_at_the_end(before, frozen):
    assert run(ENDS.format(before=before)) == [frozen]
