"""A picture as a value: its encoded bytes and their digest, what they show, and the limits on what is accepted."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import TYPE_CHECKING, Final

from errata.core.cache import Recent
from errata.core.canonical import digest_of
from errata.core.errors import BadImage

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image as Pillow

DECODERS: Final = (1, 2)
"""The versions of how a picture is decoded (`errata.core.decoding`)."""

NEWEST: Final = 2
"""The one that is taken where nothing says otherwise; a log says with which it began."""

SUFFIXES: Final = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff")
"""How files of pictures are usually called, in lower case."""

MAX_BYTES = 32 * 1024 * 1024
"""The largest encoded picture that is accepted, in bytes."""

_DECODED_BYTES: Final = 64 * 1024 * 1024
"""Decoded pictures that are kept, in bytes."""

MAX_PIXELS = 64_000_000
"""The largest decoded picture that is accepted, in pixels (a decompression bomb is far above it)."""


@dataclass(frozen=True)
class Image:
    """An encoded picture (PNG, JPEG, ...), named by the digest of its bytes.

    Two values are equal when their bytes are. Build one with `Image.open` or `Image.of`, which check it.
    """

    digest: str
    """SHA-256 of `data`, 64 hexadecimal digits."""

    data: bytes = field(repr=False, compare=False)
    """The file's bytes, unchanged."""

    @staticmethod
    def of(data: bytes, *, source: str = "the given bytes") -> Image:
        """Check encoded bytes and name them.

        Raises:
            BadImage: empty, too large, undecodable, or with a side of zero pixels. The message names `source`.
        """
        if not data:
            raise BadImage(f"The image {source} is empty (0 bytes). Give a PNG, JPEG or WebP file.")
        if len(data) > MAX_BYTES:
            raise BadImage(f"The image {source} has {len(data):,} bytes; at most {MAX_BYTES:,} are accepted. Resize it first.")
        image = Image(digest_of(data), data)
        _named(image, source, NEWEST)
        return image

    @staticmethod
    def drawn(pixels: NDArray[np.uint8]) -> Image:
        """Pixels of shape (height, width, 3) as a PNG, the same bytes for the same pixels."""
        from PIL import Image as Pillow

        buffer = BytesIO()
        Pillow.fromarray(pixels).save(buffer, format="PNG")
        return Image.of(buffer.getvalue())

    @staticmethod
    def open(path: str | Path) -> Image:
        """Read and check a picture file.

        Raises:
            BadImage: the file is missing, unreadable, a device, or not a usable picture.
        """
        try:
            found = Path(path).stat()
            if not (S_ISREG(found.st_mode) or S_ISDIR(found.st_mode)):
                raise BadImage(f"{path} isn't a file but a device or a pipe. Give the path of a picture.")
            if found.st_size > MAX_BYTES:  # before it is read
                raise BadImage(
                    f"The image {path} has {found.st_size:,} bytes; at most {MAX_BYTES:,} are accepted. Resize it first."
                )
            data = Path(path).read_bytes()
        except FileNotFoundError:
            raise BadImage(f"There is no image at {path}. Check the path.") from None
        except OSError as error:
            raise BadImage(
                f"The image {path} can't be read: {error.strerror or error}. Check the path and its permissions."
            ) from None
        return Image.of(data, source=str(path))

    def pixels(self, decoder: int = NEWEST) -> Pillow.Image:
        """The decoded RGB picture (a copy that the caller may change).

        Args:
            decoder: the version of how it is decoded.

        Raises:
            BadImage: the bytes can't be decoded.
        """
        return _named(self, self.digest[:12], decoder).copy()

    def shown(self, decoder: int = NEWEST) -> str:
        """A digest of the size and the pixels: that of the same picture in other bytes, as long as no pixel of it is another.

        Raises:
            BadImage: the bytes can't be decoded.
        """
        return _shown(self, decoder)


def _named(image: Image, source: str, decoder: int) -> Pillow.Image:
    """The picture; whatever is wrong with it is said under the name by which a person knows it."""
    from errata.core.decoding import Unreadable  # Pillow takes longer to load than a short command does all its work

    try:
        return _decoded(image, decoder)
    except Unreadable as error:
        raise BadImage(f"The image {source} {error}") from None


def _decoded(image: Image, decoder: int) -> Pillow.Image:
    from errata.core.decoding import decode

    return _pictures.get((image.digest, decoder), lambda: decode(image.data, decoder=decoder, most=MAX_PIXELS))


def _size(pixels: Pillow.Image) -> int:
    return pixels.width * pixels.height * 3


_pictures: Recent[tuple[str, int], Pillow.Image] = Recent(_DECODED_BYTES, _size)


@lru_cache(maxsize=256)
def _shown(image: Image, decoder: int) -> str:
    pixels = _named(image, image.digest[:12], decoder)
    return digest_of(b"%d %d\n" % pixels.size + pixels.tobytes())
