"""Everything that a host can ask of a server, right and wrong, with a person's data in every place it could go to."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from contacts_mcp.tools import TOOLS
from trust.seeds import OTHER, PERSON

Message = dict[str, Any]
Ask = Callable[..., Awaitable[Message]]
"""Make a request, its method and members; the response as it came."""

_NAME = str(PERSON["name"])
_WRONG: tuple[Any, ...] = (_NAME, [_NAME], {"value": _NAME}, f"{_NAME}\ud7ff" * 500)


@dataclass
class Drive:
    """Asks, and keeps what was said of what went wrong."""

    ask: Ask
    errors: list[Message] = field(default_factory=list)
    answers: int = 0

    async def request(self, method: str, *, names: bool = False, **params: Any) -> Message:
        """Make a request. `names`: it has a person's name where a tool's or a field's should be, which is repeated."""
        response = await self.ask(method, **params)
        self.answers += 1
        result = response.get("result", {})
        if ("error" in response or result.get("isError")) and not names:
            self.errors.append(response)
        return response

    async def call(self, tool: str, **arguments: Any) -> Message:
        """A tool call that succeeds; its answer. Whoever is asked agrees."""
        response = await self.request("tools/call", name=tool, arguments=arguments)
        result = response["result"]
        if state := result.get("requestState"):
            fields = result["inputRequests"]["confirm"]["params"]["requestedSchema"]["properties"]
            decision = fields.get("decision", {"enum": [_NAME]})["enum"][-1]
            said = {"confirm": {"action": "accept", "content": {next(iter(fields)): decision}}}
            response = await self.request(
                "tools/call", name=tool, arguments=arguments, inputResponses=said, requestState=state
            )
            result = response["result"]
        assert not result.get("isError"), response
        return dict(result["structuredContent"])


async def use_everything(drive: Drive) -> None:
    """Every tool, resource, prompt and completion once, on somebody who is erased in the end."""
    one, two, three = [(await drive.call("create_contact", **who))["id"] for who in (PERSON, OTHER, PERSON)]
    group = {"group_id": (await drive.call("create_contact_group", name=PERSON["company_name"]))["id"]}
    await drive.call("add_group_members", **group, contact_ids=[one, two, three])
    await drive.call("list_contacts", search=_NAME, tags=PERSON["tags"])
    await drive.call("find_contacts", query=f"{PERSON['email']} {PERSON['phone_number']}")
    await drive.call("update_contact", contact_id=one, notes=PERSON["notes"], add_tags=PERSON["tags"])
    await drive.call("update_contact_group", **group, description=PERSON["notes"])
    rows = f"name,email,phone_number\n{_NAME},{PERSON['email']},{PERSON['phone_number']}"
    await drive.call("import_contacts", content=rows, tags=PERSON["tags"])
    await drive.call("export_contacts", search=_NAME)
    await drive.call("find_duplicate_contacts")
    await drive.call("update_matching_contacts", search=_NAME, set_company_name=PERSON["company_name"])
    await drive.call("add_matching_to_group", **group, search=_NAME)
    for tool in ("check_group_audience", "list_group_members", "get_contact_group"):
        await drive.call(tool, **group)
    await drive.call("list_contact_groups")
    for uri in (f"contacts://contacts/{one}", f"contacts://groups/{group['group_id']}/members"):
        await drive.request("resources/read", uri=uri)
    for method in ("tools/list", "resources/list", "resources/templates/list", "prompts/list"):
        await drive.request(method)
    await drive.request("prompts/get", name="add_person", arguments={"who": _NAME, "tag": PERSON["tags"][0]})
    tag = {"name": "tag", "value": "blå"}
    await drive.request("completion/complete", ref={"type": "ref/prompt", "name": "add_person"}, argument=tag)
    await drive.call("merge_contacts", keep_id=one, merge_ids=[three])
    await drive.call("remove_group_member", **group, contact_id=two)
    await drive.call("delete_contact", contact_id=two)
    await drive.call("delete_contact_group", **group)
    await drive.call("get_contact", contact_id=one)
    await drive.call("gdpr_delete_contact", contact_id=one, reason="as they asked")


async def ask_wrongly(drive: Drive) -> None:
    """The same with a person's data wherever something else belongs."""
    for tool in TOOLS:
        for wrong in _WRONG:
            arguments = dict.fromkeys(tool.input_schema["properties"], wrong)
            await drive.request("tools/call", name=tool.name, arguments=arguments)
        await drive.request("tools/call", name=tool.name, arguments=[_NAME])
        await drive.request("tools/call", names=True, name=tool.name, arguments={_NAME: _NAME})
    who = {"who": _NAME, _NAME: _NAME}
    reference = {"type": "ref/prompt", "name": _NAME}
    await drive.request("tools/call", names=True, name=_NAME, arguments=PERSON)
    await drive.request("resources/read", names=True, uri=f"contacts://contacts/{_NAME}")
    await drive.request("resources/subscribe", names=True, uri=f"contacts://contacts/{_NAME}")
    await drive.request("prompts/get", names=True, name=_NAME, arguments=who)
    await drive.request("prompts/get", names=True, name="add_person", arguments=who)
    await drive.request("completion/complete", names=True, ref=reference, argument={"name": _NAME, "value": _NAME})
    await drive.request(_NAME, names=True, name=_NAME)
    await drive.request("logging/setLevel", names=True, level=_NAME)


_OVER_A_CRASH: tuple[tuple[str, Message], ...] = (
    ("create_contact", PERSON),
    ("list_contacts", {"search": _NAME}),
    ("find_duplicate_contacts", {}),
    ("create_contact_group", {"name": _NAME}),
    ("import_contacts", {"content": f"name,email\n{_NAME},{PERSON['email']}"}),
    ("update_matching_contacts", {"search": _NAME, "set_notes": PERSON["notes"]}),
)


async def meet_a_crash(drive: Drive, most: int = len(_OVER_A_CRASH)) -> None:
    """Calls over a directory that has just been broken, of which the first `most`: each is answered."""
    for tool, arguments in _OVER_A_CRASH[:most]:
        await drive.request("tools/call", name=tool, arguments=arguments)
