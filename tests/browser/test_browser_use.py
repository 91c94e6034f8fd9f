"""Getting around: addresses, the keyboard, language, colours."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from itertools import cycle, product

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from tests.browser.hotspot import NOW, Hotspot
from tests.browser.pages import DESKTOP, PHONE, opened, settled
from tests.support.sizes import quick

PATHS = ("", "popularity/", "packages/", "when/", "status", "about")
WINDOWS = (PHONE, DESKTOP)

FOCUSED = """() => {
  const e = document.activeElement;
  if (!e || e === document.body) return null;
  const style = getComputedStyle(e);
  const around = e.closest('.language') ? getComputedStyle(e.closest('.language')) : style;
  const box = e.getBoundingClientRect();
  return {
    name: e.getAttribute('aria-label') || e.textContent.trim() || e.tagName,
    ring: style.outlineStyle !== 'none' || around.outlineStyle !== 'none',
    inside: box.width > 0 && box.bottom > 0,
  };
}"""


def walk(page: Page, limit: int = 80) -> list[str]:
    """Tab through the page once; every stop must show its focus."""
    names: list[str] = []
    for _ in range(limit):
        page.keyboard.press("Tab")
        focused = page.evaluate(FOCUSED)
        if focused is None:
            return names
        assert focused["ring"], f"no visible focus on {focused['name']}"
        assert focused["inside"], f"focus out of sight on {focused['name']}"
        names.append(focused["name"])
    raise AssertionError(f"the walk does not end: {names}")


@pytest.mark.parametrize(
    ("path", "viewport"),
    quick(product(PATHS, WINDOWS), *zip(PATHS, cycle(WINDOWS), strict=False)),
)
def test_every_control_is_reached_by_keyboard(
    browser: Browser, hotspot: Hotspot, viewport: ViewportSize, path: str
) -> None:
    """Tab stops at every visible control once, in order, with a visible focus."""
    week = hotspot.newest("W")["previous"]["aggValue"].replace(" ", "-")
    url = f"{hotspot.url}/{path}{'' if path in {'status', 'about'} else week}"
    # Fresh: in a page that was used before, Tab may go from the last control to the first at once.
    with opened(browser, url, viewport=viewport, fresh=True) as (page, watch):
        settled(page)
        controls = page.evaluate(
            """[...document.querySelectorAll(
              'a[href], button:not(:disabled), select, input, summary, [tabindex="0"]')]
            .filter((e) => e.getClientRects().length).length"""
        )
        assert len(walk(page)) == controls
        assert watch.errors == []
        assert page.evaluate("window.policyViolations") == []


@pytest.mark.dated
def test_the_dashboard_is_used_by_keyboard_alone(browser: Browser, hotspot: Hotspot) -> None:
    """Skip link, period, jump to a date, export and language work without a mouse."""
    with opened(browser, hotspot.url) as (page, _):
        settled(page)
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.locator("h1")).to_be_focused()
        page.get_by_role("link", name="Month", exact=True).press("Enter")
        expect(page).to_have_url(re.compile(r"/\d{4}-\d\d$"))
        export = page.get_by_role("button", name="Export")
        settled(page)
        export.press("Enter")
        first = page.get_by_role("link", name="Packages (Excel)")
        expect(first).to_be_visible()  # the panel is fetched when it is opened
        page.keyboard.press("Tab")
        expect(first).to_be_focused()
        page.keyboard.press("Escape")
        expect(export).to_be_focused()
        expect(page.locator(".panel")).to_have_count(0)
        page.get_by_role("button", name="Choose a period").press("Enter")
        day = hotspot.newest("D")["previous"]["aggValue"]
        page.get_by_label("Go to a date").fill(day)
        page.get_by_role("button", name="Show", exact=True).first.press("Enter")
        expect(page).to_have_url(re.compile(rf"/{day[:7]}$"))
        page.get_by_label("Language").select_option("fr")
        expect(page.locator("html")).to_have_attribute("lang", "fr")


@pytest.mark.dated
def test_every_view_and_period_has_its_address(browser: Browser, hotspot: Hotspot) -> None:
    """Today is the default; each step changes the address; Back returns; a reload keeps it."""
    today = datetime.fromtimestamp(NOW, UTC).date().isoformat()
    with opened(browser, hotspot.url) as (page, _):
        settled(page)
        assert hotspot.newest("D")["aggValue"] == today
        expect(page.locator(".pill.strong")).to_have_text("Today")
        first = page.locator("h1").inner_text()
        page.get_by_role("button", name="Previous").click()
        expect(page.locator(".pill.strong")).to_have_text("Yesterday")
        page.get_by_role("link", name="Week", exact=True).click()
        expect(page).to_have_url(re.compile(r"/\d{4}-W\d\d$"))
        page.get_by_role("link", name="Packages", exact=True).click()
        expect(page).to_have_url(re.compile(r"/packages/\d{4}-W\d\d$"))
        page.wait_for_selector(".package-rows td.last")
        page.get_by_role("button", name="Time in use", exact=True).click()
        expect(page).to_have_url(re.compile(r"/packages/\d{4}-W\d\d\?sort=time$"))
        there = page.locator("main").inner_text()
        page.reload()
        page.wait_for_selector(".package-rows td.last")
        assert page.locator("main").inner_text() == there
        for _ in range(3):
            page.go_back()
        expect(page.locator("h1")).to_have_text(first)
        settled(page)


def test_a_period_is_chosen_from_those_with_figures(browser: Browser, hotspot: Hotspot) -> None:
    """Of the twelve cells, the months of the API lead somewhere; choosing one goes there."""
    months = [p["aggValue"] for p in hotspot.ask("periods")["periods"] if p["aggKind"] == "M"]
    with opened(browser, f"{hotspot.url}/{months[0]}") as (page, _):
        settled(page)
        page.get_by_role("button", name="Choose a period").click()
        cells = page.locator(".picker-months li")
        expect(cells).to_have_count(12)
        found = []
        back = page.get_by_role("button", name="Previous year")
        while True:
            links = page.locator(".picker-months a")
            here = links.evaluate_all("(all) => all.map((a) => a.dataset.month)")
            found += reversed(here)
            if back.get_attribute("aria-disabled") == "true":
                break
            back.press("Enter")  # looking through the years is no choice yet
            expect(back).to_be_focused()
        assert found == months
        page.locator(f".picker-months a[data-month='{months[-1]}']").press("Enter")
        expect(page).to_have_url(f"{hotspot.url}/{months[-1]}")
        expect(page.locator(".panel")).to_have_count(0)


def test_any_days_are_chosen_and_kept_as_a_term(browser: Browser, hotspot: Hotspot) -> None:
    """From one day to another: its address, its figures, Back, and a name that stays."""
    wanted = "2026-08-20..2026-09-10"
    figures = hotspot.figures("2026-08-20", "2026-09-10")
    with opened(browser, hotspot.url) as (page, watch):
        settled(page)
        page.get_by_role("button", name="Any days, from–to").click()
        page.get_by_label("From", exact=True).fill("2026-09-10")
        page.get_by_label("To", exact=True).fill("2026-08-20")
        expect(page.locator(".wrong")).to_contain_text("before the first")
        page.get_by_label("From", exact=True).fill("2026-08-20")
        page.get_by_label("To", exact=True).fill("2026-09-10")
        page.get_by_role("button", name="Show", exact=True).click()
        expect(page).to_have_url(f"{hotspot.url}/{wanted}")
        visits = page.locator("[data-kpi='2001'] .big")
        expect(visits).to_have_attribute("data-value", str(figures["total"]["visits"]))
        expect(page.locator(".headline-notes")).to_contain_text("22 days")
        page.get_by_role("button", name="Any days, from–to").click()
        page.get_by_label("Name of a term").fill("Term 1")
        page.get_by_role("button", name="Keep").click()
        page.reload()
        expect(visits).to_have_attribute("data-value", str(figures["total"]["visits"]))
        page.get_by_role("link", name="Month", exact=True).click()
        page.get_by_role("button", name="Any days, from–to").click()
        page.get_by_role("link", name="Term 1").click()
        expect(page).to_have_url(f"{hotspot.url}/{wanted}")
        page.go_back()
        expect(page).to_have_url(f"{hotspot.url}/2026-09")
        assert watch.errors == []


def test_keys_lead_to_other_periods_unless_switched_off(browser: Browser, hotspot: Hotspot) -> None:
    """D W M Y, arrows as they point, T and ?; not in fields, and not when they are switched off."""
    with opened(browser, f"{hotspot.url}/2026-09-15") as (page, _):
        settled(page)
        for key, path in [
            ("w", "2026-W38"),
            ("m", "2026-09"),
            ("ArrowLeft", "2026-08"),
            ("ArrowRight", "2026-09"),
            ("ArrowRight", "2026-09"),
            ("y", "2026"),
            ("d", ""),
            ("ArrowLeft", "2026-09-15"),
            ("t", ""),
        ]:
            page.keyboard.press(key)
            expect(page).to_have_url(f"{hotspot.url}/{path}")
        page.keyboard.press("?")
        switch = page.get_by_label("Use these keys")
        expect(switch).to_be_checked()
        switch.uncheck()
        page.keyboard.press("Escape")
        page.keyboard.press("m")
        page.reload()
        settled(page)
        page.keyboard.press("m")
        expect(page).to_have_url(f"{hotspot.url}/")
    with opened(browser, f"{hotspot.url}/2026-09-15", lang="ar") as (page, _):
        settled(page)
        page.keyboard.press("ArrowRight")
        expect(page).to_have_url(f"{hotspot.url}/2026-09-14")


def test_columns_tell_their_figures_and_lead_to_their_day(
    browser: Browser, hotspot: Hotspot
) -> None:
    """By keyboard, by mouse and by finger: the figures of a column, and the way to its day."""
    rows = hotspot.ask("periods/M/2026-09")["inside"]["rows"]
    place = next(i for i, row in enumerate(rows) if row["visits"] > 1)
    day, visits = rows[place]["label"], f"{rows[place]['visits']} visits"
    with opened(browser, f"{hotspot.url}/2026-09") as (page, _):
        settled(page)
        card = page.locator(".inside-card")
        columns = card.get_by_label("Go along the columns")
        columns.press("Home")
        for _ in range(place):
            columns.press("ArrowRight")
        assert visits in str(columns.get_attribute("aria-valuetext"))
        expect(card.locator(".readout")).to_contain_text(visits)
        columns.press("Enter")
        expect(page).to_have_url(f"{hotspot.url}/{day}")
        page.go_back()
        column = card.locator(f".column[data-row='{day}'] .hit")
        column.hover()
        expect(card.locator(".readout")).to_contain_text(visits)
        column.click()
        expect(page).to_have_url(f"{hotspot.url}/{day}")
    with opened(browser, f"{hotspot.url}/2026-09", viewport=PHONE, has_touch=True) as (page, _):
        settled(page)
        card = page.locator(".inside-card")
        card.locator(f".column[data-row='{day}'] .hit").tap()
        expect(card.locator(".readout")).to_contain_text(visits)
        expect(page).to_have_url(f"{hotspot.url}/2026-09")
        card.get_by_role("link", name="Open:").tap()
        expect(page).to_have_url(f"{hotspot.url}/{day}")


def test_the_focus_stays_on_the_button_that_has_no_further(
    browser: Browser, hotspot: Hotspot
) -> None:
    """Today, pressed on yesterday, keeps the focus, and leads nowhere when pressed again."""
    yesterday = hotspot.newest("D")["previous"]["aggValue"]
    with opened(browser, f"{hotspot.url}/{yesterday}") as (page, _):
        settled(page)
        for name in ("Today", "Next"):
            button = page.get_by_role("button", name=name, exact=True)
            button.press("Enter")
            expect(button).to_have_attribute("aria-disabled", "true")
            expect(button).to_be_focused()
            button.press("Enter")
            expect(page.locator(".pill.strong")).to_have_text("Today")


def test_back_leads_to_the_place_that_was_left(browser: Browser, hotspot: Hotspot) -> None:
    """A new view begins at its top, with the focus on its headline; Back is where one was."""
    month = hotspot.newest("M")["aggValue"]
    with opened(browser, f"{hotspot.url}/{month}", viewport=PHONE) as (page, _):
        settled(page)
        page.evaluate("window.scrollTo(0, 700)")
        page.locator("[data-kpi='2003'] .details").click()
        page.wait_for_selector(".package-rows.by-time")
        expect(page.locator("h1")).to_be_focused()
        assert page.evaluate("window.scrollY") == 0
        page.go_back()
        page.wait_for_selector(".cards.whole [data-kpi='2005']")
        page.wait_for_function("() => window.scrollY > 600")


def test_language_comes_from_address_choice_then_browser(
    browser: Browser, hotspot: Hotspot
) -> None:
    """?lang= goes before the stored choice, that before the browser's language."""
    with opened(browser, hotspot.url, lang="es-MX") as (page, _):
        html = page.locator("html")
        expect(html).to_have_attribute("lang", "es")
        expect(page).to_have_title(re.compile(r"\d{4} · Lycée Amani"))
        page.get_by_label("Idioma").select_option("ar")
        expect(html).to_have_attribute("dir", "rtl")
        page.reload()
        expect(html).to_have_attribute("lang", "ar")
        page.goto(f"{hotspot.url}/?lang=fr")
        expect(html).to_have_attribute("lang", "fr")
        page.get_by_role("link", name="À propos").click()
        expect(page).to_have_url(f"{hotspot.url}/about?lang=fr")


def test_colours_follow_the_device_unless_chosen(browser: Browser, hotspot: Hotspot) -> None:
    """Dark with the device, light when the reader says so, and it is remembered."""
    ground = "getComputedStyle(document.body).backgroundColor"
    with opened(browser, hotspot.url, scheme="dark") as (page, _):
        settled(page)
        dark = page.evaluate(ground)
        button = page.get_by_role("button", name=re.compile("^Colours"))
        button.click()
        expect(button).to_have_accessible_name("Colours: light")
        light = page.evaluate(ground)
        assert light != dark
        page.reload()
        settled(page)
        assert page.evaluate(ground) == light
