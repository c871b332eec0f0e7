"""Photographs of monuments, animals, tools and fishes, from the resource files of GCompris."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from io import BytesIO
from pathlib import PurePosixPath
from typing import Final

from errata.benchmarks.atlas import things
from errata.benchmarks.atlas.pictures.credits import Credit, credits
from errata.benchmarks.atlas.pictures.packages import PHOTOGRAPHS, installed, is_installed
from errata.benchmarks.atlas.pictures.picture import Picture, Pixels, shrunk
from errata.benchmarks.atlas.pictures.rcc import Resources

COLLECTION: Final = "gcompris"

_FOLDER: Final = "/usr/share/gcompris-qt/rcc"
_INSIDE: Final = "gcompris/src/activities"
_ACTIVITIES: Final = ("explore_monuments", "categorization", "explore_world_animals", "explore_farm_animals", "erase")

_LEFT_OUT: Final = frozenset(
    {
        "images/alphabets/alphabets", "images/numbers/numbers",  # letters and digits
        "images/monuments/greatPyramid", "images/monuments/brandenburgGate",  # the very ones of explore_monuments
        "images/monuments/colosseum",
    }
)  # fmt: skip
"""Not shown: signs, and photographs that are there a second time."""

_MEANT: Final = {"screDriver.webp": "screwDriver.webp", "germany/audaPalatina.webp": "germany/aulaPalatina.webp"}
"""What a README misspells -> the file that is there."""

_SPELLED: Final[Mapping[str, str]] = {
    "IndiaGate": "India Gate", "arcDeTriomphe": "the Arc de Triomphe du Carrousel", "bayterek": "the Bayterek Tower",
    "burj": "the Burj Khalifa", "cathedral": "Santiago de Compostela Cathedral", "christTheRedeemer": "Christ the Redeemer",
    "eiffelTower": "the Eiffel Tower", "empireState": "the Empire State Building", "greatWall": "the Great Wall of China",
    "jucheTower": "the Juche Tower", "kutubMinar": "the Qutub Minar", "leMusee": "the Louvre",
    "leaningTowerOfPisa": "the Leaning Tower of Pisa", "monument1": "the Dome of the Rock",
    "monument2": "the Tetrapylon of Aphrodisias", "monument3": "Saint Francis of Assisi Church in Vienna",
    "mountRushmore": "Mount Rushmore", "operaHouse": "the Sydney Opera House", "parthenon": "the Parthenon",
    "statueOfLiberty": "the Statue of Liberty", "tajMahal": "the Taj Mahal", "usCapitol": "the US Capitol",
    "victoriaMemorial": "the Victoria Memorial in London", "zimniPalace": "the Winter Palace",
    "blackslate": "a blackboard", "buffetset": "a cup and a saucer", "bulb": "a light bulb", "cup": "a cup and a saucer",
    "erasers": "an eraser", "knife": "cutlery", "pan": "a frying pan", "spoons": "spoons", "weighingMachine": "scales",
    "geothermal": "a geothermal power station", "solar1": "a solar cooker", "solar2": "a solar cooker", "solar3": "a solar cooker",
    "solar": "solar panels", "windmill6": "a wind turbine", "hammer3": "a sledgehammer", "cuttingTool": "wire cutters",
    "sideCutter": "wire cutters", "measuringTape": "a tape measure", "nailCutter": "nail clippers", "plier": "pliers",
    "scissors": "scissors", "screwDriver3": "torque screwdrivers", "screwDriver": "a screwdriver", "spray": "a spray bottle",
    "tweezer": "tweezers", "wrench": "an adjustable spanner", "fish6": "a discus fish", "fish9": "a clownfish",
    "fish25": "a goldfish", "fish28": "a pufferfish", "camels": "a camel", "chamaeleon": "a chameleon",
    "long_nosed_monkey": "a proboscis monkey", "meerkats": "meerkats", "nubian_ibex": "a Nubian ibex", "spoonbills": "spoonbills",
    "swans": "a swan",
}  # fmt: skip
"""What is on a file, by its name with its number or without: where that isn't the name with an article."""

_TITLED: Final[Mapping[str, str]] = {
    "Taj Mahal, India": "the Taj Mahal", "The Great Wall of China": "the Great Wall of China",
    "Victoria Memorial": "the Victoria Memorial in Kolkata", "Cabrillo": "Cabrillo National Monument",
    "Navajo": "Navajo National Monument", "George Washington Birthplace": "George Washington's birthplace",
    "Golden Temple": "the Golden Temple", "Hawa Mahal": "the Hawa Mahal", "Great Stupa": "the Great Stupa",
    "Ajanta Caves": "the Ajanta Caves", "Charminar": "the Charminar", "Rang Ghar": "the Rang Ghar",
    "Pont du Gard": "the Pont du Gard", "Aula Palatina": "the Aula Palatina", "Trier Imperial Baths": "the Trier Imperial Baths",
    "Castillo de San Marcos": "the Castillo de San Marcos", "Palais des Papes": "the Palais des Papes",
    "Komodo dragon": "a Komodo dragon",
}  # fmt: skip
"""How the title on a board stands in a sentence, where the rule doesn't say."""

_WITH_THE: Final = frozenset("Colosseum Tower Gate Minar Pyramid Giza Meidum Memorial Liberty India Amphitheatre".split())
"""Last words of what is said with "the"."""

_PROPER: Final = frozenset({"Petra", "Rocamadour", "Mont-Saint-Michel"})
"""Names of one word."""

_TITLE: Final = re.compile(r'"title": qsTr\("([^"]*)"\)')
_SHOWN: Final = re.compile(r'"image2": "qrc:/([^"]*)"')


def there() -> bool:
    """Whether the package is installed."""
    return is_installed(_FOLDER)


@cache
def listed() -> tuple[Picture, ...]:
    """Every photograph of one nameable thing whose author and licence are given. Some things are on several.

    Raises:
        BadInput: the package isn't installed, or is damaged.
    """
    return tuple(picture for activity in _ACTIVITIES for picture in _of(activity))


def opened(own: str) -> Pixels:
    """RGBA of a photograph.

    Raises:
        BadInput: the package isn't installed, or doesn't hold it.
    """
    activity, _, rest = own.partition("/")
    return shrunk(BytesIO(_resources(activity).read(f"{_INSIDE}/{activity}/resource/{rest}.webp")))


def _of(activity: str) -> Iterator[Picture]:
    resources, above = _resources(activity), f"{_INSIDE}/{activity}/resource/"
    titles, credited = dict(_titles(resources)), dict(_credited(resources))
    for file in resources.names:
        path = PurePosixPath(file)
        own = file.removeprefix(above).removesuffix(".webp")
        if path.suffix != ".webp" or own in _LEFT_OUT or file not in credited:
            continue
        name = titled(titles[file]) if file in titles else named(path.stem)
        subject = name if name in things.NAMES else None
        yield Picture(COLLECTION, f"{activity}/{own}", name, subject, credited[file].licence, str(credited[file]))


def named(stem: str) -> str:
    """What a file called so shows: "hammer2" a hammer, "red_panda" a red panda."""
    plain = re.sub(r"\d+$", "", stem)
    for each in (stem, plain):
        if each in _SPELLED:
            return _SPELLED[each]
    words = re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", plain).lower()
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def titled(title: str) -> str:
    """A board's title in a sentence: "Eiffel Tower" the Eiffel Tower, "Polar bear" a polar bear."""
    if title in _TITLED:
        return _TITLED[title]
    words = title.split()
    if words[-1] in _WITH_THE:
        return f"the {title}"
    if all(word[0].islower() for word in words[1:]) and title not in _PROPER:
        return f"{'an' if title[0] in 'AEIOU' else 'a'} {title[0].lower()}{title[1:]}"
    return title


def _titles(resources: Resources) -> Iterator[tuple[str, str]]:
    """File -> title, of what the boards show."""
    for file in resources.names:
        if "/board/" in file and file.endswith(".qml"):
            text = resources.read(file).decode()
            yield from zip(_SHOWN.findall(text), _TITLE.findall(text), strict=False)


def _credited(resources: Resources) -> Iterator[tuple[str, Credit]]:
    """File -> credit, of every picture that a README names."""
    for readme in (file for file in resources.names if file.endswith("/README")):
        folder = readme.removesuffix("README")
        for file, credit in credits(resources.read(readme).decode()).items():
            yield folder + _MEANT.get(file, file), credit


@cache
def _resources(activity: str) -> Resources:
    return Resources(installed(PHOTOGRAPHS, f"{_FOLDER}/{activity}.rcc"))
