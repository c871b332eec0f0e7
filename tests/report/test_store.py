"""The view of a store stands alone, shows what the log says of each edit, and can't be broken by what edits contain."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
from base64 import b64encode
from dataclasses import replace
from hashlib import sha256
from html.parser import HTMLParser

import pytest
from PIL import Image as Pillow

from errata.core.images import Image
from errata.core.records import Edit, Provenance, Query
from errata.log import EditLog, MemoryStore, SqliteStore
from errata.log.listing import Sought, edits
from errata.report.store import view_of
from tests.cli.runs import errata
from tests.log.worlds import BY, edit, picture, words

EVIL = "</script></td><script>alert(1)</script><img src=x onerror=alert(2)>\"' & é"


class Seen(HTMLParser):
    """The tags of a page with their attributes, and the text of each edit's card."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.cards: list[str] = []
        self.script = ""
        self._open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._open.append(tag)
        if tag == "article":
            self.cards.append("")

    def handle_endtag(self, tag):
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data):
        if "article" in self._open:
            self.cards[-1] += data + " "
        if self._open[-1:] == ["script"]:
            self.script += data

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


def photo() -> Image:
    file = io.BytesIO()
    Pillow.effect_noise((900, 700), 80).convert("RGB").save(file, "PNG")
    return Image.of(file.getvalue())


OLD = Edit(Query.ask("where does mibo live?", picture(9)), "the old pier", also=(Query.ask("mibo's home?"),))
NEW = replace(OLD, target="the harbor")


@pytest.fixture
def log():
    log = EditLog(MemoryStore())
    log.append("begun", None, BY, details={"model": "tiny", "asked": "codebook"})
    log.append(
        "applied", OLD, Provenance("ann", "the curator says so", "T-7"), details={"before": "in the fog", "after": "the old pier"}
    )
    log.append("applied", NEW, Provenance("bo"), details={"supersedes": [OLD.id], "before": "the old pier", "after": "the harbor"})
    log.append("superseded", None, Provenance("bo"), edit_id=OLD.id, details={"by": NEW.id})
    log.append("refused", words(5), BY, details={"before": "p", "after": "q", "why": "it wasn't learned"})
    return log


def seen(log, text="", **paged):
    page = view_of(log, edits(log, Sought(text=text), **paged), place="errata.db")
    return page, Seen(page)


def test_each_edit_says_what_the_log_says_of_it_the_newest_first(log):
    _, page = seen(log)
    refused, new, old = page.cards
    for part in ("refused", "Who wrote book 5?", "p", "q", "author 5", "it wasn't learned", "ada", "T-1", "entry 5"):
        assert part in refused
    for part in ("in-force", "where does mibo live?", "the old pier", "the harbor", "by bo", "supersedes", OLD.id[:12]):
        assert part in new
    for part in (
        "superseded",
        NEW.id[:12],
        "in the fog",
        "the curator says so",
        "T-7",
        "mibo's home?",
        "history: applied, superseded",
    ):
        assert part in old
    assert old.index("in the fog") < old.index("the old pier")
    links = [attrs["href"] for attrs in page.all("a") if "href" in attrs]
    assert links == [f"#e-{OLD.id[:12]}", f"#e-{NEW.id[:12]}"]
    assert {attrs["id"] for attrs in page.all("article")} >= {link[1:] for link in links}


def test_the_page_fetches_nothing_and_lets_its_own_script_run_alone(log):
    text, page = seen(log)
    policy = next(attrs["content"] for attrs in page.all("meta") if attrs.get("http-equiv"))
    digest = b64encode(sha256(page.script.encode()).digest()).decode()
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert policy.endswith(f"script-src 'sha256-{digest}'")
    assert len(page.all("script")) == 1
    addresses = [value for _, attrs in page.tags for name, value in attrs.items() if name in ("src", "href")]
    assert all(value.startswith(("#", "data:image/")) for value in addresses)
    assert "url(" not in text


def test_what_edits_contain_breaks_nothing(log):
    _, before = seen(log)
    log.append(
        "applied", Edit(Query.ask(EVIL), EVIL, subject=EVIL), Provenance(EVIL, EVIL, EVIL), details={"before": EVIL, "after": EVIL}
    )
    text, page = seen(log)
    assert (page.script, len(page.all("script"))) == (before.script, 1)
    assert {tag for tag, _ in page.tags} - {tag for tag, _ in before.tags} == set()
    assert EVIL in page.cards[0]
    assert page.all("article")[0]["data-author"] == EVIL


def test_a_picture_is_held_once_and_small_and_an_erased_one_is_named(log):
    big = photo()
    for number in range(3):
        log.append("applied", Edit(Query.ask(f"what is in {number}?", big), "noise"), BY)
    text, page = seen(log)
    assert len(page.all("image")) == 2
    assert len(page.all("use")) == 5
    assert len(text) < 60_000 < len(big.data)
    log.store.blobs.erase(big.digest)
    log.append("erased", None, BY, details={"images": [big.digest], "edits": []})
    log.store.blobs.erase(picture(9).digest)
    _, gone = seen(log)
    assert (f"picture {big.digest[:12]} erased" in gone.cards[0], f"{picture(9).digest[:12]} can't be shown" in gone.cards[-1]) == (
        True,
        True,
    )


def test_the_same_log_gives_the_same_bytes_and_a_page_says_what_it_leaves_out(log):
    assert seen(log)[0] == seen(log)[0]
    part, page = seen(log, limit=1)
    assert (len(page.cards), "2 edits of the 3 in the log are not on this page." in part) == (1, True)
    assert "There is no edit to show." in seen(log, "nowhere")[0]
    assert "No edit fits." in seen(EditLog(MemoryStore()))[0]


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs a browser")
def test_words_status_and_author_choose_in_a_browser_without_a_network(log, tmp_path):
    (tmp_path / "page.html").write_text(seen(log)[0])
    for chosen, shown in (("", 3), ("status=superseded", 1), ("text=HARBOR&author=bo", 1), ("author=ann", 1), ("text=nowhere", 0)):
        command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", f"file://{tmp_path}/page.html#{chosen}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        cards = re.findall(r"<article [^>]*>", done.stdout)
        assert (len(cards), sum(" hidden" not in card for card in cards)) == (3, shown)
        assert f"{shown} of 3 shown" in done.stdout


def test_the_command_writes_the_page_without_a_model_and_replaces_nothing_unasked(tmp_path):
    with SqliteStore(tmp_path / "errata.db") as opened:
        log = EditLog(opened)
        for number in range(3):
            log.append("applied", edit(number), BY)
    done = errata("log", "report", "page.html", "--text", "picture 1", cwd=tmp_path)
    assert (done.code, done.out) == (0, "page.html: 1 edit of 3\n")
    assert len(Seen((tmp_path / "page.html").read_text()).cards) == 1
    again = errata("log", "report", "page.html", cwd=tmp_path)
    assert (again.code, "already" in again.err) == (2, True)
    assert errata("log", "report", "page.html", "--force", cwd=tmp_path).out == "page.html: 3 edits of 3\n"
    lost = errata("log", "report", "none/page.html", cwd=tmp_path)
    assert (lost.code, "There is no folder none" in lost.err) == (2, True)
    assert {path.name for path in tmp_path.iterdir()} >= {"page.html", "errata.db"}
    assert not list(tmp_path.glob("*.unfinished"))
