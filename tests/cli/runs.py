"""Running the program as a user does: another process, its exit code, and what it printed where."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SRC = Path(__file__).parent.parent.parent / "src"


@dataclass(frozen=True)
class Done:
    """What a run of the program left."""

    code: int
    out: str
    err: str


def errata(*words: object, cwd: Path) -> Done:
    """Run `errata WORDS` in a folder; a traceback is never an answer."""
    environment = {**os.environ, "PYTHONPATH": str(SRC), "PYTHONWARNINGS": "default", "NO_COLOR": "1"}
    command = [sys.executable, "-m", "errata", *map(str, words)]
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return Done(done.returncode, done.stdout, done.stderr)


def seconds(*words: object, cwd: Path, without: Sequence[str] = ("torch",)) -> float:
    """Processor time of a command that ends with 0 and loads none of some modules, as a machine takes that isn't slowed down.

    The best of five; in processor time, since what else the machine does isn't what is measured. A machine whose processors are
    lent out runs at a half of its speed for minutes: the libraries alone, right after each run, tell how fast it was then.
    """
    program = f"import sys, errata.cli.app as cli\ntry: cli.main()\nfinally: print(any(m in sys.modules for m in {tuple(without)}))"
    command = [sys.executable, "-c", program, *map(str, words)]
    libraries = [sys.executable, "-c", "import typer, rich.console, rich.table"]
    return min(_took(command, cwd, "False") / max(1.0, _took(libraries, cwd, "") / 0.18) for _ in range(5))


def _took(command: list[str], cwd: Path, last: str) -> float:
    """Processor time of a process, which is to end with 0 and this last line."""
    environment = {name: value for name, value in os.environ.items() if name.startswith("ERRATA_")} | {"PYTHONPATH": str(SRC)}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert (done.returncode, "".join(done.stdout.splitlines()[-1:])) == (0, last), done.stderr
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
