"""A service written from the API's page alone, in the shapes of its examples; it shares no code with the package.

Where the page leaves something open, it takes the reading that is hardest on a client: it ignores filters, insists on
`name` in a PATCH, miscounts `added`, answers a deletion with a body and an erasure with none, and anonymises in place.
"""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any
from urllib.parse import parse_qs, urlsplit

Answer = tuple[int, Any]
_TIME = "2025-01-15T09:30:00+00:00"


class PageService:
    """Contacts and groups in dictionaries."""

    def __init__(self) -> None:
        self.contacts: dict[str, dict[str, Any]] = {}
        self.groups: dict[str, dict[str, Any]] = {}
        self.members: dict[str, list[str]] = {}
        self._numbers = count(1)

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: dict[str, Any]) -> Answer:
        """Status and JSON of one request, or 404 for what the page does not document."""
        for wanted, pattern, respond in _ROUTES:
            found = re.fullmatch(pattern.replace("ID", "([0-9a-f-]{36})"), path)
            if wanted == method and found:
                return respond(self, query, body, *found.groups())
        return 404, {"error": {"code": "NOT_FOUND", "message": f"{method} {path}"}}

    def list_contacts(self, query: dict[str, list[str]], _body: dict[str, Any]) -> Answer:
        page, per_page = (int(query[name][0]) for name in ("page", "per_page"))
        rows = [self._row(contact, "email", "phone_number", "tags") for contact in reversed(self.contacts.values())]
        for row in rows:
            row["contact_type"] = self.contacts[row["id"]]["type"]
        shown = rows[(page - 1) * per_page : page * per_page]
        return 200, {"contacts": shown, "total": len(rows), "page": page, "per_page": per_page}

    def create_contact(self, _query: Any, body: dict[str, Any]) -> Answer:
        if "type" not in body:
            return 422, {"detail": [{"loc": ["body", "type"], "msg": "Field required", "type": "missing"}]}
        empty = dict.fromkeys(("company_name", "phone_number", "email", "notes"))
        contact = {"id": self._id(), **empty, "tags": [], **body, "created_at": _TIME, "updated_at": _TIME}
        self.contacts[contact["id"]] = contact
        return 201, contact

    def get_contact(self, _query: Any, _body: Any, contact_id: str) -> Answer:
        return self._found(self.contacts, contact_id)

    def update_contact(self, _query: Any, body: dict[str, Any], contact_id: str) -> Answer:
        return self._patch(self.contacts, contact_id, body)

    def delete_contact(self, _query: Any, _body: Any, contact_id: str) -> Answer:
        status, answer = self._found(self.contacts, contact_id)
        for members in self.members.values():
            members[:] = [member for member in members if member != contact_id]
        self.contacts.pop(contact_id, None)
        return status, {"ok": True} if status == 200 else answer

    def erase_contact(self, _query: Any, body: dict[str, Any], contact_id: str) -> Answer:
        status, answer = self._found(self.contacts, contact_id)
        if status == 200:
            assert body["reason"]
            cleared = dict.fromkeys(("company_name", "phone_number", "email", "notes"))
            self.contacts[contact_id] |= {**cleared, "name": "Anonymized", "tags": []}
        return status, None if status == 200 else answer

    def list_groups(self, _query: Any, _body: Any) -> Answer:
        return 200, {"groups": [self._group(group_id, description=False) for group_id in self.groups]}

    def create_group(self, _query: Any, body: dict[str, Any]) -> Answer:
        group_id = self._id()
        self.groups[group_id] = {"id": group_id, "description": None, **body, "created_at": _TIME}
        self.members[group_id] = []
        return 201, self._group(group_id)

    def get_group(self, _query: Any, _body: Any, group_id: str) -> Answer:
        status, answer = self._found(self.groups, group_id)
        return status, self._group(group_id) if status == 200 else answer

    def update_group(self, _query: Any, body: dict[str, Any], group_id: str) -> Answer:
        status, answer = self._patch(self.groups, group_id, body)
        return status, self._group(group_id) if status == 200 else answer

    def delete_group(self, _query: Any, _body: Any, group_id: str) -> Answer:
        status, answer = self._found(self.groups, group_id)
        self.groups.pop(group_id, None)
        return (204, None) if status == 200 else (status, answer)

    def list_members(self, _query: Any, _body: Any, group_id: str) -> Answer:
        if group_id not in self.groups:
            return self._found(self.groups, group_id)
        rows = [self._row(self.contacts[contact_id], "phone_number") for contact_id in self.members[group_id]]
        return 200, {"members": rows}

    def add_members(self, _query: Any, body: dict[str, Any], group_id: str) -> Answer:
        if group_id not in self.groups:
            return self._found(self.groups, group_id)
        self.members[group_id] += [contact for contact in body["contact_ids"] if contact in self.contacts]
        return 200, {"added": len(body["contact_ids"]) + 1}

    def remove_member(self, _query: Any, _body: Any, group_id: str, contact_id: str) -> Answer:
        self.members[group_id].remove(contact_id)
        return 204, None

    def _id(self) -> str:
        return f"a1b2c3d4-5678-9abc-def0-{next(self._numbers):012x}"

    def _found(self, records: dict[str, Any], record_id: str) -> Answer:
        if record_id in records:
            return 200, records[record_id]
        return 404, {"error": {"code": "NOT_FOUND", "message": "No such record"}}

    def _patch(self, records: dict[str, Any], record_id: str, body: dict[str, Any]) -> Answer:
        if record_id in records and "name" not in body:
            details = {"field": "name", "expected": "string"}
            return 422, {"error": {"code": "INVALID_PARAMETER", "message": "name is required", "details": details}}
        if record_id in records:
            records[record_id] |= body
        return self._found(records, record_id)

    def _row(self, contact: dict[str, Any], *fields: str) -> dict[str, Any]:
        first, _, last = contact["name"].rpartition(" ")
        return {"id": contact["id"], "first_name": first, "last_name": last} | {name: contact[name] for name in fields}

    def _group(self, group_id: str, *, description: bool = True) -> dict[str, Any]:
        shown = {**self.groups[group_id], "member_count": len(self.members[group_id])}
        return shown if description else {name: shown[name] for name in ("id", "name", "member_count", "created_at")}


_GROUPS = "/v1/contacts/groups"
_ROUTES = [
    ("GET", "/v1/contacts", PageService.list_contacts),
    ("POST", "/v1/contacts", PageService.create_contact),
    ("GET", "/v1/contacts/ID", PageService.get_contact),
    ("PATCH", "/v1/contacts/ID", PageService.update_contact),
    ("DELETE", "/v1/contacts/ID", PageService.delete_contact),
    ("POST", "/v1/contacts/ID/gdpr-delete", PageService.erase_contact),
    ("GET", _GROUPS, PageService.list_groups),
    ("POST", _GROUPS, PageService.create_group),
    ("GET", f"{_GROUPS}/ID", PageService.get_group),
    ("PATCH", f"{_GROUPS}/ID", PageService.update_group),
    ("DELETE", f"{_GROUPS}/ID", PageService.delete_group),
    ("GET", f"{_GROUPS}/ID/members", PageService.list_members),
    ("POST", f"{_GROUPS}/ID/members", PageService.add_members),
    ("DELETE", f"{_GROUPS}/ID/members/ID", PageService.remove_member),
]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    service: PageService
    key: str

    def respond(self) -> None:
        url = urlsplit(self.path)
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        status, answer = 401, {"error": {"code": "AUTH_FAILED", "message": "Invalid API key"}}
        if self.headers.get("X-API-Key") == self.key:
            status, answer = self.service.answer(self.command, url.path, parse_qs(url.query), body)
        content = b"" if answer is None else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PATCH = do_DELETE = respond  # noqa: N815 - the base class looks for these names

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def page_service(key: str) -> Iterator[str]:
    """The service on loopback HTTP, in threads of its own; yields its address."""
    handler = type("Handler", (_Handler,), {"service": PageService(), "key": key})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        server.block_on_close = False
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join(10)
