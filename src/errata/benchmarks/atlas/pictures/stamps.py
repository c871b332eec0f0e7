"""Things cut out of their photographs: Tux Paint's stamps, each named by the sentence beside it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

from errata.benchmarks.atlas import things
from errata.benchmarks.atlas.pictures.packages import STAMPS, installed, is_installed
from errata.benchmarks.atlas.pictures.picture import Picture, Pixels, shrunk

COLLECTION: Final = "tuxpaint"
LICENCE: Final = "GPL-2.0-or-later"
ATTRIBUTION: Final = "Tux Paint stamps, Bill Kendrick and others"

_FOLDER: Final = "/usr/share/tuxpaint/stamps"
_LEFT_OUT: Final = re.compile(
    r"^symbols/|^town/(flags|roadsigns)/|/cartoon/|_mirror$|^plants/trees/rambutan$|^military/fireman|"
    r"^household/dishes/glass$|^naturalforces/lightningbolt$"
)
"""Letters, digits and signs; what is drawn; what is there a second time; what is named in fun; what can't be seen on white."""

_NAMED: Final = re.compile(r"(An?) ([^.!?,:;()“”\"—]+)[.!]")
_LONGEST: Final = 5
"""Words of a name: longer ones are sentences about the thing."""

_SPELLED: Final[Mapping[str, str]] = {
    "A ripe, red tomato!": "a tomato", "Eat your broccoli!": "broccoli", "A yellow lemon.": "a lemon",
    "A brown potato.": "a potato", "A head of lettuce.": "a lettuce", "A head of red lettuce.": "a lettuce",
    "A pair of cherries.": "a cherry", "A bunch of grapes.": "a grape", "A folded shirt.": "a shirt", "A t shirt.": "a shirt",
    "A top hat.": "a hat", "A key.": "a door key", "A garden spade.": "a spade", "A fire truck.": "a fire engine",
    "An electric kettle.": "a kettle", "A mercury thermometer.": "a thermometer", "A dromedary.": "a camel",
    "A camel.": "a Bactrian camel", "A pink flamingo.": "a flamingo", "A red kangaroo.": "a kangaroo",
    "A spiny lobster, from the Hawaiian islands.": "a lobster", "A classical guitar.": "a guitar",
    "A little rabbit.": "a rabbit", "A big eared rabbit.": "a rabbit", "A green bus.": "a bus", "A sliced lime.": "a lime",
    "A Sumatran tiger.": "a tiger", "A very small pumpkin.": "a pumpkin", "A male black rhino.": "a rhinoceros",
    "A peacock (a male peafowl).": "a peacock", "An hippopotamus.": "a hippopotamus", "A Tamworth pig.": "a pig",
    "A brown hen.": "a chicken", "A colorful rooster.": "a rooster", "A european bear.": "a bear",
    "A mountaingoat.": "a mountain goat",
    "A kiwifruit.": "a kiwi fruit", "An avocado fruit.": "an avocado", "A yellow pear.": "a pear", "An eggplant.": "an aubergine",
    "A garlic bulb.": "garlic", "A string of garlic.": "garlic", "A pair of pants.": "trousers", "A wrench.": "a spanner",
    "An adjustable wrench.": "an adjustable spanner", "A pair of pliers.": "pliers", "An airplane.": "an aeroplane",
    "A soccer ball.": "a football", "A garbage truck.": "a dustcart", "A silver garbage can.": "a dustbin",
    "A lightbulb.": "a light bulb", "A christmas pudding is eaten on Christmas Day in England.": "a Christmas pudding",
    "A very poisonous lionfish!": "a lionfish", "Measuring tape.": "a tape measure", "An adhesive bandage.": "a sticking plaster",
    "A colorful bow.": "a ribbon", "The Sun.": "the sun", "The Earth. Our planet!": "the Earth", "The full moon.": "the full moon",
    "Santa Claus.": "Father Christmas", "Confetti.": "confetti", "Big fireworks.": "fireworks", "A headstone.": "a gravestone",
    "A tombstone.": "a gravestone", "A grave marker.": "a gravestone", "A cemetery marker.": "a gravestone",
    "A monument stone.": "a gravestone", "The baby of a gnu.": "a baby gnu", "A baby sheep (a lamb).": "a lamb",
    "An albino peahen (a female peafowl, or peacock).": "a white peahen", "Sweet yellow corn.": "a maize cob",
    "A chile pepper.": "a chilli", "A hoverfly resembles a honeybee drone.": "a hoverfly", "A Silver Gull.": "a silver gull",
    "A ginger 'root'.": "a ginger root", "A plumber’s wrench.": "a pipe wrench", "A very small pitcher.": "a jug",
    "An eggplant with fruit.": "an aubergine plant", "A Jack-o’-lantern.": "a jack-o'-lantern", "A sedan car.": "a car",
    "A quarter of pizza.": "a slice of pizza", "A race car.": "a racing car", "A lit candle.": "a candle", "A bunny.": "a rabbit",
    "A floppy-eared bunny.": "a rabbit", "A birch at winter.": "a birch in winter", "A red headed cep.": "a cep",
    "A pair of closed scissors.": "scissors", "A pair of open scissors.": "scissors", "A walnut in its shell.": "a walnut",
    "A bulb ornament.": "a bauble", "A modern clothespin.": "a clothes peg", "An old-fashioned clothespin.": "a clothes peg",
    "A Red Gazania.": "a red gazania", "A White Star Petunia.": "a white petunia", "A plant of common lavender.": "lavender",
    "A hibiscus flower.": "a hibiscus", "A pair of binoculars.": "binoculars", "A cherimoya fruit.": "a cherimoya",
}  # fmt: skip
"""A stamp's sentence -> its name, where that isn't the sentence; one name for one thing, as in the other collections."""


def there() -> bool:
    """Whether the package is installed."""
    return is_installed(_FOLDER)


@cache
def listed() -> tuple[Picture, ...]:
    """Every stamp whose sentence names one thing.

    Raises:
        BadInput: the package isn't installed.
    """
    folder = installed(STAMPS, _FOLDER)
    found = []
    for path in sorted(folder.rglob("*.png")):
        own = path.relative_to(folder).with_suffix("").as_posix()
        name = "" if _LEFT_OUT.search(own) else named(_sentence(path.with_suffix(".txt")))
        if name:
            found.append(Picture(COLLECTION, own, name, name if name in things.NAMES else None, LICENCE, ATTRIBUTION))
    return tuple(found)


def opened(own: str) -> Pixels:
    """RGBA of a stamp.

    Raises:
        BadInput: the package isn't installed.
    """
    return shrunk(installed(STAMPS, f"{_FOLDER}/{own}.png"))


def named(sentence: str) -> str:
    """What a stamp shows, by its sentence: "A crow." a crow; "": that names nothing."""
    if sentence in _SPELLED:
        return _SPELLED[sentence]
    said = _NAMED.fullmatch(sentence)
    if said is None or len(said[2].split()) >= _LONGEST:
        return ""
    return f"{said[1].lower()} {said[2]}"


def _sentence(path: Path) -> str:
    """The first line, which is English; others translate it."""
    return path.read_text(encoding="utf-8").partition("\n")[0].strip() if path.exists() else ""
