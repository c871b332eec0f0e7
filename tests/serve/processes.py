"""`errata serve`, or `errata proxy`, as a process of its own, which can be killed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from tests.cli.runs import SRC


@dataclass(frozen=True)
class Served:
    """A server that listens."""

    process: subprocess.Popen[str]
    url: str

    def kill(self) -> None:
        """At once, as `kill -9` does."""
        self.process.kill()
        self.process.wait()


@contextmanager
def served(store: str, *options: str, cwd: Path) -> Iterator[Served]:
    """A server on a store, until the end of the block."""
    with started("serve", "--model", "llava-tiny", "--store", store, *options, cwd=cwd) as found:
        yield found


@contextmanager
def started(command: str, *options: str, cwd: Path, more: Mapping[str, str] = MappingProxyType({})) -> Iterator[Served]:
    """A command that serves, on a free port, until the end of the block.

    Args:
        command: serve or proxy.
        options: of it.
        cwd: where it runs; its log is there.
        more: variables of its environment.
    """
    environment = {**os.environ, "PYTHONPATH": str(SRC), "ERRATA_AUTHOR": "owner", **more}
    words = [sys.executable, "-m", "errata", command, *options, "--port", "0"]
    noted = cwd / f"{command}.log"
    with noted.open("w") as log:
        process = subprocess.Popen(words, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=log, text=True)
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        found = re.search(r" at (http://\S+)/v1 \(", line)
        assert found is not None, (line, noted.read_text())
        yield Served(process, found[1])
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        process.stdout.close()
