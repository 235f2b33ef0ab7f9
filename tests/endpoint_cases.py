"""One case of each documented endpoint, written from the API documentation, and of each extension.

Every test of all endpoints reads this table: client, directory, OpenAPI document, tenants, scopes, notifications,
faults, guard, and the examples in docs/tools.md. A name of RECORDS stands for the id of that record.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from contacts_mcp.contract import CALLS, Call, Risk
from support.hosts import with_ids

Arguments = Mapping[str, Any]

CONTACTS, GROUPS = ("ola", "kari"), ("customers", "suppliers")
RECORDS = CONTACTS + GROUPS
"""The records of a case, which each test creates: Ola is in `customers`."""
_PARAMETERS = {
    **dict.fromkeys(CONTACTS, "{contact_id}"),
    **dict.fromkeys(GROUPS, "{group_id}"),
    "receipt": "{receipt}",
    "number": "{number}",
}


@dataclass(frozen=True)
class EndpointCase:
    """A call of one endpoint.

    Attributes:
        tool: The tool's name, on which agents and their instructions rely.
        request: The method and the target that the API documentation shows.
        risk: What the call can do to the directory.
        arguments: Of the tool; they are also fields of the call.
        body: The JSON that is sent.
        idempotent: Whether the request may be repeated.
        other: For a call that needs consent: the arguments for another record.
        meanwhile: For a call that needs consent: calls, by tool, after which consent to the first is no longer valid.
    """

    tool: str
    request: str
    risk: Risk
    arguments: Arguments = field(default_factory=dict)
    body: Arguments | None = None
    idempotent: bool = True
    other: Arguments | None = None
    meanwhile: tuple[tuple[str, Arguments], ...] = ()

    def __str__(self) -> str:
        return self.tool

    @property
    def call(self) -> type[Call[Any]]:
        return CALLS_BY_TOOL[self.tool]

    @property
    def route(self) -> str:
        """The request's method and path with parameters instead of records."""
        return self.request.partition("?")[0].format(**_PARAMETERS)

    @property
    def names_records(self) -> bool:
        return "{" in self.request

    def sent(self, ids: Mapping[str, str]) -> tuple[str, str, Any]:
        """The method, the target and the body of the request."""
        method, target = self.request.format(**ids).split(" ", 1)
        return method, target, with_ids(self.body, ids)


def cases_not_in(tools: Mapping[str, Any] | set[str]) -> Iterator[EndpointCase]:
    """The cases of the endpoints whose tools are not among these, for tests that have calls of their own for most."""
    return (case for case in CASES if case.tool not in tools)


CALLS_BY_TOOL = {call.tool_name(): call for call in CALLS}
_OLA = {"type": "person", "name": "Ola Hansen", "phone_number": "+4799999998", "email": "ola.hansen@example.com"}
_VIP = {"name": "VIP Customers", "description": "High-value customers for priority support"}
_REASON = {"reason": "Article 17 request"}
_RENAME_OLA = ("update_contact", {"contact_id": "ola", "name": "Somebody Else"})

CASES = (
    EndpointCase("list_contacts", "GET /v1/contacts?page=1&per_page=50", Risk.READ),
    EndpointCase(
        "create_contact",
        "POST /v1/contacts",
        Risk.WRITE,
        {**_OLA, "tags": ["vip"]},
        {**_OLA, "tags": ["vip"]},
        idempotent=False,
    ),
    EndpointCase("get_contact", "GET /v1/contacts/{ola}", Risk.READ, {"contact_id": "ola"}),
    EndpointCase("update_contact", "PATCH /v1/contacts/{ola}", Risk.WRITE, {"contact_id": "ola", **_OLA}, _OLA),
    EndpointCase(
        "delete_contact",
        "DELETE /v1/contacts/{ola}",
        Risk.DESTROY,
        {"contact_id": "ola"},
        other={"contact_id": "kari"},
        meanwhile=(_RENAME_OLA,),
    ),
    EndpointCase(
        "gdpr_delete_contact",
        "POST /v1/contacts/{ola}/gdpr-delete",
        Risk.ERASE,
        {"contact_id": "ola", **_REASON},
        _REASON,
        idempotent=False,
        other={"contact_id": "kari", **_REASON},
        meanwhile=(_RENAME_OLA,),
    ),
    EndpointCase("list_contact_groups", "GET /v1/contacts/groups", Risk.READ),
    EndpointCase("create_contact_group", "POST /v1/contacts/groups", Risk.WRITE, _VIP, _VIP, idempotent=False),
    EndpointCase("get_contact_group", "GET /v1/contacts/groups/{customers}", Risk.READ, {"group_id": "customers"}),
    EndpointCase(
        "update_contact_group",
        "PATCH /v1/contacts/groups/{customers}",
        Risk.WRITE,
        {"group_id": "customers", **_VIP},
        _VIP,
    ),
    EndpointCase(
        "delete_contact_group",
        "DELETE /v1/contacts/groups/{customers}",
        Risk.DESTROY,
        {"group_id": "customers"},
        other={"group_id": "suppliers"},
        meanwhile=(
            ("remove_group_member", {"group_id": "customers", "contact_id": "ola"}),
            ("add_group_members", {"group_id": "customers", "contact_ids": ["kari"]}),
        ),
    ),
    EndpointCase(
        "list_group_members", "GET /v1/contacts/groups/{customers}/members", Risk.READ, {"group_id": "customers"}
    ),
    EndpointCase(
        "add_group_members",
        "POST /v1/contacts/groups/{suppliers}/members",
        Risk.WRITE,
        {"group_id": "suppliers", "contact_ids": ["ola", "kari"]},
        {"contact_ids": ["ola", "kari"]},
    ),
    EndpointCase(
        "remove_group_member",
        "DELETE /v1/contacts/groups/{customers}/members/{ola}",
        Risk.WRITE,
        {"group_id": "customers", "contact_id": "ola"},
    ),
)
EXTENSIONS = (
    EndpointCase("describe_directory", "GET /v1/directory", Risk.READ),
    EndpointCase("scan_contacts", "GET /v1/directory/contacts?fields=id&group_id={customers}", Risk.READ),
    EndpointCase(
        "batch_contacts",
        "POST /v1/directory/contacts",
        Risk.WRITE,
        body={"creates": [{"type": "person", "name": "Per Hansen"}]},
        idempotent=False,
    ),
    EndpointCase("read_person", "GET /v1/directory/persons/{ola}", Risk.READ),
    EndpointCase("merge_records", "POST /v1/directory/persons/{ola}/merge", Risk.DESTROY, body={"merge_ids": ["kari"]}),
    EndpointCase("restore_contact", "POST /v1/directory/persons/{ola}/restore", Risk.WRITE),
    EndpointCase("list_deleted_contacts", "GET /v1/directory/deleted", Risk.READ),
    EndpointCase(
        "erase_records", "POST /v1/directory/persons/{ola}/erase", Risk.ERASE, body={"also_erase": ["kari"], **_REASON}
    ),
)
"""The embedded directory's own routes; no tool is derived from them."""

RECEIPT_EXTENSIONS = (EndpointCase("read_receipt", "GET /v1/directory/receipts/{number}", Risk.READ),)
"""A route of the embedded directory that needs the number of an erasure's receipt."""

UNDO_EXTENSIONS = (
    EndpointCase("read_undo", "GET /v1/directory/undo/{receipt}", Risk.READ),
    EndpointCase("undo_update", "POST /v1/directory/undo/{receipt}", Risk.DESTROY, idempotent=False),
)
"""Further routes of the embedded directory, which need the receipt of an update instead of a record."""
