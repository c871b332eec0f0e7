"""A picture is checked when it is named: missing, broken, huge and empty ones are refused with a sentence."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from PIL import Image as Pillow

from errata.core import images
from errata.core.errors import BadImage
from errata.core.images import Image


def encoded(width=5, height=4, *, kind="PNG", mode="RGB", colour=(9, 200, 30)):
    data = io.BytesIO()
    Pillow.new(mode, (width, height), colour).save(data, kind)
    return data.getvalue()


def png_header(width, height):
    """A PNG that claims to be this large and holds next to nothing."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    start = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + start + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


def test_a_picture_is_named_by_its_bytes_and_equal_when_they_are():
    one, same, other = Image.of(encoded()), Image.of(encoded()), Image.of(encoded(width=6))
    assert one == same
    assert hash(one) == hash(same)
    assert one != other
    assert len(one.digest) == 64


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP"])
def test_usual_kinds_of_picture_are_read(kind):
    pixels = Image.of(encoded(kind=kind)).pixels()
    assert (pixels.size, pixels.mode) == ((5, 4), "RGB")


def test_grey_and_transparent_pictures_become_rgb():
    assert Image.of(encoded(mode="L", colour=7)).pixels().getpixel((0, 0)) == (7, 7, 7)
    assert Image.of(encoded(mode="RGBA", colour=(9, 8, 7, 255))).pixels().getpixel((0, 0)) == (9, 8, 7)


def test_changing_the_pixels_that_were_handed_out_changes_no_picture():
    image = Image.of(encoded())
    image.pixels().putpixel((0, 0), (0, 0, 0))
    assert image.pixels().getpixel((0, 0)) == (9, 200, 30)


def test_a_file_is_read_from_its_path(tmp_path):
    (tmp_path / "a.png").write_bytes(encoded())
    assert Image.open(tmp_path / "a.png") == Image.of(encoded())


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    with pytest.raises(BadImage, match="There is no image at .*Check the path"):
        Image.open(tmp_path / "none.png")
    with pytest.raises(BadImage, match="can't be read"):
        Image.open(tmp_path)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", r"is empty \(0 bytes\)"),
        (b"not a picture at all", "isn't a picture"),
        (encoded(width=80, height=80)[:60], "is broken"),
        (png_header(0, 4), "broken|isn't a picture|a side is zero"),
        (png_header(9000, 9000), "81,?000,?000|9000x9000"),
        (png_header(10000, 10000), "10000x10000"),
        (png_header(60000, 60000), "too many pixels|60000x60000"),
    ],
    ids=["empty", "text", "cut off", "zero-size", "huge", "large enough for Pillow to warn", "bomb"],
)
def test_bytes_that_are_no_usable_picture_are_refused_by_name(data, said):
    with pytest.raises(BadImage, match=said) as caught:
        Image.of(data, source="cat.png")
    assert "cat.png" in str(caught.value)


def test_a_file_of_too_many_bytes_is_refused_before_it_is_decoded(monkeypatch):
    monkeypatch.setattr(images, "MAX_BYTES", 20)
    with pytest.raises(BadImage, match="at most 20 are accepted"):
        Image.of(encoded())


def test_a_device_is_told_apart_before_it_is_read():
    with pytest.raises(BadImage, match="device"):
        Image.open("/dev/zero")
