"""Running the program as a user does: another process, its exit code, and what it printed where."""

from __future__ import annotations

import os
import subprocess
import sys
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
