"""Which process has a lease, so that another on the same machine can tell at once that it died.

A number alone doesn't name a process: it's given again. So the time at which the process started goes with it, and what these
numbers count in: the start of the machine, and the namespace of its processes (a container has its own). Where the kernel doesn't
tell these (anything but Linux), no process is ever said to be gone, and a lease ends by itself.
"""

from __future__ import annotations

import ipaddress
import os
import re
import secrets
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

_PROC: Final = Path("/proc")
_MARK: Final = re.compile(r"[0-9a-f]+@(?P<world>[0-9A-Za-z:-]+)/(?P<pid>[0-9]+)/(?P<started>[0-9]+)")
_OVER: Final = frozenset({"Z", "X", "x"})
"""States of a process that has ended, though its parent hasn't asked yet."""


def new_token() -> str:
    """A lease's token: no other is like it, and it says which process has it where that can be said."""
    world, started = _world(), _started(os.getpid())
    drawn = secrets.token_hex(16)
    return f"{drawn}@{world}/{os.getpid()}/{started}" if world and started else drawn


def is_gone(token: str) -> bool:
    """Whether the process that has the token was one of this machine and runs no more; False where that can't be told."""
    found = _MARK.fullmatch(token)
    if found is None or found["world"] != _world():
        return False
    pid = int(found["pid"])
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:
        pass  # somebody else's: it runs
    now = _started(pid)
    return now is not None and now != found["started"]


def is_local(host: str) -> bool:
    """Whether a name or address is that of this machine and can't be reached from another."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def leading(url: str, token: str) -> str:
    """The address, where it leads to the process that has the token; "" where it would lead to another one.

    One of a machine's own, such as http://127.0.0.1:8319, means another server on every other machine and in every other
    container.
    """
    found = _MARK.fullmatch(token)
    here = found is not None and found["world"] == _world()
    return url if here or not is_local(urlsplit(url).hostname or "") else ""


def _world() -> str:
    """Names what process numbers are counted in; "" where it can't be named."""
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
        space = os.stat(_PROC / "self/ns/pid").st_ino
    except (OSError, ValueError):
        return ""
    return f"{boot}:{space}"


def _started(pid: int) -> str | None:
    """When the process started, in ticks since the machine did; "over" for one that has ended, None where it can't be read."""
    try:
        told = (_PROC / str(pid) / "stat").read_bytes()
    except OSError:
        return None
    state, *rest = told[told.rindex(b")") + 1 :].decode("utf-8").split()  # the name before may hold anything
    return "over" if state in _OVER else rest[18]
