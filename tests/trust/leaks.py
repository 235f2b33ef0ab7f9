"""Secrets and people with unique data, calls that send them in every field, and the search for leaks."""

import base64
import json
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

from contacts_mcp.tools import TOOLS
from support.raw_hosts import Message, answer_question, fill_form

PERSON = {
    "name": "Zäphodine Quellwasser",
    "company_name": "Öresundsbrygga Fjellverk",
    "phone_number": "+4791283746",
    "email": "zq.sampled@example.org",
    "notes": "Prefers the violet entrance",
    "tags": ["blåbærfolk"],
}
"""The fields of a contact."""
OTHER = {**PERSON, "name": "Zäphodine Quellwassér", "email": "zq.sampled.too@example.org"}
PERSONAL = {
    "name": "Zäphodine",
    "surname": "Quellwass",
    "company": "Öresundsbrygga",
    "number": "91283746",
    "address": "zq.sampled",
    "note": "violet entrance",
    "tag": "blåbærfolk",
}
"""Parts of the data that each identify the person."""


def secret_of(name: str) -> str:
    """A secret for one purpose, of forty letters and digits."""
    return f"Sd{name.replace('_', '')}q7Xk2Vn9Rw4Tz8Lp3Hc6Jy5Mb1Gf0Ds".ljust(40, "Z")[:40]


def halves(secret: str) -> tuple[str, str]:
    half = len(secret) // 2
    return secret[:half], secret[half:]


def _spellings(text: str) -> Iterator[bytes]:
    """A text as it is, escaped as JSON or Python, quoted for URLs, in hexadecimal and in base64 at every offset."""
    raw = text.encode()
    yield from (raw, raw.hex().encode(), raw.hex().upper().encode())
    yield from (json.dumps(text)[1:-1].encode(), ascii(text)[1:-1].encode(), repr(raw)[2:-1].encode())
    yield from (quote(text, safe="").encode(), quote_plus(text).encode())
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + raw)
        whole = encoded[-(-before * 4 // 3) : len(encoded) - 4]  # the letters that do not depend on neighbouring bytes
        yield from (whole, whole.translate(bytes.maketrans(b"+/", b"-_")))


def find_seeds(where: Mapping[str, bytes], seeds: Mapping[str, str]) -> list[str]:
    spelt = {
        name: set(_spellings(text)) | {text.lower().encode(), text.upper().encode()} for name, text in seeds.items()
    }
    return [
        f"{name} in {place}: {_excerpt(text, spelling)}"
        for place, text in where.items()
        for name, spellings in spelt.items()
        for spelling in spellings
        if spelling in text
    ]


def _excerpt(text: bytes, spelling: bytes) -> str:
    at = text.index(spelling)
    return repr(text[max(0, at - 80) : at + 80])


def files_below(folder: Path, excluded: Iterable[str]) -> dict[str, bytes]:
    """Every file in a folder, by its path, except those whose path begins with one of `excluded`."""
    paths = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in paths.items() if not name.startswith(tuple(excluded))}


SendRequest = Callable[..., Awaitable[Message]]
"""Send a request with this method and these members; returns the raw response."""

_NAME = str(PERSON["name"])
_WRONG: tuple[Any, ...] = (_NAME, [_NAME], {"value": _NAME}, f"{_NAME}\ud7ff" * 500)


@dataclass
class RecordingHost:
    """Sends requests and keeps the errors."""

    ask: SendRequest
    errors: list[Message] = field(default_factory=list)
    answers: int = 0

    async def request(self, method: str, *, names: bool = False, **params: Any) -> Message:
        """Send a request. `names`: a person's name is used as a name of a tool or field, which errors repeat."""
        response = await self.ask(method, **params)
        self.answers += 1
        result = response.get("result", {})
        if ("error" in response or result.get("isError")) and not names:
            self.errors.append(response)
        return response

    async def call(self, tool: str, **arguments: Any) -> Message:
        """Call a tool, confirm its question, and return its answer."""
        response = await answer_question(self.request, fill_form, tool, arguments)
        result = response["result"]
        assert not result.get("isError"), response
        return dict(result["structuredContent"])


async def use_every_feature(host: RecordingHost) -> None:
    """Use every tool, resource, prompt and completion, and erase the person at the end."""
    people = (PERSON, OTHER, {**PERSON, "allow_duplicate": True})
    one, two, three = [(await host.call("create_contact", **who))["id"] for who in people]
    await host.request("tools/call", name="create_contact", arguments=PERSON)
    group = {"group_id": (await host.call("create_contact_group", name=PERSON["company_name"]))["id"]}
    await host.call("add_group_members", **group, contact_ids=[one, two, three])
    await host.call("list_contacts", search=_NAME, tags=PERSON["tags"])
    await host.call("find_contacts", query=f"{PERSON['email']} {PERSON['phone_number']}")
    await host.call("update_contact", contact_id=one, notes=PERSON["notes"], add_tags=PERSON["tags"])
    await host.call("update_contact_group", **group, description=PERSON["notes"])
    rows = f"name,email,phone_number\n{_NAME},{PERSON['email']},{PERSON['phone_number']}"
    await host.call("import_contacts", content=rows, tags=PERSON["tags"])
    await host.call("export_contacts", search=_NAME)
    await host.call("find_duplicate_contacts")
    await host.call("update_matching_contacts", search=_NAME, set_company_name=PERSON["company_name"])
    await host.call("add_matching_to_group", **group, search=_NAME)
    for tool in ("check_group_audience", "list_group_members", "get_contact_group"):
        await host.call(tool, **group)
    await host.call("list_contact_groups")
    for uri in (f"contacts://contacts/{one}", f"contacts://groups/{group['group_id']}/members"):
        await host.request("resources/read", uri=uri)
    for method in ("tools/list", "resources/list", "resources/templates/list", "prompts/list"):
        await host.request(method)
    await host.request("prompts/get", name="add_person", arguments={"who": _NAME, "tag": PERSON["tags"][0]})
    tag = {"name": "tag", "value": "blå"}
    await host.request("completion/complete", ref={"type": "ref/prompt", "name": "add_person"}, argument=tag)
    await host.call("merge_contacts", keep_id=one, merge_ids=[three])
    await host.call("remove_group_member", **group, contact_id=two)
    await host.call("delete_contact", contact_id=two)
    await host.call("delete_contact_group", **group)
    await host.call("get_contact", contact_id=one)
    await host.call("gdpr_delete_contact", contact_id=one, reason="as they asked")


async def send_invalid_requests(host: RecordingHost) -> None:
    """Use every feature with a person's data in place of valid values."""
    for tool in TOOLS:
        for wrong in _WRONG:
            arguments = dict.fromkeys(tool.input_schema["properties"], wrong)
            await host.request("tools/call", name=tool.name, arguments=arguments)
        await host.request("tools/call", name=tool.name, arguments=[_NAME])
        await host.request("tools/call", names=True, name=tool.name, arguments={_NAME: _NAME})
    who = {"who": _NAME, _NAME: _NAME}
    reference = {"type": "ref/prompt", "name": _NAME}
    await host.request("tools/call", names=True, name=_NAME, arguments=PERSON)
    await host.request("resources/read", names=True, uri=f"contacts://contacts/{_NAME}")
    await host.request("resources/subscribe", names=True, uri=f"contacts://contacts/{_NAME}")
    await host.request("prompts/get", names=True, name=_NAME, arguments=who)
    await host.request("prompts/get", names=True, name="add_person", arguments=who)
    await host.request("completion/complete", names=True, ref=reference, argument={"name": _NAME, "value": _NAME})
    await host.request(_NAME, names=True, name=_NAME)
    await host.request("logging/setLevel", names=True, level=_NAME)


_CALLS_OF_BROKEN_DIRECTORY: tuple[tuple[str, Message], ...] = (
    ("create_contact", PERSON),
    ("list_contacts", {"search": _NAME}),
    ("find_duplicate_contacts", {}),
    ("create_contact_group", {"name": _NAME}),
    ("import_contacts", {"content": f"name,email\n{_NAME},{PERSON['email']}"}),
    ("update_matching_contacts", {"search": _NAME, "set_notes": PERSON["notes"]}),
)


async def call_broken_directory(host: RecordingHost, limit: int = len(_CALLS_OF_BROKEN_DIRECTORY)) -> None:
    """Make the first `limit` calls over a broken directory: each is answered."""
    for tool, arguments in _CALLS_OF_BROKEN_DIRECTORY[:limit]:
        await host.request("tools/call", name=tool, arguments=arguments)
