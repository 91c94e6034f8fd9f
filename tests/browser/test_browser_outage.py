"""Bad days: the server away, slow, or without the routes that are ours."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser.failing import MINUTE
from tests.browser.hotspot import NOW, Hotspot, line, running
from tests.browser.pages import count, opened, settled


def with_own_clock(page: Page) -> None:
    """Time passes in the page when the test says so; network and server go on as ever."""
    page.clock.install(time=NOW)


def visits(page: Page) -> int:
    return count(page.locator('[data-kpi="2001"] .big').inner_text())


@pytest.mark.dated
def test_figures_stay_while_the_server_is_away(browser: Browser, own_hotspot: Hotspot) -> None:
    """The server stops: figures stay, with the time they are of. It comes back: so do they."""
    hotspot = own_hotspot
    with running(hotspot), opened(browser, hotspot.url, prepare=with_own_clock) as (page, _):
        settled(page)
        before = visits(page)
        page.get_by_role("link", name="Packages", exact=True).click()
        expect(page.locator('.wide [data-kpi="2001"] .big')).to_have_text(f"{before:,}")
        page.go_back()
        hotspot.stop()
        page.clock.fast_forward(MINUTE)
        offline = page.locator(".offline.visible")
        then = re.compile(r"since \d{1,2}:\d\d\s[AP]M: these figures are as of then")
        expect(offline).to_contain_text(then)
        assert visits(page) == before
        page.get_by_role("link", name="Packages", exact=True).click()
        expect(page.locator('.wide [data-kpi="2001"] .big')).to_have_text(f"{before:,}")
        # A period that was never looked at has nothing to show, and says so.
        page.get_by_role("link", name="Year", exact=True).click()
        expect(page.locator(".notice h2")).to_have_text("These figures were not fetched yet")
        expect(offline).to_contain_text("out of reach")
        hotspot.start()
        page.clock.fast_forward(MINUTE)
        expect(offline).to_have_count(0)
        expect(page.locator('.wide [data-kpi="2001"] .big')).to_have_text(re.compile("[1-9]"))


@pytest.mark.dated
def test_figures_of_before_the_last_answer_have_their_own_time(
    browser: Browser, own_hotspot: Hotspot
) -> None:
    """A week that was looked at minutes before the server stops says so; a view without figures
    tells no time of any.
    """
    hotspot = own_hotspot
    with running(hotspot), opened(browser, hotspot.url, prepare=with_own_clock) as (page, _):
        settled(page)
        page.get_by_role("link", name="About").click()
        settled(page)
        page.go_back()
        week = page.get_by_role("link", name="Week", exact=True)
        with page.expect_response("**/api/v1/periods/W/*"):
            week.click()
        settled(page)
        page.get_by_role("link", name="Day", exact=True).click()
        with (
            page.expect_response("**/api/v1/status"),
            page.expect_response("**/api/v1/periods"),
            page.expect_response("**/api/v1/periods/D/*"),
        ):
            page.clock.fast_forward(2 * MINUTE)
        hotspot.stop()
        page.clock.fast_forward(MINUTE)
        offline = page.locator(".offline.visible")
        expect(offline).to_contain_text("as of then")
        week.click()
        since = re.compile(r"No answer since (\S+\s[AP]M): these figures are as of (\S+\s[AP]M)")
        expect(offline).to_contain_text(since)
        times = since.search(offline.inner_text())
        assert times
        assert times[1] != times[2]
        page.get_by_role("link", name="About").click()
        expect(offline).to_contain_text("out of reach")
        expect(offline).not_to_contain_text("figures")


@pytest.mark.dated
def test_a_view_that_could_not_be_fetched_is_fetched_later(
    browser: Browser, own_hotspot: Hotspot
) -> None:
    """A view opened for the first time while the server is away says so, and comes with it."""
    hotspot = own_hotspot
    with running(hotspot), opened(browser, hotspot.url, prepare=with_own_clock) as (page, _):
        settled(page)
        hotspot.stop()
        page.get_by_role("link", name="Packages", exact=True).click()
        expect(page.locator(".notice")).to_contain_text("could not be fetched")
        hotspot.start()
        page.clock.fast_forward(MINUTE)
        expect(page.locator('.wide [data-kpi="2001"] .big')).to_have_text(re.compile("[1-9]"))
        expect(page.locator("h1")).to_be_focused()


def test_a_page_opened_before_the_server_answers_comes_to_life(
    browser: Browser, hotspot: Hotspot
) -> None:
    """The API is down at the start: the page says so, and shows figures once it answers."""

    def without_api(page: Page) -> None:
        with_own_clock(page)
        page.route("**/api/**", lambda route: route.abort())

    with opened(browser, hotspot.url, prepare=without_api) as (page, _):
        expect(page.locator(".offline.visible")).to_contain_text("out of reach")
        page.unroute("**/api/**")
        page.clock.fast_forward(MINUTE)
        settled(page)
        expect(page.locator(".offline.visible")).to_have_count(0)


@pytest.mark.parametrize("status", [500, 503])
def test_a_failing_server_is_asked_again(browser: Browser, hotspot: Hotspot, status: int) -> None:
    """An answer that is an error leaves the figures alone."""
    with opened(browser, hotspot.url, prepare=with_own_clock) as (page, _):
        settled(page)
        before = visits(page)
        page.route("**/api/**", lambda route: route.fulfill(status=status, body="{}"))
        page.clock.fast_forward(MINUTE)
        expect(page.locator(".offline.visible")).to_contain_text("these figures are as of")
        assert visits(page) == before
        page.unroute("**/api/**")
        page.clock.fast_forward(MINUTE)
        expect(page.locator(".offline.visible")).to_have_count(0)


def test_a_late_answer_does_not_replace_a_newer_one(browser: Browser, hotspot: Hotspot) -> None:
    """The answer for a period that was left, arriving last, changes nothing on the page."""
    year = hotspot.newest("Y")
    month = hotspot.newest("M")
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    with opened(browser, f"{hotspot.url}/about") as (page, _):
        page.wait_for_load_state("networkidle")
        page.route("**/api/v1/periods/Y/*", hold)
        page.evaluate(f"history.pushState(null, '', '/{year['aggValue']}')")
        with page.expect_request("**/api/v1/periods/Y/*"):
            page.evaluate("window.dispatchEvent(new PopStateEvent('popstate'))")
        page.get_by_role("link", name="Month", exact=True).click()
        expect(page.locator('[data-kpi="2001"] .big')).to_have_attribute(
            "data-value", str(month["kpis"][0]["value"]["totalVisits"])
        )
        headline = page.locator("h1").inner_text()
        with page.expect_response("**/api/v1/periods/Y/*"):
            for route in held:
                route.continue_()
        page.wait_for_load_state("networkidle")
        assert page.locator("h1").inner_text() == headline
        assert visits(page) == month["kpis"][0]["value"]["totalVisits"]


@pytest.mark.dated
def test_the_page_refreshes_itself_with_etags(browser: Browser, own_hotspot: Hotspot) -> None:
    """Each minute the page asks with the ETag it has, and shows what was counted since."""
    hotspot = own_hotspot
    with running(hotspot), opened(browser, hotspot.url, prepare=with_own_clock) as (page, _):
        settled(page)
        before = visits(page)
        with page.expect_response("**/api/v1/periods/D/*") as answered:
            page.clock.fast_forward(MINUTE)
        assert answered.value.request.headers["if-none-match"]
        assert answered.value.status == 304
        hotspot.stop()
        hotspot.fill(line(NOW, "/content/package_0/") for _ in range(7))
        hotspot.start()
        with page.expect_response("**/api/v1/periods/D/*"):
            page.clock.fast_forward(MINUTE)
        expect(page.locator('[data-kpi="2001"] .big')).to_have_attribute(
            "data-value", str(before + 7)
        )


def test_a_plain_v1_server_is_enough(browser: Browser, hotspot: Hotspot) -> None:
    """Without our own routes the page shows the KPIs alone: no changes, no status, no error."""

    def plain(page: Page) -> None:
        gone: dict[str, Any] = {"status": 404, "body": '{"detail":"Not Found"}'}
        page.route("**/api/v1/periods**", lambda route: route.fulfill(**gone))
        page.route("**/api/v1/periods/**", lambda route: route.fulfill(**gone))
        page.route("**/api/v1/status", lambda route: route.fulfill(**gone))

    answer = hotspot.ask("aggregations/W")
    label = answer["valuesAvailable"][-1]
    expected = {
        kpi["kpiId"]: next(v["kpiValue"] for v in kpi["values"] if v["aggValue"] == label)
        for kpi in answer["kpis"]
    }
    url = f"{hotspot.url}/{label.replace(' ', '-')}"
    with opened(browser, url, prepare=plain) as (page, watch):
        settled(page)
        assert visits(page) == expected[2001]["totalVisits"]
        shown = page.locator('[data-kpi="2001"] tr[data-package]')
        assert shown.count() == len(expected[2001]["items"])
        assert page.locator(".delta").count() == 0
        assert page.get_by_role("link", name="Status").count() == 0
        expect(page.locator(".offline.visible")).to_have_count(0)
        page.goto(f"{hotspot.url}/status")
        expect(page.locator(".notice")).to_contain_text("no status to show")
        # The browser itself reports the answers 404; nothing else may be said.
        assert [text for text in watch.errors if "404" not in text] == []
