"""The description of the API, for programs and for people, made from its specification.

The build makes both and leaves this out of the archive. The page holds no script and no inline
style, as it is under our own Content-Security-Policy.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html import escape
from typing import Any

from engine.api.answers import json_bytes
from engine.api.specification import specification

_CURL_HOST = "http://metrics.hotspot"
"""The address in the examples; a reader puts in his own."""

_SHARED_ANSWERS = {
    "#/components/responses/NotModified": "304",
    "#/components/responses/UnknownHost": "421",
    "#/components/responses/Unavailable": "503",
}

_CODE = re.compile(r"`([^`]+)`")


def pages() -> dict[str, bytes]:
    """The files that the API serves, by their names."""
    spec = specification()
    html = "".join(_page(spec))
    return {"documentation.html": html.encode(), "openapi.json": json_bytes(spec)}


def _page(spec: dict[str, Any]) -> Iterator[str]:
    info = spec["info"]
    yield '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    yield '<meta name="color-scheme" content="light dark">\n'
    yield '<link rel="icon" href="data:,">\n'
    yield f"<title>{escape(info['title'])}: REST API</title>\n"
    yield '<link rel="stylesheet" href="/api/v1/documentation.css">\n</head>\n<body>\n'
    yield f"<header><h1>{escape(info['title'])} <small>REST API</small></h1>"
    yield f'<p class="lead">{_inline(info["summary"])}.</p>'
    yield f"<p>{_inline(info['description'])}</p>"
    yield '<p><a href="/">Dashboard</a> <a href="/api/v1/openapi.json">openapi.json</a></p>'
    yield "</header>\n"
    yield from _recipes(spec)
    yield from _contents(spec)
    yield "<main>\n"
    for tag in spec["tags"]:
        yield f'<section aria-labelledby="{_anchor(tag["name"])}">'
        yield f'<h2 id="{_anchor(tag["name"])}">{escape(tag["name"])}</h2>'
        yield f"<p>{_inline(tag['description'])}</p>\n"
        for path, operation in _operations(spec, tag["name"]):
            yield from _operation(spec, path, operation)
        yield "</section>\n"
    yield from _shared_answers(spec)
    yield '<section aria-labelledby="objects"><h2 id="objects">Objects</h2>'
    for name, schema in spec["components"]["schemas"].items():
        yield from _object(name, schema)
    yield "</section>\n</main>\n</body>\n</html>\n"


def _recipes(spec: dict[str, Any]) -> Iterator[str]:
    """What most people come for, before everything there is."""
    yield '<section aria-labelledby="recipes"><h2 id="recipes">Three recipes</h2>'
    for recipe in spec["x-recipes"]:
        query = [{"name": name, "in": "query", "example": v} for name, v in recipe["query"].items()]
        yield f"<article><h3>{_inline(recipe['title'])}</h3>"
        yield f'<pre class="example" tabindex="0"><code>{escape(_curl(recipe["path"], query))}'
        yield f"</code></pre><p>{_inline(recipe['note'])}</p></article>\n"
    yield "</section>\n"


def _contents(spec: dict[str, Any]) -> Iterator[str]:
    yield '<nav aria-label="Routes"><ul>'
    for tag in spec["tags"]:
        for path, operation in _operations(spec, tag["name"]):
            yield f'<li><a href="#{operation["operationId"]}"><code>{escape(path)}</code></a> '
            yield f"<span>{_inline(operation['summary'])}</span></li>"
    yield "</ul></nav>\n"


def _operations(spec: dict[str, Any], tag: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in spec["paths"].items():
        if tag in methods["get"]["tags"]:
            yield path, methods["get"]


def _operation(spec: dict[str, Any], path: str, operation: dict[str, Any]) -> Iterator[str]:
    yield f'<article id="{operation["operationId"]}">'
    yield f'<h3><span class="method">GET</span> <code>{escape(path)}</code></h3>'
    yield f"<p><strong>{_inline(operation['summary'])}.</strong> "
    yield f"{_inline(operation.get('description', ''))}</p>\n"
    parameters = [resolved(spec, item) for item in operation.get("parameters", [])]
    if parameters:
        yield '<div class="wide"><table><thead><tr><th>Parameter</th><th>In</th><th>Type</th><th>'
        yield "Meaning</th></tr></thead><tbody>"
        for item in parameters:
            yield f"<tr><td><code>{escape(item['name'])}</code></td><td>{item['in']}</td>"
            yield f"<td>{_type(item['schema'])}</td><td>{_inline(item['description'])}</td></tr>"
        yield "</tbody></table></div>\n"
    command = escape(_curl(path, parameters))
    yield f'<pre class="example" tabindex="0"><code>{command}</code></pre>\n'
    yield '<dl class="answers">'
    for status, answer in operation["responses"].items():
        if answer.get("$ref") not in _SHARED_ANSWERS:
            yield from _answer(spec, status, answer)
    yield "</dl></article>\n"


def _answer(spec: dict[str, Any], status: str, answer: dict[str, Any]) -> Iterator[str]:
    found = resolved(spec, answer)
    yield f'<dt class="s{status[0]}">{status}</dt><dd>{_inline(found["description"])}'
    yield from _bodies(found)
    yield "</dd>"


def _shared_answers(spec: dict[str, Any]) -> Iterator[str]:
    """What many routes answer alike, said once."""
    yield '<section aria-labelledby="everywhere"><h2 id="everywhere">Answers of every route</h2>'
    yield '<article><dl class="answers">'
    for reference, status in _SHARED_ANSWERS.items():
        yield from _answer(spec, status, {"$ref": reference})
    yield "</dl></article></section>\n"


def _bodies(answer: dict[str, Any]) -> Iterator[str]:
    for content_type, body in answer.get("content", {}).items():
        yield f' <span class="type">{escape(content_type)}</span> {_type(body["schema"])}'
        if "example" in body:
            text = json.dumps(body["example"], ensure_ascii=False)
            yield f'<pre tabindex="0"><code>{escape(text)}</code></pre>'


def _object(name: str, schema: dict[str, Any]) -> Iterator[str]:
    yield f'<article id="schema-{escape(name)}"><h3>{escape(name)}</h3>'
    yield f"<p>{_inline(schema.get('description', ''))}</p>"
    parts = schema.get("allOf") or schema.get("anyOf") or [schema]
    word = "All of" if "allOf" in schema else "One of"
    if len(parts) > 1:
        yield f"<p>{word}: {', '.join(_type(part) for part in parts)}.</p>"
    for part in parts:
        properties = part.get("properties", {})
        if properties:
            yield '<div class="wide"><table><thead><tr><th>Name</th><th>Type</th><th>Meaning</th>'
            yield "</tr></thead><tbody>"
            yield from _rows(properties, "")
            yield "</tbody></table></div>"
    if "enum" in schema or "pattern" in schema:
        yield f"<p>{_type(schema)}</p>"
    yield "</article>\n"


def _rows(properties: dict[str, Any], prefix: str) -> Iterator[str]:
    """One row a property, those of objects inside it below, with the path to them."""
    for name, schema in properties.items():
        yield f"<tr><td><code>{escape(prefix + name)}</code></td><td>{_type(schema)}</td>"
        yield f"<td>{_inline(schema.get('description', ''))}</td></tr>"
        inner = schema.get("items", schema)
        suffix = "[]." if "items" in schema else "."
        if "properties" in inner:
            yield from _rows(inner["properties"], f"{prefix}{name}{suffix}")


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#schema-{name}">{name}</a>'
    if schema.get("type") == "array":
        return f"list of {_type(schema['items'])}" if "items" in schema else "list"
    if "enum" in schema:
        return " ".join(f"<code>{escape(json.dumps(value))}</code>" for value in schema["enum"])
    if "allOf" in schema or "anyOf" in schema:
        return "object"
    kinds = schema.get("type", "any")
    return escape(" or ".join(kinds) if isinstance(kinds, list) else kinds)


def _curl(path: str, parameters: list[dict[str, Any]]) -> str:
    """A command that can be pasted: path parameters filled in, query parameters as data."""
    options = ""
    for item in parameters:
        value = str(item["example"])
        if item["in"] == "path":
            path = path.replace(f"{{{item['name']}}}", value)
        else:
            options += f" \\\n  --data-urlencode '{item['name']}={value}'"
    return f"curl {'--get ' if options else ''}{_CURL_HOST}{path}{options}"


def resolved(spec: dict[str, Any], item: dict[str, Any]) -> dict[str, Any]:
    """The object itself, or what its `$ref` points at."""
    if "$ref" not in item:
        return item
    found: dict[str, Any] = spec
    for step in item["$ref"].removeprefix("#/").split("/"):
        found = found[step]
    return found


def _anchor(name: str) -> str:
    return escape(name.lower().replace(" ", "-"))


def _inline(text: str) -> str:
    return _CODE.sub(r"<code>\1</code>", escape(text))
