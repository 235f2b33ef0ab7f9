"""The page at /docs: the OpenAPI document as HTML, in the layout of the API's own page.

It has no scripts and loads nothing, so it also works without a connection to the internet.
"""

import json
import re
from base64 import b64encode
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from hashlib import sha256
from html import escape
from http import HTTPStatus
from pathlib import Path
from typing import Any

from contacts_mcp.directory.service._openapi import openapi_document

_STYLE = Path(__file__).with_name("docs.css").read_text(encoding="utf-8")
CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src 'sha256-{b64encode(sha256(_STYLE.encode()).digest()).decode()}';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Allows the style of the page and nothing else."""

Document = Mapping[str, Any]


@cache
def docs_page() -> str:
    """Render the OpenAPI document as an HTML page, once."""
    document = openapi_document()
    endpoints = [
        (method.upper(), path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    info = document["info"]
    index = "".join(_tag(tag, endpoints) for tag in document["tags"])
    sections = "".join(_endpoint(document, *endpoint) for endpoint in endpoints)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(info['title'])}</title><style>{_STYLE}</style></head><body><header>"
        f'<h1>{escape(info["title"])}</h1>{_paragraphs(info["description"])}<p class="dim">Version '
        f'{escape(info["version"])} · <a href="/openapi.json">openapi.json</a></p></header>'
        f"<main>{index}{sections}</main></body></html>"
    )


def _tag(tag: Document, endpoints: Sequence[tuple[str, str, Document]]) -> str:
    rows = [
        (_code(method), f'<a href="#{operation["operationId"]}">{_code(path)}</a>', escape(operation["summary"]))
        for method, path, operation in endpoints
        if tag["name"] in operation["tags"]
    ]
    return _section(
        tag["name"], _paragraphs(tag.get("description", "")) + _table(("Method", "Path", "Description"), rows)
    )


def _endpoint(document: Document, method: str, path: str, operation: Document) -> str:
    body = _schema_of(document, operation.get("requestBody", {}))
    status, success = next(iter(operation["responses"].items()))
    answer = _schema_of(document, success)
    errors = [
        (status, _inline(response["description"]))
        for status, response in operation["responses"].items()
        if int(status) >= HTTPStatus.BAD_REQUEST
    ]
    parts = [
        f'<section id="{operation["operationId"]}"><h2>{escape(operation["summary"])}</h2>',
        f"<p>{_code(f'{method} {path}')}</p>{_paragraphs(operation['description'])}",
        _section("Parameters", _table(("Name", "In", "Type", "Description"), _parameters(operation))),
        _section("Request body", _fields(body, body.get("required", ()))),
        _section("Example", _pre(_curl(method, path, operation, body))),
        _section(f"Response {status}", _fields(answer)),
        _section("Example of a response", _pre(_json(answer["examples"][0])) if "examples" in answer else ""),
        _section("Errors", _table(("Status", "Meaning"), errors)),
        "</section>",
    ]
    return "".join(parts)


def _parameters(operation: Document) -> Iterator[tuple[str, ...]]:
    for parameter in operation.get("parameters", ()):
        about = _about(parameter, parameter["schema"], parameter["required"])
        yield _code(parameter["name"]), parameter["in"], _type(parameter["schema"]), about


def _fields(schema: Document, required: Collection[str] = ()) -> str:
    rows = [
        (_code(name), _type(field), _about(field, field, name in required))
        for name, field in schema.get("properties", {}).items()
    ]
    return _paragraphs(schema.get("description", "")) + _table(("Field", "Type", "Description"), rows)


def _about(item: Document, schema: Document, is_required: bool) -> str:
    """Describe a field or a parameter: its description, then the limits in its schema."""
    parts = ("Required." if is_required else "", item.get("description", ""), *_limits(schema))
    return _inline(" ".join(filter(None, parts)))


def _limits(schema: Document) -> Iterator[str]:
    if "enum" in schema:
        yield f"Values: {', '.join(map(str, schema['enum']))}."
    if "minimum" in schema and "maximum" in schema:
        yield f"From {schema['minimum']:,} to {schema['maximum']:,}."
    if schema.get("default"):
        yield f"Default: {schema['default']}."


def _type(schema: Document) -> str:
    choices = schema.get("anyOf", (schema,))
    return escape(" or ".join(each.get("type", "object") for each in choices))


def _curl(method: str, path: str, operation: Document, body: Document) -> str:
    verb = "" if method == "GET" else f"-X {method} "
    needs_fields = any(each["required"] and each["in"] == "query" for each in operation.get("parameters", ()))
    query = "?fields=id&fields=name" if needs_fields else ""
    lines = [f'curl {verb}"$CONTACTS_URL{path}{query}"', '-H "X-API-Key: $CONTACTS_KEY"']
    if body:
        lines += ['-H "Content-Type: application/json"', f"-d '{_json(body['examples'][0])}'"]
    return " \\\n  ".join(lines)


def _schema_of(document: Document, message: Document) -> Document:
    """Find the schema of a request body or a response; empty if it has no content."""
    reference: str = message.get("content", {}).get("application/json", {}).get("schema", {}).get("$ref", "")
    schema: Document = document["components"]["schemas"].get(reference.rpartition("/")[2], {})
    return schema


def _section(title: str, content: str) -> str:
    return f"<h3>{escape(title)}</h3>{content}" if content else ""


def _table(headings: Iterable[str], rows: Iterable[tuple[str, ...]]) -> str:
    """Render a table whose cells are HTML already; nothing if there are no rows."""
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    head = "".join(f"<th>{escape(heading)}</th>" for heading in headings)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>" if body else ""


def _paragraphs(text: str) -> str:
    return "".join(f"<p>{_inline(each)}</p>" for each in text.split("\n\n") if each)


def _inline(text: str) -> str:
    """Escape text and show what is between backticks as code."""
    return re.sub("`([^`]*)`", r"<code>\1</code>", escape(text))


def _code(text: str) -> str:
    return f"<code>{escape(text)}</code>"


def _pre(text: str) -> str:
    return f"<pre><code>{escape(text)}</code></pre>"


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
