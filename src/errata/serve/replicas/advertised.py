"""Under which address a server can be reached by the others on its store."""

from __future__ import annotations

import ipaddress
import socket

from errata.core.endpoint import addresses
from errata.core.errors import BadInput, quoted
from errata.serve.ports import address_of


def advertised(given: str | None, listening: socket.socket) -> str:
    """The address that the lease of a branch is to name.

    Args:
        given: by the operator; None: that at which the server listens, where it is one.
        listening: the server's socket.

    Returns:
        "" where nothing was given and the server listens at every address of its machine: it can't be told which one others reach.

    Raises:
        BadInput: what was given is no address on the web.
    """
    if given is None:
        return "" if ipaddress.ip_address(listening.getsockname()[0].partition("%")[0]).is_unspecified else address_of(listening)
    if not addresses(given):
        raise BadInput(
            f"{quoted(given)} is no address that other servers could reach this one at. Write one such as "
            "--advertise http://10.0.0.5:8319, without a user."
        )
    return given.rstrip("/").removesuffix("/v1")
