"""The log can be read at once, on a machine without a tensor library."""

from __future__ import annotations

import os
import subprocess
import sys

import errata.log

SCRIPT = """
import sys, time
HEAVY = {"torch", "transformers", "numpy", "sqlalchemy", "alembic", "psycopg", "cryptography", "yaml", "rich", "typer"}
started = time.process_time()
import errata.log, errata.log.formats
print(time.process_time() - started)
print(*sorted({name.split(".")[0] for name in sys.modules} & HEAVY))
"""


def test_importing_the_log_is_quick_and_loads_no_tensor_library():
    there = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", SCRIPT]
    runs = [subprocess.run(command, capture_output=True, text=True, check=True, env=there).stdout for _ in range(3)]
    assert min(float(run.splitlines()[0]) for run in runs) < 0.3
    assert {run.splitlines()[1] for run in runs} == {""}


def test_the_public_names_are_there():
    assert all(name in vars(errata.log) for name in errata.log.__all__)
