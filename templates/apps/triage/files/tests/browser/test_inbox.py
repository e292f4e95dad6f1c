"""The inbox in a real browser: live, by keyboard, without JavaScript, and for everybody."""

from typing import Any

import pytest

from tests.browser.conftest import Served, follow
from tests.browser.everybody import Visit
from tests.conftest import SIGNED_IN

pytestmark = pytest.mark.browser

CARD = "Where is my card? I am Ada Example."
LATE = "Where is my card? It is late."
STOLEN = "My card was stolen, please block it"


def tickets(page: Any, served: Served) -> None:
    """The inbox with a ticket that is answered, one to decide, and one that is worked on."""
    decided(page, served)
    served.wait_for(served.send(f"{STOLEN}, unsure how {'very ' * 60}"), "ready")
    busy(page, served)
    page.goto("/inbox?state=all")


def busy(page: Any, served: Served) -> None:
    """Left as it is: what is new would take the place of what is looked at."""
    served.pause_s = 0.2
    page.route("**/events", lambda route: route.abort())
    ticket(page, served.send(LATE))


def ready(page: Any, served: Served) -> None:
    sent = served.send(CARD)
    served.wait_for(sent, "ready")
    ticket(page, sent)


def decided(page: Any, served: Served) -> None:
    ready(page, served)
    page.keyboard.press("a")
    page.locator(".verdict").wait_for()


def ticket(page: Any, sent: str) -> None:
    page.context.set_extra_http_headers(SIGNED_IN)
    page.goto(f"/inbox/{sent}")


def keys(page: Any, _served: Served) -> None:
    page.context.set_extra_http_headers(SIGNED_IN)
    page.goto("/help")
    page.keyboard.press("?")


_PAGES = "app/triage/templates"
PAGES = [
    Visit(f"{_PAGES}/inbox.html", tickets),
    Visit(f"{_PAGES}/inbox.html", "/inbox?team=disputes", about="empty"),
    Visit(f"{_PAGES}/ticket.html", busy, about="busy"),
    Visit(f"{_PAGES}/ticket.html", ready, about="ready"),
    Visit(f"{_PAGES}/ticket.html", decided, about="decided"),
    Visit(f"{_PAGES}/help.html", "/help"),
    Visit(f"{_PAGES}/help.html", keys, about="keys"),
    Visit(f"{_PAGES}/article.html", "/help/refunds"),
]


def test_a_ticket_arrives_while_the_inbox_is_open(page: Any, served: Served) -> None:
    page.goto("/inbox")
    assert page.get_by_text("No open tickets").is_visible()
    ticket = served.send(STOLEN)
    row = page.locator("tr.ticket", has_text="My card was stolen")
    row.wait_for()
    row.get_by_text("Draft ready").wait_for()
    for text in ("Urgent", "Fraud desk", "Lost or stolen card"):
        assert row.get_by_text(text).is_visible()
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.id") == f"open-{ticket}"
    # Another one does not take the mark away.
    served.send(CARD)
    page.locator("tr.ticket", has_text="Where is my card").wait_for()
    assert page.evaluate("document.activeElement.id") == f"open-{ticket}"
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/inbox/{ticket}")
    assert page.get_by_role("button", name="Accept and send").is_visible()


def test_a_draft_is_written_before_ones_eyes(page: Any, served: Served) -> None:
    served.pause_s = 0.03
    ticket = served.send(CARD)
    page.goto(f"/inbox/{ticket}")
    draft = page.locator("#draft .answer")
    assert page.locator("[aria-busy=true]").first.is_visible()
    page.locator("#draft", has_text="thank you for").wait_for()
    assert page.locator("#draft .answer[aria-busy=true]").count() == 1
    partial = draft.inner_text()
    page.get_by_role("button", name="Accept and send").wait_for(timeout=20_000)
    assert len(draft.inner_text()) > len(partial)
    assert page.locator("[aria-busy=true]").count() == 0
    assert "Hello Ada Example," in draft.inner_text()
    draft.locator("a.cite").first.click()
    page.wait_for_url("**/help/*")
    assert page.locator("h1").inner_text()


def test_accept_edit_and_reject_by_keyboard(page: Any, served: Served) -> None:
    tickets = [served.send(CARD) for _ in range(3)]
    for ticket in tickets:
        served.wait_for(ticket, "ready")
    page.goto(f"/inbox/{tickets[2]}")
    page.keyboard.press("a")
    page.get_by_text("Sent as drafted").wait_for()
    page.keyboard.press("j")
    page.wait_for_url(f"**/inbox/{tickets[1]}")
    page.keyboard.press("e")
    page.keyboard.press("Control+End")
    # In a field, letters are letters.
    page.keyboard.type(" aerjk?")
    page.keyboard.press("Control+Enter")
    page.get_by_text("Sent after an edit: 1 word changed").wait_for()
    page.keyboard.press("j")
    page.wait_for_url(f"**/inbox/{tickets[0]}")
    page.keyboard.press("r")
    page.keyboard.type("beside the point")
    page.keyboard.press("Enter")
    page.get_by_text("Draft rejected: beside the point").wait_for()
    page.keyboard.press("u")
    page.wait_for_url("**/inbox")
    page.keyboard.press("?")
    assert page.get_by_role("dialog").is_visible()
    page.keyboard.press("Escape")
    assert not page.get_by_role("dialog").is_visible()


def test_filters_apply_when_chosen(page: Any, served: Served) -> None:
    for text in (CARD, STOLEN):
        served.wait_for(served.send(text), "ready")
    page.goto("/inbox")
    assert page.locator("tr.ticket").count() == 2
    page.get_by_label("Team").select_option("fraud")
    page.wait_for_url("**team=fraud**")
    assert page.locator("tr.ticket").count() == 1
    page.get_by_role("link", name="Clear").click()
    page.locator("tr.ticket").nth(1).wait_for()


@pytest.mark.parametrize("decision", ["accept", "edit", "reject"])
def test_everything_works_without_javascript(browser: Any, served: Served, decision: str) -> None:
    ticket = served.send(CARD)
    served.wait_for(ticket, "ready")
    context = browser.new_context(
        base_url=served.url, java_script_enabled=False, extra_http_headers=SIGNED_IN
    )
    page = context.new_page()
    page.goto("/inbox")
    page.get_by_label("Team").select_option("cards")
    follow(page.get_by_role("button", name="Show"))
    follow(page.get_by_role("link", name="Where is my card?"))
    if decision == "edit":
        page.locator("details[data-key=e] summary").click()
        page.get_by_label("Answer").fill("It is on its way.")
        follow(page.get_by_role("button", name="Send the edited answer"))
    elif decision == "reject":
        page.locator("details[data-key=r] summary").click()
        follow(page.get_by_role("button", name="Reject the draft"))
    else:
        follow(page.get_by_role("button", name="Accept and send"))
    assert page.locator(".verdict").is_visible()
    served.wait_for(ticket, "rejected" if decision == "reject" else "answered")
    context.close()


def test_motion_stops_when_it_is_not_wanted(browser: Any, served: Served) -> None:
    served.pause_s = 0.2
    ticket = served.send(CARD)
    context = browser.new_context(
        base_url=served.url, reduced_motion="reduce", extra_http_headers=SIGNED_IN
    )
    page = context.new_page()
    page.goto(f"/inbox/{ticket}")
    page.locator(".skeleton").first.wait_for()
    # In one go: the next piece of the draft replaces the skeleton.
    style = "getComputedStyle(document.querySelector('.skeleton')).animationName"
    assert page.evaluate(style) == "none"
    context.close()
