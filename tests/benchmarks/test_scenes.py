"""Scenes are drawn the same from the same seed, and real handwriting never crosses its split."""

import numpy as np
import pytest

from errata.benchmarks.scopeworld.knowledge import COLOURS, DIGITS, DRAWN, GLYPHS, KINDS, Kind
from errata.benchmarks.scopeworld.scenes import SIDE, Scene, _scans, blank, draw, encode, lightly_changed, picture, random_scene


def test_the_same_seed_draws_the_same_bytes():
    scenes = [random_scene(np.random.default_rng(5)) for _ in range(2)]
    assert scenes[0] == scenes[1]
    first, second = (picture(scenes[0], np.random.default_rng(6)) for _ in range(2))
    assert first.data == second.data
    assert picture(scenes[0], np.random.default_rng(7)).digest != first.digest


def test_a_scene_holds_one_to_four_different_kinds(rng):
    counts = set()
    for _ in range(200):
        scene = random_scene(rng)
        kinds = [scene.at(cell) for cell in scene.filled]
        assert len(set(kinds)) == len(kinds)
        counts.add(len(kinds))
    assert counts == {1, 2, 3, 4}


def test_a_scene_holds_what_it_must(rng):
    must = (KINDS[3], KINDS[70])
    scene = random_scene(rng, must=must, count=3)
    assert set(must) <= set(scene.cells)
    assert len(scene.filled) == 3


@pytest.mark.parametrize("digit", DIGITS)
def test_training_and_held_out_handwriting_are_disjoint(digit):
    trained = {scan.tobytes() for scan in _scans(digit, "train")}
    held_out = {scan.tobytes() for scan in _scans(digit, "held_out")}
    assert len(held_out) >= 30
    assert not trained & held_out


@pytest.mark.parametrize("glyph", GLYPHS)
def test_every_glyph_leaves_ink_in_its_own_cell_alone(glyph, rng):
    pixels = draw(Scene((None, Kind(glyph, "white"), None, None)), rng, hand="train").astype(int)
    bright = pixels.min(axis=2) > 120
    assert bright[: SIDE // 2, SIDE // 2 :].sum() > 30
    bright[: SIDE // 2, SIDE // 2 :] = False
    assert not bright.any()


def test_colours_differ_more_between_themselves_than_within(rng):
    means = {}
    for colour in COLOURS:
        shots = [draw(Scene((Kind(DRAWN[6], colour), None, None, None)), rng)[10:20, 10:20].mean((0, 1)) for _ in range(12)]
        means[colour] = (np.mean(shots, 0), np.std(shots, 0).max())
    for a in COLOURS:
        for b in COLOURS:
            if a != b:
                assert np.abs(means[a][0] - means[b][0]).max() > 1.5 * max(means[a][1], means[b][1]), (a, b)


def test_a_blank_picture_shows_nothing():
    assert np.ptp(np.asarray(blank().pixels())) == 0


def test_a_light_change_keeps_the_scene_and_changes_the_bytes(rng):
    image = encode(draw(random_scene(rng, count=4), rng))
    changed = lightly_changed(image)
    assert set(changed) == {"re-encoded", "resized", "cropped"}
    assert len({image.digest, *(other.digest for other in changed.values())}) == 4
    for other in changed.values():
        shrunk = np.asarray(other.pixels().resize((8, 8)), dtype=int)
        assert np.abs(shrunk - np.asarray(image.pixels().resize((8, 8)), dtype=int)).mean() < 16
