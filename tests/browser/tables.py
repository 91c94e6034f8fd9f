"""Numbers read off charts and tables, each time all of them at once: a browser is far away."""

from __future__ import annotations

from playwright.sync_api import Locator, Page


def values(cells: Locator) -> list[int]:
    """The figures that cells or numbers were written from; -1 where there is none."""
    found: list[int] = cells.evaluate_all(
        "(all) => all.map((one) => Number(one.dataset.value ?? -1))"
    )
    return found


def packages(rows: Locator) -> list[str]:
    """The titles of rows of packages."""
    found: list[str] = rows.evaluate_all("(all) => all.map((row) => row.dataset.package)")
    return found


def by_package(rows: Locator, cell: str) -> dict[str, str]:
    """Package to what stands in one of its cells, in the order of the page."""
    found: list[tuple[str, str]] = rows.evaluate_all(
        "(all, cell) => all.map((row) => [row.dataset.package, row.querySelector(cell).innerText])",
        cell,
    )
    return dict(found)


COLUMNS = ".columns-table tbody tr"
"""The rows of the table that goes with a chart of columns."""


def by_label(rows: Locator) -> dict[str, str | None]:
    """Hour, day or period to the first figure in the table of a chart; None where there is none."""
    found: list[tuple[str, str | None]] = rows.evaluate_all(
        """(all) => all.map((row) => [row.dataset.row,
          row.querySelector('td[data-value]')?.innerText.trim() ?? null])"""
    )
    return dict(found)


def heat_cells(page: Page) -> dict[tuple[int, int], int | None]:
    """Weekday and hour to the number in the cell of the heat map; None where it shows none."""
    found: dict[tuple[int, int], int | None] = {}
    cells = page.locator(".heat-cell").evaluate_all(
        "(all) => all.map((cell) => [cell.dataset.at, cell.dataset.value, cell.innerText])"
    )
    for at, value, text in cells:
        assert (value is None) == (text == "")
        day, hour = divmod(int(at), 24)
        found[day, hour] = None if value is None else int(value)
    assert len(found) == 7 * 24
    return found
