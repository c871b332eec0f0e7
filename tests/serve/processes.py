"""`errata serve`, or `errata proxy`, as a process of its own, which can be killed."""

from __future__ import annotations

import multiprocessing
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from multiprocessing.context import ForkServerContext, ForkServerProcess
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


@dataclass(frozen=True)
class Forked:
    """A server that listens, in a process that imported nothing itself."""

    process: ForkServerProcess
    url: str

    def kill(self) -> None:
        """At once, as `kill -9` does."""
        self.process.kill()
        self.process.join()


@contextmanager
def forked(store: str, *options: str, cwd: Path) -> Iterator[Forked]:
    """As `served`, begun from a process that has imported what a server needs: of several, only the first takes long to start."""
    process = _forks().Process(target=_serve, args=(store, options, cwd))
    process.start()
    try:
        out = cwd / "serve.out"
        while not (out.exists() and (found := re.search(r" at (http://\S+)/v1 .*\n", out.read_text()))):
            assert process.is_alive(), (cwd / "serve.log").read_text()
            time.sleep(0.02)
        yield Forked(process, found[1])
    finally:
        process.terminate()
        process.join(20)
        if process.is_alive():
            process.kill()
            process.join()


@cache
def _forks() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["errata.cli.serve", "errata.serve.app", "errata.serve.engine.thread", "errata.models"])
    return context


def _serve(store: str, options: Sequence[str], cwd: Path) -> None:
    """The process: `errata serve`, which says on a file that it listens."""
    from errata.cli.app import main

    os.chdir(cwd)
    os.environ["ERRATA_AUTHOR"] = "owner"
    with (cwd / "serve.out").open("w", buffering=1) as out, (cwd / "serve.log").open("w") as log:
        os.dup2(out.fileno(), 1)
        os.dup2(log.fileno(), 2)
        sys.argv = ["errata", "serve", "--model", "llava-tiny", "--store", store, "--port", "0", *options]
        main()
