"""Pictures that were broken on purpose: bytes of every format that is opened, and of some that aren't, changed by a seeded hand.

Run by itself, as its test runs it, it decodes COUNT of them in every version and prints what became of them as JSON:

    python tests/core/mutants.py COUNT [FIRST]
"""

from __future__ import annotations

import io
import json
import sys
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress

import numpy as np
from PIL import Image as Pillow

from errata.core.canonical import digest_of
from errata.core.errors import BadImage
from errata.core.images import DECODERS, NEWEST, Image

_PLAIN = ("PNG", "JPEG", "WEBP", "AVIF", "GIF", "TIFF", "BMP", "JPEG2000", "ICO", "PPM", "EPS", "DDS", "TGA", "PCX", "SGI", "ICNS")

_MODES = (
    ("PNG", "1"), ("PNG", "P"), ("PNG", "LA"), ("PNG", "RGBA"), ("PNG", "I;16"),
    ("TIFF", "I;16"), ("TIFF", "I"), ("TIFF", "F"), ("TIFF", "CMYK"), ("TIFF", "LAB"), ("TIFF", "RGBA"), ("TIFF", "P"),
    ("WEBP", "RGBA"), ("AVIF", "RGBA"), ("GIF", "P"), ("JPEG", "CMYK"), ("JPEG", "L"), ("PPM", "I"), ("PPM", "F"),
    ("JPEG2000", "RGBA"), ("JPEG2000", "I;16"),
)  # fmt: skip

_WORDS = (
    b"\0\0",
    b"\xff\xff",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    b"\xff\xff\xff\x7f",
    b"\0\0\0\0",
    b"\x80\0\0\0",
    b"\1\0\0\0",
)


def originals() -> list[bytes]:
    """Small pictures, each as its format writes it."""
    noise = np.random.default_rng(5).integers(0, 256, (20, 24, 3), dtype=np.uint8)
    colours = Pillow.fromarray(noise)
    made = [_written(colours, name) for name in _PLAIN]
    made += [_written(_in_mode(colours, mode), name) for name, mode in _MODES]
    turned = Pillow.Exif()
    turned[274] = 6
    made += [_written(colours, name, exif=turned) for name in ("JPEG", "PNG", "WEBP", "TIFF", "AVIF")]
    made += [
        _written(colours, "TIFF", compression=kind) for kind in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "group4")
    ]
    return [data for data in made if data]


def mutants(first: int, count: int) -> Iterator[bytes]:
    """The mutants numbered from `first` on; each depends on its number alone."""
    whole = originals()
    for number in range(first, first + count):
        draw = np.random.default_rng([26, number])
        data = whole[number % len(whole)]
        for _ in range(int(draw.integers(1, 4))):
            data = _HANDS[int(draw.integers(len(_HANDS)))](data, draw, whole)
        yield _summed(data) if draw.random() < 0.7 else data


def _in_mode(colours: Pillow.Image, mode: str) -> Pillow.Image:
    if mode == "I;16":
        return Pillow.fromarray(np.asarray(colours.convert("L")).astype(np.uint16) * 257)
    if mode == "LAB":
        return Pillow.frombytes("LAB", colours.size, colours.tobytes())
    if mode in ("RGBA", "LA"):
        seen = colours.copy()
        seen.putalpha(colours.convert("L"))
        return seen.convert(mode)
    return colours.convert("L").convert(mode) if mode in ("I", "F") else colours.convert(mode)


def _written(picture: Pillow.Image, name: str, **options: object) -> bytes:
    data = io.BytesIO()
    if name == "GIF":
        options["transparency"] = 3
    if options.get("compression") == "group4":
        picture = picture.convert("1")
    try:
        picture.save(data, name, **options)
    except (KeyError, OSError, ValueError):  # this Pillow doesn't write it
        return b""
    return data.getvalue()


def _summed(data: bytes) -> bytes:
    """A PNG with the checksums that its chunks should have, so that what they say is read."""
    if not data.startswith(b"\x89PNG\r\n\x1a\n"):
        return data
    made, at = data[:8], 8
    while at + 12 <= len(data):
        end = at + 8 + int.from_bytes(data[at : at + 4], "big")
        made += data[at:end] + zlib.crc32(data[at + 4 : end]).to_bytes(4, "big")
        at = end + 4
    return made + data[at:]


Hand = Callable[[bytes, np.random.Generator, list[bytes]], bytes]


def _at(data: bytes, draw: np.random.Generator) -> int:
    """A place; half of the time near the beginning, where formats say what comes."""
    return int(draw.integers(min(len(data), 64) if draw.random() < 0.5 else len(data))) if data else 0


def _flipped(data: bytes, draw: np.random.Generator, whole: list[bytes]) -> bytes:
    at = _at(data, draw)
    return data[:at] + bytes([data[at] ^ 1 << int(draw.integers(8))]) + data[at + 1 :] if data else data


def _byte(data: bytes, draw: np.random.Generator, whole: list[bytes]) -> bytes:
    at = _at(data, draw)
    return data[:at] + bytes([int(draw.integers(256))]) + data[at + 1 :]


def _word(data: bytes, draw: np.random.Generator, whole: list[bytes]) -> bytes:
    at, word = _at(data, draw), _WORDS[int(draw.integers(len(_WORDS)))]
    return data[:at] + word + data[at + len(word) :]


def _cut(data: bytes, draw: np.random.Generator, whole: list[bytes]) -> bytes:
    return data[: _at(data, draw) + 1]


def _without(data: bytes, draw: np.random.Generator, whole: list[bytes]) -> bytes:
    at = _at(data, draw)
    return data[:at] + data[at + int(draw.integers(1, 40)) :]


def _twice(data: bytes, draw: np.random.Generator, whole: list[bytes]) -> bytes:
    at, long = _at(data, draw), int(draw.integers(1, 40))
    return data[: at + long] + data[at:]


def _spliced(data: bytes, draw: np.random.Generator, whole: list[bytes]) -> bytes:
    other = whole[int(draw.integers(len(whole)))]
    return data[: _at(data, draw)] + other[_at(other, draw) :]


_HANDS: tuple[Hand, ...] = (_flipped, _flipped, _byte, _byte, _word, _word, _cut, _without, _twice, _spliced)


def main(count: int, first: int) -> None:
    """Decode, and let whatever isn't errata's own error end the run."""
    found: Counter[str] = Counter()
    for number, data in enumerate(mutants(first, count), start=first):
        try:
            found[_given(data)] += 1
            if not data.startswith((b"%!PS", b"\xc5\xd0\xd3\xc6")):  # a store of then would ask Ghostscript
                for decoder in DECODERS:
                    with suppress(BadImage):
                        _check(Image(digest_of(data), data), decoder)
        except BaseException:
            sys.stderr.write(f"mutant {number}\n")
            raise
    sys.stdout.write(json.dumps(found))


def _given(data: bytes) -> str:
    said = ""
    try:
        _check(Image.of(data, source="mutant"), NEWEST)
    except BadImage as error:
        said = str(error)
    assert len(said) < 400, said
    return "refused" if said else "decoded"


def _check(image: Image, decoder: int) -> None:
    assert image.pixels(decoder).mode == "RGB"
    assert len(image.shown(decoder)) == 64


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)
