"""HTML of the pages: plain, without scripts, readable in dark and light, at any width and by screen readers.

Every text is escaped. Values from the directory are quoted by the guard, so what stands between quotation marks is a
value: it is set apart, and its writing direction does not reach beyond it.
"""

import re
from base64 import b64encode
from collections.abc import Iterable, Sequence
from hashlib import sha256
from html import escape
from importlib.resources import files
from typing import NamedTuple

_VALUE = r'"[^"]*"'
_CHANGE_OR_VALUE = re.compile(rf"({_VALUE}|\(empty\)) → ({_VALUE}|\(empty\))|{_VALUE}")
_RECORD = re.compile(rf'((?:[a-z]+ )?{_VALUE}) \(((?:[^"()]|{_VALUE})*)\)')
_OUTSIDE_OF_VALUES = rf"(?=(?:[^\"]*{_VALUE})*[^\"]*$)"
_COMMA, _SEMICOLON = (re.compile(re.escape(each) + _OUTSIDE_OF_VALUES) for each in (", ", "; "))
_BULLET = "- "
_VOID = ("input", "br")

_STYLE = files("contacts_mcp.approval_page").joinpath("style.css").read_text("utf-8")

CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src 'sha256-{b64encode(sha256(_STYLE.encode()).digest()).decode()}'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
"""Allows the style of these pages and forms that post to this server, and nothing else."""


class Html(str):
    """Text that is HTML: everything in it that is not markup was escaped."""

    __slots__ = ()


class Record(NamedTuple):
    """A record in a question: what names it, and what is known of it."""

    name: str
    facts: Sequence[str]


def document(title: str, where: str, body: Iterable[Html], tone: str = "") -> Html:
    """Return a whole page; `tone` is a class of `main`. The title stays in a browser's history, so it has no names."""
    return Html(
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><meta name="robots" content="noindex">'
        f"<title>{escape(title)} · WAYSCloud Contacts</title><style>{_STYLE}</style></head><body>"
        f"<header><strong>WAYSCloud Contacts</strong> {escape(where)}</header>"
        f'<main class="{escape(tone)}">{"".join(body)}</main></body></html>\n'
    )


def element(tag: str, /, *content: str, **attributes: str | bool) -> Html:
    """Return an element. Text in `content` is escaped, HTML is not; `class_` is the attribute class.

    >>> element("p", "a < b", class_="muted")
    '<p class="muted">a &lt; b</p>'
    """
    if tag in _VOID:
        return Html(f"<{tag}{_attributes(attributes)}>")
    inner = "".join(each if isinstance(each, Html) else escape(each) for each in content)
    return Html(f"<{tag}{_attributes(attributes)}>{inner}</{tag}>")


def _attributes(attributes: dict[str, str | bool]) -> str:
    names = {name: name.rstrip("_").replace("_", "-") for name in attributes}
    given = [(names[name], value) for name, value in attributes.items() if value is not False]
    return "".join(f' {name}="{escape(value)}"' if isinstance(value, str) else f" {name}" for name, value in given)


def rich_text(text: str) -> Html:
    """Return a line with its values set apart, and old and new values told apart.

    >>> rich_text('company "A" → "B"')
    'company <del>“<bdi>A</bdi>”</del> → <ins>“<bdi>B</bdi>”</ins>'
    """
    parts: list[str] = []
    end = 0
    for match in _CHANGE_OR_VALUE.finditer(text):
        parts.append(escape(text[end : match.start()]))
        if match[1] is None:
            parts.append(_value(match[0]))
        else:
            parts += [_old_value(match[1]), " → ", element("ins", _value(match[2]))]
        end = match.end()
    return Html("".join([*parts, escape(text[end:])]))


def _old_value(quoted: str) -> Html:
    """Return a value that is lost; of an empty one there is nothing to strike out."""
    return element("del", _value(quoted)) if quoted.startswith('"') else element("span", quoted, class_="muted")


def _value(quoted: str) -> Html:
    if not quoted.startswith('"'):
        return Html(escape(quoted))
    return Html(f"“{isolated(quoted[1:-1])}”")


def isolated(text: str) -> Html:
    """Return a text from elsewhere; if it is written from right to left, the text around it is not."""
    return element("bdi", text)


def split_records(label: str) -> tuple[str, list[Record]]:
    """Return the label of a target without what stands in parentheses, and the records with what is known of each.

    >>> split_records('person "Ola" (id 1, "Fjord, AS")')
    ('person "Ola"', [Record(name='person "Ola"', facts=['id 1', '"Fjord, AS"'])])
    """
    records = [Record(match[1], _COMMA.split(match[2])) for match in _RECORD.finditer(label)]
    return _RECORD.sub(lambda match: match[1], label), records


def facts_list(facts: Sequence[str]) -> Html:
    """Return what is known of a record."""
    return element("ul", *(element("li", rich_text(each)) for each in facts), class_="facts")


def paragraphs(lines: Sequence[str]) -> list[Html]:
    """Return lines as paragraphs, and those that begin with a dash as lists."""
    blocks: list[Html] = []
    items: list[Html] = []
    for line in [*lines, ""]:
        if line.startswith(_BULLET):
            items.append(_item(line.removeprefix(_BULLET)))
            continue
        if items:
            blocks.append(element("ul", *items, class_="entries"))
            items = []
        if line:
            blocks.append(element("p", rich_text(line)))
    return blocks


def _item(line: str) -> Html:
    """Return one entry of a list; the changes of a contact get a line each."""
    named, rest = _split_name(line)
    if named is None:
        return element("li", rich_text(line))
    changes = (element("li", rich_text(each)) for each in _SEMICOLON.split(rest))
    return element("li", named, element("ul", *changes))


def described_record(line: str) -> Html:
    """Return a line that names a record and says something of it, with the name before everything else."""
    named, rest = _split_name(line)
    return rich_text(line) if named is None else element("span", named, element("br"), rich_text(rest))


def _split_name(line: str) -> tuple[Html | None, str]:
    """Split `"Ola" (id 1): text`; None if the line does not begin with a record."""
    match = _RECORD.match(line)
    if match is None or not line.startswith(": ", match.end()):
        return None, line
    known = element("span", f"({match[2]})", class_="muted")
    return Html(f"{element('strong', rich_text(match[1]))} {known}"), line[match.end() + 2 :]
