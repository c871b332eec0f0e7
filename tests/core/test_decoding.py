"""A picture is decoded as a viewer shows it; in the version before, as the bytes lie; and whatever isn't one is a sentence."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL.PngImagePlugin import PngInfo

from errata.core.canonical import digest_of
from errata.core.decoding import as_it_is
from errata.core.errors import BadImage
from errata.core.images import Image
from errata.core.matching import asks
from errata.core.records import Message, Query
from tests.core import mutants

NOISE_HWC = np.random.default_rng(1).integers(0, 256, (12, 17, 3), dtype=np.uint8)
GREY_HW = np.arange(256, dtype=np.uint8).reshape(8, 32)
RUN = Path(mutants.__file__)


def encoded(picture, kind="PNG", **options):
    data = io.BytesIO()
    picture.save(data, kind, **options)
    return data.getvalue()


def pixels(data, decoder=2):
    return np.asarray(Image(digest_of(data), data).pixels(decoder))


def there():
    """The environment of another process, which finds what this one finds."""
    return os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}


def oriented(number):
    notes = Pillow.Exif()
    notes[274] = number
    return notes


# How the stored rows and columns become the upright picture, by the definition of the EXIF tag: "the 0th row is at the visual ...".
UPRIGHT = {
    1: lambda stored: stored,
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.transpose(1, 0, 2),
    6: lambda stored: stored.transpose(1, 0, 2)[:, ::-1],
    7: lambda stored: stored[::-1, ::-1].transpose(1, 0, 2),
    8: lambda stored: stored.transpose(1, 0, 2)[::-1],
}


@pytest.mark.parametrize("number", sorted(UPRIGHT))
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_a_picture_is_turned_as_its_exif_says(kind, number):
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(Pillow.fromarray(NOISE_HWC), kind, exif=oriented(number), **options)
    assert np.array_equal(pixels(data), UPRIGHT[number](NOISE_HWC))
    if kind != "TIFF":  # there Pillow turns it itself
        assert np.array_equal(pixels(data, 1), NOISE_HWC)


def test_a_photograph_of_a_phone_is_the_upright_photograph():
    upright = Pillow.fromarray(NOISE_HWC).resize((64, 48))
    plain = encoded(upright, "JPEG", quality=95)
    phone = encoded(upright.transpose(Pillow.Transpose.ROTATE_180), "JPEG", quality=95, exif=oriented(3))
    assert np.abs(pixels(phone).astype(int) - pixels(plain)).mean() < 2
    assert np.abs(pixels(phone, 1).astype(int) - pixels(plain)).mean() > 20
    assert (as_it_is(plain), as_it_is(phone)) == (True, False)


@pytest.mark.parametrize(
    "notes", [b"Exif\0\0", b"Exif\0\0MM\0*\xff\xff\xff\xff", b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x07\0\xff\xff\0\0abcd"]
)
def test_a_picture_whose_exif_is_broken_is_shown_as_it_lies(notes):
    data = encoded(Pillow.fromarray(NOISE_HWC), "WEBP", lossless=True, exif=notes)
    assert np.array_equal(pixels(data), NOISE_HWC)


def test_what_is_transparent_lies_upon_white():
    seen_HWC = np.zeros((2, 2, 4), np.uint8)
    seen_HWC[0, 0] = (10, 20, 30, 255)
    seen_HWC[0, 1] = (0, 0, 0, 128)
    data = encoded(Pillow.fromarray(seen_HWC))
    assert pixels(data).tolist() == [[[10, 20, 30], [127, 127, 127]], [[255, 255, 255], [255, 255, 255]]]
    assert pixels(data, 1).tolist() == [[[10, 20, 30], [0, 0, 0]], [[0, 0, 0], [0, 0, 0]]]


def transparent(mode):
    """Black with a corner that is seen through, and how its mode says so."""
    grey = Pillow.new("L", (4, 4), 0)
    grey.putpixel((0, 0), 7)
    if mode == "LA":
        whole = Pillow.new("LA", (4, 4), (0, 255))
        whole.putpixel((0, 0), (0, 0))
        return encoded(whole)
    if mode == "I;16":
        return encoded(Pillow.fromarray(np.asarray(grey).astype(np.uint16) * 1000), transparency=7000)
    if mode == "RGB":
        return encoded(Pillow.merge("RGB", [grey] * 3), transparency=(7, 7, 7))
    if mode == "P, a byte for each":
        whole = grey.convert("P")
        return encoded(whole, transparency=bytes([255] * 7 + [0]))
    return encoded(grey.convert(mode), "GIF" if mode == "P" else "PNG", transparency=7)


@pytest.mark.parametrize("mode", ["L", "LA", "P", "P, a byte for each", "RGB", "I;16"])
def test_every_way_to_say_transparent_is_seen_and_nothing_is_printed(mode):
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        found = pixels(transparent(mode))
    assert found[0, 0].tolist() == [255, 255, 255]
    assert found.reshape(-1, 3)[1:].max() == 0
    assert said == []


def test_a_16_bit_colour_that_is_seen_through_is_found_by_its_upper_bits():
    # Pillow writes no 16-bit colours: a PNG by hand, of two pixels, the second one transparent.
    import zlib

    def chunk(kind, body):
        return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")

    row = b"\0" + b"\x10\x20\x30\x40\x50\x60" + b"\x12\x34\x56\x78\x9a\xbc"
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", b"\0\0\0\2\0\0\0\1\x10\2\0\0\0") + chunk(b"tRNS", row[7:])
    data += chunk(b"IDAT", zlib.compress(row)) + chunk(b"IEND", b"")
    assert pixels(data).tolist() == [[[0x10, 0x30, 0x50], [255, 255, 255]]]


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM", "JPEG2000"])
def test_grey_of_16_bits_is_scaled_to_8(kind):
    wide = Pillow.fromarray(GREY_HW.astype(np.uint16) * 257)
    options = {"irreversible": False} if kind == "JPEG2000" else {}
    data = encoded(wide.convert("I") if kind == "PPM" else wide, kind, **options)
    assert np.array_equal(pixels(data)[..., 1], GREY_HW)
    assert len(set(pixels(data, 1)[..., 1].ravel().tolist())) < 4 or kind == "JPEG2000"


@pytest.mark.parametrize(
    ("values", "grey"),
    [
        (np.array([[0, 128, 255]], np.int32), [0, 128, 255]),
        (np.array([[0, 0x8000, 0xFFFF]], np.int32), [0, 128, 255]),
        (np.array([[-1000, 0, 1000]], np.int32), [0, 128, 255]),
        (np.array([[0, 1 << 30, (1 << 31) - 1]], np.int32), [0, 128, 255]),
        (np.array([[0, 0.5, 1]], np.float32), [0, 128, 255]),
        (np.array([[0, 0.25, 0.5]], np.float32), [0, 64, 128]),
        (np.array([[0, 128, 255]], np.float32), [0, 128, 255]),
        (np.array([[0, 32768, 65535]], np.float32), [0, 128, 255]),
        (np.array([[-2.0, 0, 2.0]], np.float32), [0, 128, 255]),
        (np.array([[np.nan, -np.inf, 0.5, np.inf, 1.0]], np.float32), [128, 128, 128, 255, 255]),
        (np.array([[np.nan, np.inf]], np.float32), [0, 0]),
        (np.array([[-5, -5]], np.int32), [0, 0]),
        (np.array([[-3e38, 0, 3e38]], np.float32), [0, 128, 255]),
    ],
)
def test_grey_of_32_bits_and_of_floats_is_scaled_by_what_its_values_run_over(values, grey):
    found = pixels(encoded(Pillow.fromarray(values), "TIFF"))
    assert found[0, :, 0].tolist() == grey
    assert np.array_equal(found[..., 0], found[..., 2])


def test_the_version_before_decodes_as_it_did():
    """What Pillow's own conversion makes of it, whatever the newest does."""
    for data in mutants.originals():
        if data.startswith(b"%!PS"):
            continue
        try:
            with Pillow.open(io.BytesIO(data)) as opened:
                then = np.asarray(opened.convert("RGB"))
        except (OSError, ValueError, NotImplementedError):
            continue
        assert np.array_equal(pixels(data, 1), then)


def test_only_pictures_made_of_pixels_are_opened():
    refused = 0
    for data in mutants.originals():
        raster = not data.startswith((b"%!PS", b"DDS ", b"\0\0\2\0", b"\n\5", b"\1\xda", b"icns"))
        if raster:
            assert Image.of(data).pixels().size in ((24, 20), (20, 24), (16, 13))
        else:
            refused += 1
            with pytest.raises(BadImage, match="the file isn't a picture that can be read. Give a PNG, JPEG"):
                Image.of(data, source="the file")
    assert refused == 6


def test_a_decoder_that_raises_what_it_likes_is_a_broken_picture():
    whole = encoded(Pillow.fromarray(NOISE_HWC).resize((64, 64)), "AVIF")
    begin = whole.index(b"mdat") + 4
    runtime = whole[:begin] + bytes(len(whole) - begin)
    unmade = encoded(Pillow.fromarray(NOISE_HWC), "DDS")
    unmade = unmade[:80] + (1 << 22).to_bytes(4, "little") + unmade[84:]
    for data, raised in ((runtime, RuntimeError), (unmade, NotImplementedError)):
        with pytest.raises(raised):  # else this test shows nothing
            Pillow.open(io.BytesIO(data)).convert("RGB")
        with pytest.raises(BadImage, match="is broken: .*Save it again and retry"):
            pixels(data, 1)
    with pytest.raises(BadImage, match=r"^The image a\.avif is broken: .*Save it again and retry"):
        Image.of(runtime, source="a.avif")


def test_an_icon_that_is_larger_than_it_says_is_refused(monkeypatch):
    whole = encoded(Pillow.new("RGB", (40, 40)), "ICO", sizes=[(40, 40)])
    assert Image.of(whole).pixels().size == (40, 40)
    small = whole[:6] + b"\x04\x04" + whole[8:]
    monkeypatch.setattr("errata.core.images.MAX_PIXELS", 1000)
    with pytest.raises(BadImage, match="40x40 pixels; at most 1,000"):
        Image.of(small)


def test_the_same_pixels_in_other_bytes_are_the_same_question():
    told = PngInfo()
    told.add_text("made", "later")
    drawn = Pillow.fromarray(NOISE_HWC)
    one, same, other = (
        Image.of(encoded(drawn)),
        Image.of(encoded(drawn, compress_level=1, pnginfo=told)),
        Image.of(encoded(drawn.transpose(Pillow.Transpose.ROTATE_180))),
    )
    wide = Image.of(encoded(Pillow.frombytes("RGB", (12, 17), drawn.tobytes())))
    assert one != same
    assert one.shown() == same.shown()
    assert len({one.shown(), other.shown(), wide.shown()}) == 3
    named = [asks(Query.ask("who?", image), rule=0, decoder=2) for image in (one, same, other, wide)]
    assert named[0] == named[1]
    assert len(set(named)) == 3
    assert named[0] != asks(Query.ask("what?", one), rule=0, decoder=2)
    turns = Query((Message("user", (one, "who?")), Message("assistant", ("him",)), Message("user", ("where?",))))
    assert asks(turns, rule=0, decoder=2) != asks(Query.ask("where?", one), rule=0, decoder=2)
    assert asks(Query.ask("who?"), rule=0) == Query.ask("who?").digest
    turned = Image.of(encoded(drawn.transpose(Pillow.Transpose.ROTATE_180), exif=oriented(3)))
    assert (turned.shown() == one.shown(), turned.shown(1) == one.shown(1)) == (True, False)


def test_what_pillow_notes_of_a_file_stays_off_the_terminal(tmp_path):
    data = encoded(Pillow.fromarray(NOISE_HWC), "TIFF")
    samples = data.index(b"\x15\x01\x03\x00\x01\x00\x00\x00")  # tag 277, one short
    (tmp_path / "a.tiff").write_bytes(data[: samples + 8] + b"\x09" + data[samples + 9 :])
    noted = {}
    for by in ("from PIL import Image", "from errata.core.images import Image"):
        command = [sys.executable, "-c", f"import sys; {by}; Image.open(sys.argv[1])", str(tmp_path / "a.tiff")]
        noted[by] = "More samples" in subprocess.run(command, capture_output=True, text=True, env=there(), check=False).stderr
    assert list(noted.values()) == [True, False]  # by itself it would be printed


@pytest.mark.proof(sample=400, full=20_000)
def test_mutated_pictures_end_in_pixels_or_a_sentence_and_nothing_on_the_terminal(trials, record):
    command = [sys.executable, "-W", "always", str(RUN), str(trials)]
    done = subprocess.run(command, capture_output=True, text=True, env=there(), check=False)
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    record.update(found)
    assert sum(found.values()) == trials
    assert min(found["decoded"], found["refused"]) > trials // 10
