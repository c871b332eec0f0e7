"""The report: one page that stands alone, says what the numbers say, and can't be broken by what the runs contain."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from pathlib import Path
from random import Random

import pytest
from PIL import Image as Pillow
from PIL import ImageDraw

from errata.core.benchmark import UNCHANGED, Outcome, Probe
from errata.core.canonical import JSON
from errata.core.errors import BadInput
from errata.core.images import Image
from errata.core.records import Edit, Query, Spec
from errata.measure.figures import COLUMNS, write_csv, write_json
from errata.measure.labels import labels
from errata.measure.results import CLASSES, Cost, Horizon, Judged, Rate, Restart, Run
from errata.report.gallery import draw
from errata.report.run import write_report
from errata.report.stats import leaders
from errata.report.view import Shown, view
from errata.report.words import of_table

CHANGE = {"reliability": 1, "text_generality": 2, "image_generality": 2, "cross_modal": 1, "portability": 1, "specificity_in": 1}
STAY = {"specificity_out": 2, "near_locality": 2, "image_locality": 2, "text_locality": 2}
COLOURS = {"red": "#c8372d", "blue": "#2d5fc8", "green": "#3a9a4a", "gold": "#d9a520"}
PLACES = ("harbor", "old mill", "cloud city", "salt desert", "the long valley behind the northern lighthouse")


@dataclass(frozen=True)
class Habits:
    """What an imagined editor is good and bad at, as chances."""

    gives: float
    spreads: float
    keeps: float
    write_ms: float
    growth: float = 1.0


def scene(random: Random, size: int = 64) -> Image:
    """A small noisy picture with two shapes on it."""
    picture = Pillow.new("RGB", (size, size), "#e9e6df")
    pen = ImageDraw.Draw(picture)
    for place, colour in enumerate(random.sample(list(COLOURS), 2)):
        left, top = size * (0.08 + 0.45 * place), size * random.uniform(0.1, 0.5)
        box = (left, top, left + size * 0.38, top + size * 0.38)
        (pen.ellipse if random.random() < 0.5 else pen.rectangle)(box, fill=COLOURS[colour])
    file = io.BytesIO()
    picture.save(file, "PNG")
    return Image.of(file.getvalue())


def judged_edit(position: int, habits: Habits, world: Random, luck: Random) -> Judged:
    """One edit with every kind of probe, answered as the habits say; `world` is shared by all editors, `luck` isn't."""
    picture, target = scene(world), world.choice(PLACES)
    corrected = world.random() < 0.1
    asked = Query.ask(f"where does the thing at the {world.choice(('top left', 'bottom right'))} live?", picture)
    edit = Edit(asked, target, subject="red star")
    committed = luck.random() < 0.5 + habits.gives / 2
    outcomes: list[Outcome] = []
    met: list[bool] = []
    for kind, count in {**CHANGE, **STAY}.items():
        for number in range(count):
            other = scene(world) if kind in ("image_generality", "near_locality", "image_locality") else picture
            words = asked.text if kind == "reliability" else f"{kind.replace('_', ' ')} question {number + 1} about it?"
            query = Query.ask(words) if kind in ("cross_modal", "text_locality") else Query.ask(words, other)
            before = world.choice(PLACES)
            if kind in STAY:
                good = luck.random() < habits.keeps
                outcomes.append(Outcome(Probe(kind, query, UNCHANGED), before, before if good else target))
            else:
                good = committed and luck.random() < (habits.gives if kind == "reliability" else habits.spreads)
                outcomes.append(Outcome(Probe(kind, query, target), before, target if good else before))
            met.append(good)
    if corrected:
        return Judged(position, edit, committed, None, (), ())
    label = classify(outcomes, met)
    telemetry: dict[str, JSON] = {
        "steps": luck.randint(1, 6),
        "loss_nats": [round(luck.uniform(0.1, 4), 3) for _ in range(3)],
        "gate": 0.41,
    }
    return Judged(position, edit, committed, label, tuple(outcomes), tuple(met), telemetry)


def classify(outcomes: list[Outcome], met: list[bool]) -> str:
    by_kind: dict[str, list[bool]] = {}
    for outcome, good in zip(outcomes, met, strict=True):
        by_kind.setdefault(outcome.probe.kind, []).append(good)
    if not all(by_kind["reliability"]):
        return "unreliable"
    inside = all(by_kind["text_generality"] + by_kind["image_generality"])
    outside = all(good for kind in STAY for good in by_kind[kind])
    return {(True, True): "proper", (False, True): "under", (True, False): "over", (False, False): "entangled"}[inside, outside]


def horizon_of(judged: tuple[Judged, ...], edits: int) -> Horizon:
    """The rates of the first `edits`, counted from their outcomes."""
    part = judged[:edits]
    asked: Counter[str] = Counter()
    hits: Counter[str] = Counter()
    for one in part:
        for outcome, good in zip(one.outcomes, one.met, strict=True):
            asked[outcome.probe.kind] += 1
            hits[outcome.probe.kind] += good
    rates = {kind: Rate(hits[kind], asked[kind]) for kind in (*CHANGE, *STAY)}
    inside, outside = rates["specificity_in"], rates["specificity_out"]
    both = inside.n + outside.n
    rates["specificity"] = Rate(both * ((inside.rate or 0) + (outside.rate or 0)) / 2, both)
    rates["cross_edit"] = Rate(0, 0) if edits < 5 else Rate(hits["reliability"] // 3, asked["reliability"] // 3)
    forced = {kind: Rate(min(3 * rate.n, 3 * rate.hits + rate.n), 3 * rate.n) for kind, rate in rates.items() if kind in CHANGE}
    scored = [one for one in part if one.label is not None]
    classes = {name: Rate(sum(one.label == name for one in scored), len(scored)) for name in CLASSES if name != "strict"}
    classes["strict"] = Rate(sum(one.label == "proper" and all(one.met) for one in scored), len(scored))
    tenths = {str(age): scored[len(scored) * age // 10 : len(scored) * (age + 1) // 10] for age in range(10)}
    retention = {age: Rate(sum(one.label != "unreliable" for one in group), len(group)) for age, group in tenths.items()}
    return Horizon(edits, rates, forced, classes, sum(not one.committed for one in part), retention)


def made_run(
    name: str,
    habits: Habits,
    *,
    horizons: tuple[int, ...] = (1, 5, 20, 40),
    fields: dict[str, str | int | float] | None = None,
    seed: int = 7,
) -> Run:
    """A run of an imagined editor over an imagined stream."""
    world, luck = Random(seed), Random(f"{name}{fields}")
    edits = horizons[-1]
    judged = tuple(judged_edit(position, habits, world, luck) for position in range(edits))
    writes = tuple(
        habits.write_ms * luck.lognormvariate(0, 0.12) * (1 + (habits.growth - 1) * place / edits) for place in range(edits)
    )
    cost = Cost(
        write_ms=writes,
        pass_ms=tuple(21 * luck.lognormvariate(0, 0.06) for _ in range(edits)),
        guard_ms=tuple(34 * luck.lognormvariate(0, 0.1) for _ in range(edits)),
        read_over_base=1.07,
        state_bytes=(1_482_752, 1_482_752),
        log_bytes_per_edit=5321.4,
        snapshot_bytes=11_903_344,
    )
    return Run(
        benchmark={"name": "scopeworld-stream", "seed": seed, "edits": edits, "digest": "3f" * 32},
        model={"name": "llava-tiny", "digest": "a7" * 32, "parameters": 5_204_736},
        editor=Spec(name, fields or {"steps": 5}),
        protocol={"answers": "generated, greedy", "matcher": "exact after trimming", "baseline": "the unedited model"},
        horizons=tuple(horizon_of(judged, edits) for edits in horizons),
        cost=cost,
        judged=judged,
    )


def four_runs(horizons: tuple[int, ...] = (1, 5, 20, 40)) -> list[Run]:
    """A baseline, a weak editor and two of one name."""
    return [
        made_run("none", Habits(0, 0, 1, 0.01), horizons=horizons),
        made_run("finetune", Habits(0.35, 0.3, 0.6, 118), horizons=horizons, fields={"where": "text", "steps": 10}),
        made_run(
            "scopeedit",
            Habits(0.85, 0.75, 0.93, 74, 1.04),
            horizons=horizons,
            fields={"preset": "paper", "steps": 5, "seed": "9c" * 32},
        ),
        made_run(
            "scopeedit",
            Habits(0.99, 0.95, 0.98, 61),
            horizons=horizons,
            fields={"preset": "default", "steps": 5, "seed": "4b" * 32},
        ),
    ]


@pytest.fixture(scope="module")
def runs() -> list[Run]:
    return four_runs()


@pytest.fixture(scope="module")
def page(runs: list[Run], tmp_path_factory: pytest.TempPathFactory) -> str:
    return page_of(tmp_path_factory.mktemp("page"), runs)


def page_of(folder: Path, runs: list[Run], seed: int = 7) -> str:
    return write_report(folder / "deep" / "report.html", runs, seed=seed).read_text(encoding="utf-8")


class Balance(HTMLParser):
    """Every tag that opens is closed, in order; and the words of the page, without its style sheet."""

    VOID = frozenset({"meta", "img", "br", "hr", "col"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)

    def values(self, name: str) -> list[str]:
        return [value for _, given, value in self.attributes if given == name]


def parsed(page: str) -> Balance:
    parser = Balance()
    parser.feed(page)
    parser.close()
    assert not parser.open
    return parser


def test_page_is_balanced_and_asks_for_nothing_outside_itself(page: str) -> None:
    seen = parsed(page)
    assert "http:" not in page
    assert "https:" not in page
    assert "url(" not in page
    assert "@import" not in page
    assert not {"script", "link", "iframe", "object", "embed", "form"} & seen.tags.keys()
    assert seen.values("src")
    assert all(source.startswith("data:image/") for source in seen.values("src"))
    anchors = seen.values("href")
    assert anchors
    assert {anchor.removeprefix("#") for anchor in anchors} <= set(seen.values("id"))


def test_page_says_what_was_run(page: str) -> None:
    seen = parsed(page)
    words = " ".join(seen.words)
    for said in (
        "scopeworld-stream after 40 edits",
        "llava-tiny",
        "5,204,736",
        "finetune",
        "scopeedit:preset=paper",
        "exact after trimming",
    ):
        assert said in words
    assert {"3f" * 32, "a7" * 32} <= set(seen.values("title"))


def test_four_figures_lead_the_page_and_what_was_not_measured_is_a_dash(runs: list[Run], tmp_path: Path) -> None:
    one = runs[-1]
    told = replace(one, cost=replace(one.cost, snapshot_first_bytes=11_893_344), restart=Restart(8, 6))
    page = write_report(tmp_path / "led.html", [runs[0], told], seed=7).read_text(encoding="utf-8")
    result = page[page.index('id="result"') : page.index('id="trade"')]
    head, first, second = result.split("<tr>")[1:4]
    assert [word in head for word in ("neighbours moved, %", "seconds to fix", "MB at 10,000 edits")] == [True] * 3
    assert first.count("<td>-</td>") == 2, "neither the state after the first edit nor a restart is in it"
    kept = told.horizons[-1].edits - told.horizons[-1].refused
    assert f"<td>{(11_903_344 + 10_000 / (kept - 1) * (10_000 - kept)) / 1e6:.1f}</td><td>75</td>" in second


def test_every_chart_and_picture_has_words_for_those_who_cannot_see_it(page: str) -> None:
    seen = parsed(page)
    assert len(seen.values("alt")) == seen.tags["img"]
    assert all(seen.values("alt"))
    spoken = {"role", "aria-hidden"}
    assert sum(1 for tag, name, _ in seen.attributes if tag == "svg" and name in spoken) == seen.tags["svg"]
    charts = sum(1 for tag, name, value in seen.attributes if tag == "svg" and (name, value) == ("role", "img"))
    assert sum(1 for tag, name, value in seen.attributes if tag == "svg" and name == "aria-label" and value) == charts
    assert seen.tags["caption"] == seen.tags["table"]


def test_same_runs_and_seed_give_the_same_bytes_and_another_seed_another_gallery(
    page: str, runs: list[Run], tmp_path: Path
) -> None:
    assert page_of(tmp_path, four_runs()) == page
    assert page_of(tmp_path, runs, seed=8) != page


def test_no_text_of_a_run_can_break_out_of_the_page(tmp_path: Path) -> None:
    evil = "</td></table><script>alert(1)</script><img src=x onerror=alert(2)>\"' & é"
    run = made_run("odd", Habits(0.6, 0.6, 0.6, 50), horizons=(6,), fields={evil: evil})
    clean = parsed(page_of(tmp_path, [run])).tags
    judged = tuple(
        replace(
            one,
            edit=replace(one.edit, query=Query.ask(evil, *one.edit.query.images), target=evil),
            outcomes=tuple(Outcome(Probe(evil, Query.ask(evil), evil), evil, evil) for _ in one.outcomes),
            telemetry={evil: evil},
        )
        for one in run.judged
    )
    spoiled = replace(
        run, editor=Spec(evil, {evil: evil}), judged=judged, benchmark={**run.benchmark, "name": evil}, protocol={evil: evil}
    )
    page = page_of(tmp_path, [spoiled])
    seen = parsed(page)
    assert "script" not in seen.tags
    assert not seen.values("onerror")
    assert "<script" not in page
    assert seen.tags["section"] == clean["section"]
    assert " ".join(seen.words).count(evil) > 20


def test_half_of_the_gallery_are_failures_where_there_are_that_many(runs: list[Run]) -> None:
    for run in runs:
        drawn = draw(run.judged, count=6, seed=3, salt="x")
        failed = sum(one.label not in ("proper", None) for one in run.judged)
        proper = sum(one.label == "proper" for one in run.judged)
        failures = sum(one.label != "proper" for one in drawn)
        assert len(drawn) == 6
        assert None not in {one.label for one in drawn}
        assert failures == (3 if min(failed, proper) >= 3 else failed if failed < 3 else 6 - proper)
        assert [one.position for one in drawn] == sorted({one.position for one in drawn})


def test_gallery_is_filled_from_the_other_half_when_one_is_short(runs: list[Run]) -> None:
    proper = [one for one in runs[3].judged if one.label == "proper"]
    fault = next(one for one in runs[1].judged if one.label == "unreliable")
    assert Counter(one.label for one in draw([*proper, fault], count=6, seed=1, salt="")) == {"proper": 5, "unreliable": 1}
    assert [one.label for one in draw([fault], count=6, seed=1, salt="")] == ["unreliable"]
    assert draw([], count=6, seed=1, salt="") == ()


def test_gallery_marks_met_and_missed_by_sign_and_word(page: str) -> None:
    assert page.count('✓<span class="sr"> met</span>') == page.count('class="mark met"') > 0
    assert page.count('✗<span class="sr"> not met</span>') == page.count('class="mark missed"') > 0
    assert "refused by the read-back" in page


def test_a_lead_is_bold_only_when_it_exceeds_two_standard_errors() -> None:
    strong, weak = made_run("a", Habits(1, 1, 1, 1), horizons=(40,)), made_run("b", Habits(0.2, 0.2, 0.9, 1), horizons=(40,))
    twin = replace(strong, editor=Spec("c", {}))
    assert leaders([Shown(strong, "a", 0), Shown(weak, "b", 1)], "reliability") == {"a"}
    assert leaders([Shown(weak, "b", 0), Shown(strong, "a", 1)], "specificity") == {"a"}
    assert leaders([Shown(strong, "a", 0), Shown(twin, "c", 1)], "reliability") == frozenset()
    assert leaders([Shown(strong, "a", 0), Shown(twin, "c", 1), Shown(weak, "b", 2)], "reliability") == frozenset()
    assert leaders([Shown(strong, "a", 0)], "reliability") == frozenset()


def test_one_edit_of_difference_is_no_lead() -> None:
    strong = made_run("a", Habits(1, 1, 1, 1), horizons=(40,))
    place = next(place for place, one in enumerate(strong.judged) if one.label == "proper")
    slip = replace(strong.judged[place], met=tuple(False for _ in strong.judged[place].met))
    judged = (*strong.judged[:place], slip, *strong.judged[place + 1 :])
    almost = replace(strong, judged=judged, horizons=(horizon_of(judged, 40),))
    pair = [Shown(strong, "a", 0), Shown(almost, "b", 1)]
    assert almost.horizons[-1].rates["reliability"].hits == strong.horizons[-1].rates["reliability"].hits - 1
    assert leaders(pair, "reliability") == frozenset()


def test_with_few_edits_nothing_is_bold(page: str, tmp_path: Path) -> None:
    pair = [made_run("a", Habits(1, 1, 1, 1), horizons=(6,)), made_run("b", Habits(0, 0, 0, 1), horizons=(6,))]
    assert "<strong>" not in page_of(tmp_path, pair)
    assert "<strong>" in page


def test_the_lead_sentence_follows_the_numbers(runs: list[Run]) -> None:
    before = of_table(view(runs, 0))
    rate = runs[3].horizons[-1].rates["reliability"].rate
    assert rate is not None
    assert f"scopeedit:preset=default answers {100 * rate:.0f}%" in before
    last = runs[3].horizons[-1]
    sunk = replace(last, rates={**last.rates, "reliability": Rate(0, 40)})
    after = of_table(view([*runs[:3], replace(runs[3], horizons=(*runs[3].horizons[:-1], sunk))], 0))
    assert "scopeedit:preset=paper answers" in after
    assert "scopeedit:preset=default 0%" in after


@pytest.mark.parametrize("name", ["none", "finetune"])
def test_a_single_editor_at_a_single_horizon_makes_a_page(name: str, tmp_path: Path) -> None:
    seen = parsed(page_of(tmp_path, [made_run(name, Habits(0.5, 0.5, 0.5, 30), horizons=(3,))]))
    assert "no course can be seen yet" in " ".join(seen.words)


def test_rates_of_nothing_are_shown_as_nothing(tmp_path: Path) -> None:
    run = made_run("bare", Habits(0.5, 0.5, 0.5, 30), horizons=(1, 5))
    nothing = Rate(0, 0)
    empty = tuple(
        Horizon(
            one.edits,
            dict.fromkeys(one.rates, nothing),
            dict.fromkeys(one.teacher_forced, nothing),
            dict.fromkeys(CLASSES, nothing),
            5,
        )
        for one in run.horizons
    )
    free = Cost((), (), (), 0.0, (0, 0), 0.0, 0)
    words = " ".join(parsed(page_of(tmp_path, [replace(run, horizons=empty, judged=(), cost=free)])).words)
    assert "None" not in words
    assert "nan" not in words.lower().split()
    assert "No write was timed." in words
    assert "No edit was scored" in words


def test_large_pictures_are_shrunk_and_small_ones_kept_sharp(tmp_path: Path) -> None:
    run = made_run("big", Habits(0.5, 0.5, 0.5, 30), horizons=(2,))
    wide = scene(Random(1), 1500)
    judged = tuple(replace(one, edit=replace(one.edit, query=Query.ask("what is this?", wide))) for one in run.judged)
    seen = parsed(page_of(tmp_path, [replace(run, judged=judged)]))
    widths = [int(value) for tag, name, value in seen.attributes if (tag, name) == ("img", "width")]
    assert 448 in widths
    assert 64 in widths
    assert 1500 not in widths
    assert any(source.startswith("data:image/jpeg") for source in seen.values("src"))


def test_runs_that_do_not_belong_together_are_refused_and_nothing_is_written(runs: list[Run], tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    other = replace(runs[1], benchmark={**runs[1].benchmark, "digest": "00" * 32})
    shorter = replace(runs[1], horizons=runs[1].horizons[:-1])
    for wrong in ([], [runs[0], other], [runs[0], shorter], [replace(runs[0], horizons=())]):
        with pytest.raises(BadInput, match=r"\. [A-Z]"):
            write_report(path, wrong, seed=1)
    assert not path.exists()


def test_labels_are_short_and_distinct(runs: list[Run]) -> None:
    assert labels(runs) == ("none", "finetune", "scopeedit:preset=paper", "scopeedit:preset=default")
    assert labels([runs[1], runs[1]]) == ("finetune #1", "finetune #2")
    fields = ({"a": 1, "b": 1}, {"a": 1, "b": 2}, {"a": 2, "b": 1})
    three = [replace(runs[1], editor=Spec("x", values)) for values in fields]
    assert labels(three) == ("x:a=1,b=1", "x:a=1,b=2", "x:a=2,b=1")


def test_csv_has_a_row_for_each_editor_horizon_kind_and_protocol(runs: list[Run], tmp_path: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(write_csv(tmp_path / "a" / "result.csv", runs).read_text(encoding="utf-8"))))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == sum(len(horizon.rates) + len(horizon.teacher_forced) for run in runs for horizon in run.horizons)
    found = {(row["editor"], row["edits"], row["kind"], row["protocol"]): row for row in rows}
    assert len(found) == len(rows)
    told, rate = found["finetune", "40", "near_locality", "generated"], runs[1].horizons[-1].rates["near_locality"]
    assert (float(told["rate"]), int(told["n"])) == (rate.rate, rate.n)
    assert found["none", "1", "cross_edit", "generated"]["rate"] == ""


def test_json_is_the_run_in_its_promised_layout(runs: list[Run], tmp_path: Path) -> None:
    read = json.loads(write_json(tmp_path / "a" / "result.json", runs[1]).read_text(encoding="utf-8"))
    assert read == json.loads(json.dumps(runs[1].to_json()))
    assert set(read) == {"benchmark", "model", "editor", "protocol", "horizons", "cost", "judged"}


def test_style_sheet_serves_light_dark_and_paper(page: str) -> None:
    assert "prefers-color-scheme: dark" in page
    assert "@media print" in page
    light, _, rest = page.partition("@media screen and (prefers-color-scheme: dark)")
    named = set(re.findall(r"(--[a-z0-9-]+):", light))
    dark = set(re.findall(r"(--[a-z0-9-]+):", rest.partition("@media print")[0].partition("* {")[0]))
    own = {"--c", "--r"}  # set by an editor's class and by a cell
    assert set(re.findall(r"var\((--[a-z0-9-]+)", page)) <= named | own
    assert dark <= named
    assert {name for name in named if name.startswith(("--c", "--on"))} <= dark


def test_a_run_is_labelled_as_it_was_asked_for(runs: list[Run]) -> None:
    named = [replace(run, asked=f"editor:number={index}") for index, run in enumerate(runs)]
    assert labels(named) == tuple(run.asked for run in named)
    assert labels([replace(run, asked="same") for run in runs]) == labels(runs)


def test_the_report_says_where_runs_shared_the_cores_that_their_times_are_of(tmp_path: Path) -> None:
    alone = four_runs()
    together = [replace(run, cost=replace(run.cost, at_a_time=3)) for run in alone]
    said = [re.search(r"3 runs shared the machine.{1,6}s cores", page_of(tmp_path, runs)) for runs in (alone, together)]
    assert [each is not None for each in said] == [False, True]
