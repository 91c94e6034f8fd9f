"""Serves the description of the API: a page, its style and the OpenAPI specification."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from engine.api.answers import HTML_TYPE, JSON_TYPE, Answer, cached_answer


@cache
def specification() -> Answer:
    """The description as JSON."""
    return cached_answer(_page("openapi.json"), JSON_TYPE)


@cache
def page() -> Answer:
    """The description as a page."""
    return cached_answer(_page("documentation.html"), HTML_TYPE)


@cache
def stylesheet() -> Answer:
    """How the page looks."""
    body = files(__package__).joinpath("documentation.css").read_bytes()
    return cached_answer(body, "text/css; charset=utf-8")


def _page(name: str) -> bytes:
    """What the build made; from a tree that was not built it is made now."""
    made = files(__package__).joinpath(name)
    if made.is_file():
        return made.read_bytes()
    from engine.api.documentation import pages  # noqa: PLC0415  not in the archive

    return pages()[name]
