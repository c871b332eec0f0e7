"""The address at which a server listens, taken before anything heavy is loaded."""

from __future__ import annotations

import socket

from errata.core.errors import BadInput, quoted


def bound(host: str, port: int) -> socket.socket:
    """A socket at this address; nobody is let in yet.

    Args:
        host: a name or an address of this machine.
        port: 0: any that is free.

    Raises:
        BadInput: the port is taken, or the address isn't this machine's.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except (OSError, UnicodeError, OverflowError):
        raise BadInput(f"There is no address {quoted(host)} with a port {port} to listen at. Check --host and --port.") from None
    made = socket.socket(family, kind, protocol)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
    except OSError as error:
        made.close()
        why = error.strerror or str(error)
        raise BadInput(
            f"The server can't listen at {host}:{port}: {why}. Stop what does, or take another port: --port {port + 1}"
        ) from None
    return made


def address_of(listening: socket.socket) -> str:
    """Where a socket is reached, as in a browser."""
    host, port, *_ = listening.getsockname()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
