"""Where the server may connect to of its own accord: hosts that the operator allows, at addresses that were checked.

A name is resolved once, every address that it has must be public, and the connection goes to one of those very addresses: what the
name points to a moment later doesn't matter.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

from errata.core.errors import BadInput, quoted

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

Resolve = Callable[[str, int], Sequence[str]]
"""A name and a port -> the addresses that it has."""

_PORTS: Final = {"http": 80, "https": 443}
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")


@dataclass(frozen=True)
class Allowed:
    """What --allow-host names: HOST, HOST:PORT, and HOST=ADDRESS for one that isn't public."""

    host: str
    """In small letters, without brackets."""

    port: int | None = None
    """None: those of http and https."""

    private: Address | None = None
    """An address that the name may have although it isn't public."""

    @staticmethod
    def of(text: str) -> Allowed:
        """What the option says.

        Raises:
            BadInput: it is no name of a host.
        """
        named, equals, address = text.strip().partition("=")
        try:
            parts = urlsplit(f"//{named}")
            host, port = parts.hostname or "", parts.port
            literal = _literal(host)
            private = ipaddress.ip_address(address.strip("[]")) if equals else literal
        except ValueError:
            host, port, private = "", None, None
        if not host or parts.path or parts.query or parts.fragment or parts.username is not None:
            raise BadInput(
                f"The host {quoted(text)} can't be allowed. Write its name, as in --allow-host images.example.org, with a port "
                "where it has one (:8080), and with its address where that isn't public (=10.0.0.5)."
            )
        return Allowed(host.rstrip("."), port, private)

    def takes(self, url: SplitResult) -> bool:
        """Whether the address of a page is at this host and port."""
        ports = (self.port,) if self.port is not None else (_PORTS.get(url.scheme),)
        return (url.hostname or "").rstrip(".") == self.host and _port(url) in ports


@dataclass(frozen=True)
class Place:
    """An address on the web that may be connected to, and where that is."""

    url: SplitResult
    address: str
    """The checked one."""

    port: int


def system_resolve(host: str, port: int) -> Sequence[str]:
    """What the system's resolver says."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


def checked(url: str, allowed: Sequence[Allowed], resolve: Resolve = system_resolve) -> Place:
    """The place of an address on the web, if the server may connect to it.

    Args:
        url: http or https.
        allowed: hosts that the operator allows.
        resolve: called once.

    Raises:
        BadInput: it isn't allowed, leads to an address that isn't public, or can't be resolved.
    """
    try:
        parts = urlsplit(url)
        port = _port(parts)
    except ValueError:
        raise BadInput(f"{quoted(url)} is no address on the web.") from None
    host = (parts.hostname or "").rstrip(".")
    if parts.scheme not in _PORTS or not host or parts.username is not None:
        raise BadInput(f"{quoted(url)} can't be fetched. Give an http or https address without a user, or a data: URL.")
    allowing = [each for each in allowed if each.takes(parts)]
    if not allowing:
        raise BadInput(
            f"Nothing is fetched from {quoted(parts.netloc)}. Send the picture as a data: URL; an operator can allow a host: "
            "errata serve --allow-host"
        )
    literal = _literal(host)
    try:
        found = [str(literal)] if literal is not None else list(resolve(host, port))
    except (OSError, UnicodeError):
        found = []
    if not found:
        raise BadInput(f"The host {quoted(host)} can't be found. Check the address.")
    private = {each.private for each in allowing if each.private is not None}
    for each in found:
        address = ipaddress.ip_address(each.partition("%")[0])
        if not is_public(address) and address not in private:
            raise BadInput(f"The host {quoted(host)} leads to an address that isn't public, so nothing is fetched from it.")
    return Place(parts, found[0], port)


def is_public(address: Address) -> bool:
    """Whether an address is on the open internet, also where one of version 4 is written inside one of version 6."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo is not None else None)
        if address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
        if address.is_site_local:
            return False
    return address.is_global and not address.is_multicast


def connected(place: Place, timeout_s: float) -> http.client.HTTPConnection:
    """A connection to the address that was checked, under the name that was asked for.

    Raises:
        OSError: it can't be made.
    """
    host = place.url.hostname or ""
    bare = socket.create_connection((place.address, place.port), timeout_s)
    if place.url.scheme == "http":
        plain = http.client.HTTPConnection(host, place.port, timeout=timeout_s)
        plain.sock = bare
        return plain
    try:
        secure = http.client.HTTPSConnection(host, place.port, timeout=timeout_s)
        secure.sock = ssl.create_default_context().wrap_socket(bare, server_hostname=host)
    except BaseException:
        bare.close()
        raise
    return secure


def _port(url: SplitResult) -> int:
    return url.port if url.port is not None else _PORTS.get(url.scheme, 0)


def _literal(host: str) -> Address | None:
    """The address that a host's name is, in any of the forms that systems read as one (127.1, 0x7f000001, 017700000001)."""
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except (OSError, ValueError, UnicodeError):
        return None
