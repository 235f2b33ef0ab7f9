"""Every kind of result, in each version of the protocol: it has what the version's own schema has, and nothing else.

`protocol_schemas/` has the results of the schemas in the specification's repository, without their descriptions.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from contacts_mcp.app import Embedded, build_app
from contacts_mcp.settings import load_settings
from support.hosts import LEGACY, MISSING_ID, MODERN
from support.raw_hosts import LineHost, Message, fill_form, line_host

SCHEMAS = Path(__file__).parent / "protocol_schemas"
VERSIONS = sorted(path.stem for path in SCHEMAS.glob("*.json"))
RESULTS = {
    "initialize": "InitializeResult",
    "server/discover": "DiscoverResult",
    "tools/list": "ListToolsResult",
    "tools/call": "CallToolResult",
    "resources/list": "ListResourcesResult",
    "resources/templates/list": "ListResourceTemplatesResult",
    "resources/read": "ReadResourceResult",
    "prompts/list": "ListPromptsResult",
    "prompts/get": "GetPromptResult",
    "completion/complete": "CompleteResult",
}
CSV = "Name,Phone\nKari Moe,+4790000001\n"


def closed(schema: Any) -> Any:
    """The schema without room for members that it does not name."""
    if isinstance(schema, list):
        return [closed(child) for child in schema]
    if not isinstance(schema, dict):
        return schema
    members = schema.get("properties", {})
    inner = {key: closed(child) for key, child in schema.items() if key != "properties"}
    if not members:
        return {**inner, "properties": members} if "properties" in schema else inner
    inner["properties"] = {name: closed(child) for name, child in members.items()}
    return {"additionalProperties": False, **inner}


def faults(version: str, method: str, result: Message) -> list[str]:
    """What a result has that its version does not allow, or lacks."""
    validator = _validator(version, RESULTS[method])
    return [f"{method} {error.json_path}: {error.message}" for error in validator.iter_errors(result)]


@cache
def _validator(version: str, result: str) -> Draft202012Validator:
    ((key, definitions),) = json.loads((SCHEMAS / f"{version}.json").read_text()).items()
    return Draft202012Validator(
        {key: {name: closed(schema) for name, schema in definitions.items()}, "$ref": f"#/{key}/{result}"}
    )


class Recorder:
    """Sends requests and keeps every result with its method."""

    def __init__(self, host: LineHost) -> None:
        self.host = host
        self.results: list[tuple[str, Message]] = []

    async def ask(self, method: str, **params: Any) -> Message:
        result = (await self.host.request(method, **params))["result"]
        self.results.append((method, result))
        return result

    async def call(self, tool: str, **arguments: Any) -> Message:
        result = await self.ask("tools/call", name=tool, arguments=arguments)
        return json.loads(result["content"][0]["text"]) if not result.get("isError") else result


async def use_everything(server: Recorder) -> None:
    """Get every kind of result: lists, contents, prompts, completions, answers, an error, a file, a person's no."""
    group = await server.call("create_contact_group", name="Choir", description="On Mondays")
    contact = await server.call("create_contact", name="Ola Nordmann", phone_number="+4799999999", tags=["vip"])
    await server.call("add_group_members", group_id=group["id"], contact_ids=[contact["id"]])
    await server.call("get_contact", contact_id=MISSING_ID)
    plan = await server.call("import_contacts", content=CSV)
    await server.call("import_contacts", content=CSV, apply=True, plan=plan["plan"])
    exports = [await server.call("export_contacts", format=each) for each in ("csv", "xlsx")]
    for method in ("tools/list", "resources/list", "resources/templates/list", "prompts/list"):
        await server.ask(method)
    for uri in (f"contacts://groups/{group['id']}", *(export["uri"] for export in exports)):
        await server.ask("resources/read", uri=uri)
    await server.ask("prompts/get", name="add_person", arguments={"who": "Ola"})
    reference = {"type": "ref/prompt", "name": "add_person"}
    await server.ask("completion/complete", ref=reference, argument={"name": "tag", "value": "v"})


@pytest.mark.parametrize("version", VERSIONS)
async def test_every_result_has_only_what_the_negotiated_version_has(version: str, tmp_path: Path) -> None:
    """2024-11-05 has no annotations; titles and structured content came in 2025-06-18."""
    app = build_app(load_settings(), Embedded(tmp_path / "contacts.db", "test"))
    era = MODERN if version == MODERN else LEGACY
    async with line_host(app.server, era, version=version) as host:
        server = Recorder(host)
        if era == MODERN:
            await server.ask("server/discover")
        else:
            server.results.append(("initialize", host.greeting["result"]))
            assert host.greeting["result"]["protocolVersion"] == version
        await use_everything(server)

    assert {method for method, _ in server.results} == RESULTS.keys() - {
        "initialize" if era == MODERN else "server/discover"
    }
    assert [fault for method, result in server.results for fault in faults(version, method, result)] == []


@pytest.mark.parametrize("version", VERSIONS[:-1])
async def test_refused_and_agreed_call_has_only_what_the_version_has(version: str, tmp_path: Path) -> None:
    """The results of a person's no and yes."""
    agrees = False

    async def person(question: Message) -> Message:
        return {"result": {"action": "accept", "content": fill_form(question["params"], agrees=agrees)}}

    app = build_app(load_settings(), Embedded(tmp_path / "contacts.db", "test"))
    async with line_host(app.server, LEGACY, person, version=version) as host:
        server = Recorder(host)
        contact = await server.call("create_contact", name="Ola Nordmann")
        refused = await server.call("delete_contact", contact_id=contact["id"])
        agrees = True
        done = await server.call("delete_contact", contact_id=contact["id"])

    assert (refused["done"], done["done"]) == (False, True)
    assert [fault for method, result in server.results for fault in faults(version, method, result)] == []


@pytest.mark.parametrize("version", VERSIONS[:-1])
async def test_first_version_reports_progress_without_a_message(
    version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("contacts_mcp.tools._turns.REPORT_INTERVAL_SECONDS", 0)
    app = build_app(load_settings(), Embedded(tmp_path / "contacts.db", "test"))
    async with line_host(app.server, LEGACY, version=version) as host:
        await host.call("create_contact", {"name": "Ola Nordmann"})
        await host.call("export_contacts", {}, _meta={"progressToken": "token"})
        reports = [each["params"] for each in host.notified if each["method"] == "notifications/progress"]

    assert reports
    assert all(("message" in report) is (version != "2024-11-05") for report in reports)


def test_check_finds_what_a_version_does_not_have() -> None:
    """The check of these tests itself: a current list of tools is wrong in earlier versions."""
    tool = {"name": "x", "title": "X", "inputSchema": {"type": "object"}, "outputSchema": {"type": "object"}}

    found = {version: len(faults(version, "tools/list", {"tools": [tool]})) for version in VERSIONS[:-1]}

    assert [bool(count) for count in found.values()] == [True, True, False, False]
    assert faults("2025-03-26", "tools/call", {"content": [], "structuredContent": {}})
