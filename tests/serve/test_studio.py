"""The studio in a real browser: the whole loop by mouse and by keyboard alone, every view for everyone, nothing from elsewhere."""

from __future__ import annotations

import importlib.util

import pytest

from tests.serve.running import running

pytest.importorskip("playwright", reason="the studio is tested in a browser, which Playwright drives: pip install playwright")
from tests.serve.studio_pages import CHROMIUM, PHONE, SCENE, browser, studio

assert importlib.util.find_spec("errata.serve") is not None

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here to show the studio in: apt install chromium")

QUESTION = "where does the thing at the bottom right live?"
VIEWS = ("queue", "ask", "log", "log?all=yes", "scope", "health", "learning")


@pytest.fixture(scope="module")
def shown():
    with browser() as found:
        yield found


@pytest.fixture(scope="module")
def server(tiny, tmp_path_factory):
    with running(tiny, tmp_path_factory.mktemp("studio") / "errata.db", author="ann") as found:
        yield found


@pytest.fixture
def tab(shown, server):
    """A tab that complained of nothing and asked nobody else."""
    with studio(shown, server.url) as found:
        yield found
        assert found.complaints == []
        assert found.strays == []


@pytest.fixture(scope="module")
def furnished(server):
    """Something in every view: a flagged answer, a proposal, corrections in force and taken back."""
    client = server.client()
    asked = {}
    for question in ("what is 2 plus 2?", "where does mibo live?", "what is 3 plus 3?", "what is 4 plus 4?"):
        body = {"model": "llava-tiny", "messages": [{"role": "user", "content": question}]}
        asked[question] = client.post("/v1/chat/completions", json=body).raise_for_status().json()["id"]
    made = []
    for question, answer, mode in (
        ("what is 2 plus 2?", "five", "apply"),
        ("what is 3 plus 3?", "nine", "apply"),
        ("what is 4 plus 4?", "six", "propose"),
    ):
        sent = {"completion": asked[question], "answer": answer, "mode": mode, "reason": "house rule"}
        made.append(client.post("/v1/edits", json=sent).raise_for_status().json())
    assert [one["status"] for one in made] == ["applied", "applied", "proposed"]
    client.post(f"/v1/edits/{made[1]['id']}/revert", json={}).raise_for_status()
    client.post(f"/v1/recent/{asked['where does mibo live?']}/flag", json={"flag": True}).raise_for_status()
    return made


def test_an_answer_is_corrected_asked_again_taken_back_and_restored(tab):
    page = tab.page
    tab.view("ask")
    before = tab.ask(QUESTION, SCENE)
    assert before != "the lighthouse"

    page.get_by_role("button", name="It's wrong").click()
    field = page.get_by_label("The right answer")
    assert field.input_value() == ""  # never filled in before
    field.fill("the lighthouse")
    page.get_by_role("button", name="See what would move").click()
    would = page.locator(".would")
    would.wait_for()
    assert before in would.inner_text()
    assert "the lighthouse" in would.inner_text()
    assert "Nothing has changed yet" in would.inner_text()

    page.get_by_role("button", name="Apply").click()
    page.locator(".receipt").wait_for()
    assert "In force" in page.locator(".receipt").inner_text()
    page.get_by_role("button", name="Ask again").click()
    page.locator(".receipt").wait_for(state="detached")
    assert tab.said() == "the lighthouse"
    assert "Corrected by" in page.locator(".spoke").inner_text()

    page.locator(".spoke a.id").first.click()
    page.get_by_role("button", name="Take it back").click()
    page.locator(".would").wait_for()
    assert before in page.locator(".would").inner_text()
    page.get_by_label("Why").fill("tried out")
    page.get_by_role("button", name="Take it back").click()
    page.get_by_role("button", name="Restore it").wait_for()
    assert "tried out" in page.locator(".entries").inner_text()
    tab.view("ask")
    page.get_by_role("button", name="Ask", exact=True).click()
    assert tab.said() == before

    page.go_back()
    page.get_by_role("button", name="Restore it").click()
    page.locator(".would").wait_for()
    page.get_by_role("button", name="Restore it").click()
    page.get_by_role("button", name="Take it back").wait_for()
    tab.view("ask")
    page.get_by_role("button", name="Ask", exact=True).click()
    assert tab.said() == "the lighthouse"


def test_the_keyboard_alone_does_all_of_it(tab):
    page, keys = tab.page, tab.page.keyboard
    tab.view("queue")
    keys.press("2")
    page.locator("#question").wait_for()
    page.wait_for_function("() => document.activeElement.tagName === 'H1'")
    tab.tab_to("Choose a picture")
    with page.expect_file_chooser() as chosen:
        keys.press("Enter")
    chosen.value.set_files(SCENE)
    page.locator(".drop img").wait_for()
    tab.tab_to("Add another picture")
    keys.press("/")
    keys.type("what does the thing at the top left eat?")
    keys.press("Enter")
    before = tab.said()
    keys.press("c")
    page.get_by_label("The right answer").wait_for()
    keys.type("lanterns")
    keys.press("Enter")
    page.locator(".would").wait_for()
    page.wait_for_function("() => document.activeElement.id === 'would-title'")
    keys.press("a")
    page.locator(".receipt").wait_for()
    page.wait_for_function("() => document.activeElement.id === 'receipt-title'")
    tab.tab_to("Ask again")
    keys.press("Enter")
    page.locator(".receipt").wait_for(state="detached")
    assert tab.said() == "lanterns"
    page.wait_for_function("() => document.activeElement.classList.contains('said')")
    tab.tab_to("correction")
    keys.press("Enter")
    page.get_by_role("button", name="Take it back").wait_for()
    for button, after in (("Take it back", "Restore it"), ("Restore it", "Take it back")):
        keys.press("r")
        page.locator(".would").wait_for()
        page.wait_for_function("() => document.activeElement.tagName === 'H3'")
        tab.tab_to(button)
        keys.press("Enter")
        page.get_by_role("button", name=after).wait_for()
    assert before != "lanterns"


def test_the_queue_is_gone_through_by_single_keys_and_what_was_done_is_undone(tab, furnished, server):
    page, keys = tab.page, tab.page.keyboard
    tab.view("queue")
    page.locator(".item").wait_for()
    assert "1 of 2" in page.locator(".head").inner_text()
    assert "where does mibo live?" in page.locator("#item-title").inner_text()  # suspects first
    keys.press("j")
    page.get_by_role("heading", name="what is 4 plus 4?").wait_for()
    for key in "kkjd":  # as fast as they come
        keys.press(key)
    page.locator(".would").wait_for()
    page.get_by_role("heading", name="what is 4 plus 4?").wait_for()
    keys.press("a")
    page.locator(".notice").wait_for()
    assert server.client().get("/v1/edits", params={"text": "4 plus 4"}).json()["data"][0]["status"] == "in-force"
    keys.press("u")
    page.locator(".notice", has_text="Taken back").wait_for()
    assert server.client().get("/v1/edits", params={"text": "4 plus 4"}).json()["data"] == []
    page.get_by_role("heading", name="where does mibo live?").wait_for()
    keys.press("x")
    page.get_by_role("heading", name="That was the last one.").wait_for()
    keys.press("u")
    page.get_by_role("heading", name="where does mibo live?").wait_for()
    keys.press("?")
    keyed = page.get_by_role("dialog").inner_text()
    assert all(words in keyed for words in ("Next", "Correct it", "Go to Log"))


@pytest.mark.parametrize("view", [*VIEWS, "edit"])
def test_axe_finds_nothing_serious_in_either_theme(shown, server, furnished, view):
    with studio(shown, server.url) as tab:
        tab.view(f"edit/{furnished[0]['id']}" if view == "edit" else view)
        if view == "health":
            tab.page.get_by_role("button", name="Run the audit").click()
            tab.page.locator(".verdict").wait_for()
        assert tab.faults() == []
        assert tab.complaints == []


def test_axe_finds_nothing_serious_in_a_dry_run_and_in_the_list_of_keys(shown, server, furnished):
    with studio(shown, server.url) as tab:
        tab.view("ask")
        tab.ask("what is 5 plus 5?")
        tab.page.get_by_role("button", name="It's wrong").click()
        tab.page.get_by_label("The right answer").fill("one")
        tab.page.keyboard.press("Enter")
        tab.page.locator(".would").wait_for()
        assert tab.faults() == []
        tab.page.keyboard.press("?")
        tab.page.get_by_role("dialog").wait_for()
        assert tab.faults() == []


def test_a_phone_shows_every_view_whole_with_room_for_a_thumb(shown, server, furnished):
    with studio(shown, server.url, size=PHONE) as tab:
        for view in (*VIEWS, f"edit/{furnished[0]['id']}"):
            tab.view(view)
            assert tab.sideways() == 0, view
            small = tab.page.evaluate(
                "() => [...document.querySelectorAll('button, .button, .tabs a, input:not([type=checkbox]):not(.sr), select')]"
                ".filter((one) => one.checkVisibility() && one.getBoundingClientRect().height < 44).map((one) => one.outerHTML)"
            )
            assert small == [], view


def test_a_key_is_asked_for_kept_in_the_tab_alone_and_nothing_typed_is_lost(shown, tiny, tmp_path):
    with running(tiny, tmp_path / "errata.db") as locked:
        secret = locked.keys.add("pat", "propose", "main")
        with studio(shown, locked.url) as tab:
            page = tab.page
            page.goto(f"{locked.url}/studio/#/ask")
            page.get_by_role("button", name="Not now").click()
            page.fill("#question", "what is 2 plus 2?")
            page.keyboard.press("Enter")
            page.get_by_label("Key", exact=True).fill("errata_wrong")
            page.keyboard.press("Enter")
            page.get_by_text("The key isn't taken").wait_for()
            page.get_by_label("Key", exact=True).fill(secret)
            page.keyboard.press("Enter")
            tab.said()
            assert page.input_value("#question") == "what is 2 plus 2?"
            kept = page.evaluate("() => [Object.values(sessionStorage), Object.values(localStorage), document.cookie]")
            assert secret in kept[0]
            assert secret not in kept[1]
            assert kept[2] == ""
            # Who may only propose isn't offered what would be refused.
            page.get_by_role("button", name="It's wrong").click()
            page.get_by_label("The right answer").fill("five")
            page.keyboard.press("Enter")
            page.locator(".would").wait_for()
            assert page.get_by_role("button", name="Apply").count() == 0
            page.get_by_role("button", name="Propose").click()
            page.locator(".receipt").wait_for()
            assert "Proposed" in page.locator(".receipt").inner_text()


def test_a_refusal_says_why_where_it_belongs_and_keeps_the_words(tab):
    tab.view("ask")
    tab.ask("what is 6 plus 6?")
    tab.page.get_by_role("button", name="It's wrong").click()
    tab.page.route("**/v1/edits", lambda route: route.abort())
    tab.page.get_by_label("The right answer").fill("two")
    tab.page.keyboard.press("Enter")
    tab.page.locator(".correct .failed").wait_for()
    assert "can't be reached" in tab.page.locator(".correct .failed").inner_text()
    assert tab.page.get_by_label("The right answer").input_value() == "two"
    tab.page.unroute("**/v1/edits")
    tab.page.reload()
    tab.settle()
    assert tab.page.input_value("#question") == "what is 6 plus 6?"
    tab.complaints.clear()  # the browser tells of the request that was cut


def test_a_browser_runs_nothing_but_the_page_itself(tab):
    """What is put into the page from outside doesn't run, and a changed library isn't loaded."""
    tab.view("queue")
    run = tab.page.evaluate(
        "() => { const one = document.createElement('script'); try { one.text = 'window.ran = 1'; } catch { return 'stopped'; }"
        " document.head.append(one); return window.ran ?? 'stopped'; }"
    )
    assert run == "stopped"
    tab.page.route("**/vendor/htm.mjs", lambda route: route.fulfill(body="export default () => 1;", content_type="text/javascript"))
    tab.page.reload()
    tab.page.wait_for_timeout(300)
    assert tab.page.locator("#studio").inner_html() == ""
    assert any("integrity" in said for said in tab.complaints)
    tab.complaints.clear()


def test_a_proposal_is_turned_down_later_or_when_the_tab_is_closed_and_until_then_it_can_be_taken_back(tab, server):
    client, page, keys = server.client(), tab.page, tab.page.keyboard
    sent = {"question": "what is 7 plus 7?", "answer": "ten", "mode": "propose"}
    made = client.post("/v1/edits", json=sent).raise_for_status().json()["id"]

    def status() -> str:
        return client.get(f"/v1/edits/{made}").json()["status"]

    tab.view("queue")
    page.locator(".rail button", has_text="7 plus 7").click()
    page.get_by_role("heading", name="what is 7 plus 7?").wait_for()
    keys.press("x")
    page.locator(".notice", has_text="Turned down").wait_for()
    keys.press("u")
    page.get_by_role("heading", name="what is 7 plus 7?").wait_for()
    keys.press("x")
    page.locator(".notice", has_text="Turned down").wait_for()
    assert status() == "proposed"
    page.goto("about:blank")
    for _ in range(50):
        if status() != "proposed":
            break
        page.wait_for_timeout(100)
    assert status() == "refused"
