"""A picture as a value: its encoded bytes and their digest. Decoding and the limits on what is accepted live here."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from stat import S_ISDIR, S_ISREG

from PIL import Image as Pillow
from PIL import UnidentifiedImageError

from errata.core.canonical import digest_of
from errata.core.errors import BadImage

MAX_BYTES = 32 * 1024 * 1024
"""The largest encoded picture that is accepted, in bytes."""

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
        _decode(image, source)
        return image

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

    def pixels(self) -> Pillow.Image:
        """The decoded RGB picture (a copy that the caller may change).

        Raises:
            BadImage: the bytes can't be decoded.
        """
        return _decode(self, self.digest[:12]).copy()


@contextmanager
def _unwarned() -> Iterator[None]:
    """Pillow warns of pictures between our limit and its own; ours is an error and says so itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Pillow.DecompressionBombWarning)
        yield


@lru_cache(maxsize=256)
def _decode(image: Image, source: str) -> Pillow.Image:
    try:
        with _unwarned(), Pillow.open(io.BytesIO(image.data)) as opened:
            width, height = opened.size
            if width < 1 or height < 1:
                raise BadImage(f"The image {source} is {width}x{height} pixels: a side is zero. Give a picture with content.")
            if width * height > MAX_PIXELS:
                raise BadImage(
                    f"The image {source} is {width}x{height} pixels; at most {MAX_PIXELS:,} are accepted. Resize it first."
                )
            return opened.convert("RGB")
    except UnidentifiedImageError:
        raise BadImage(f"The image {source} isn't a picture that can be read. Give a PNG, JPEG or WebP file.") from None
    except Pillow.DecompressionBombError:
        raise BadImage(f"The image {source} has too many pixels; at most {MAX_PIXELS:,} are accepted. Resize it first.") from None
    except (OSError, SyntaxError, ValueError) as error:
        if isinstance(error, BadImage):
            raise
        raise BadImage(f"The image {source} is broken: {error}. Save it again and retry.") from None
