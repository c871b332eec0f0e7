"""The picture that a message shows: bytes in the request itself, or fetched from a host that the operator allows."""

from __future__ import annotations

import http.client
import ssl
import threading
from dataclasses import dataclass
from typing import Final, final
from urllib.parse import urljoin, urlunsplit

from errata.core.errors import BadImage, BadInput, quoted
from errata.core.images import MAX_BYTES, Image
from errata.log.formats.pictures import inline
from errata.serve.addresses import Allowed, Place, Resolve, checked, connected, system_resolve

WITHIN_S: Final = 20.0
"""A picture must have come after so many seconds."""

_CONNECT_S: Final = 5.0
_REDIRECTS: Final = 3
_BLOCK: Final = 1 << 16
_MOVED: Final = (301, 302, 303, 307, 308)


@final
@dataclass(frozen=True)
class Pictures:
    """Reads the addresses of pictures; threads may share it.

    Args:
        allowed: hosts from which pictures may be fetched.
        resolve: asked for a host's addresses, once each time.
        within_s: for all of one picture, in seconds.
    """

    allowed: tuple[Allowed, ...] = ()
    resolve: Resolve = system_resolve
    within_s: float = WITHIN_S

    def read(self, url: str) -> Image:
        """The picture at an address.

        Args:
            url: a data: URL, as base64 (wrapped, percent-encoded, unpadded or in the alphabet for addresses, too) or
                percent-encoded; or http or https at an allowed host.

        Raises:
            BadInput: nothing is fetched from there.
            BadImage: missing, broken, huge or empty.
        """
        given = url.strip()
        if given[:5].lower() == "data:":
            return inline(given)
        if "://" not in given[:16]:
            raise BadInput(
                f"The picture {quoted(url)} is no address. Give a data: URL, such as data:image/png;base64, and its bytes."
            )
        return Image.of(self._fetched(given), source=quoted(given))

    def _fetched(self, url: str) -> bytes:
        for _ in range(_REDIRECTS + 1):
            place = checked(url, self.allowed, self.resolve)
            try:
                data, moved = self._get(place)
            except (OSError, ssl.SSLError, http.client.HTTPException, ValueError) as error:
                raise BadImage(f"The picture {quoted(url)} can't be fetched: {_brief(error)}. Check the address.") from None
            if moved is None:
                return data
            url = urljoin(url, moved)
        raise BadImage(f"The picture {quoted(url)} is sent on more than {_REDIRECTS} times. Give its own address.")

    def _get(self, place: Place) -> tuple[bytes, str | None]:
        """The bytes, or where they are said to be instead."""
        connection = connected(place, min(_CONNECT_S, self.within_s))
        late = threading.Timer(self.within_s, connection.sock.shutdown, args=(2,))
        late.daemon = True
        late.start()
        try:
            path = urlunsplit(("", "", place.url.path or "/", place.url.query, ""))
            connection.request("GET", path, headers={"Accept": "image/*", "Accept-Encoding": "identity", "User-Agent": "errata"})
            answer = connection.getresponse()
            if answer.status in _MOVED and answer.headers["Location"]:
                return b"", answer.headers["Location"]
            if answer.status != 200:
                raise BadImage(f"The picture {quoted(urlunsplit(place.url))} can't be fetched: the host answers {answer.status}.")
            data = bytearray()
            while block := answer.read(_BLOCK):
                data += block
                if len(data) > MAX_BYTES:
                    raise BadImage(
                        f"The picture {quoted(urlunsplit(place.url))} has more than {MAX_BYTES:,} bytes. Resize it first."
                    )
            return bytes(data), None
        finally:
            late.cancel()
            connection.close()


def _brief(error: Exception) -> str:
    return (" ".join(str(error).split()) or type(error).__name__)[:200]
