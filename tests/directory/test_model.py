"""The directory behaves like a model in plain Python, for random requests in random order.

The model has no tables, terms or counters. Its words are ASCII, and none is a misspelling of another.
"""

import asyncio
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import func, insert, select

from contacts_mcp.directory import Directory, Location
from contacts_mcp.directory.api import Tenant
from contacts_mcp.directory.database import tenants
from contacts_mcp.directory.maintenance import check

UNKNOWN_ID = "00000000-0000-0000-0000-000000000000"
WORDS = ("anna", "bertil", "carolina", "dorthea", "egon", "fjodor", "gunnhild", "hovland")
NUMBERS = ("+4790012345", "0047 400 55 566", "+1 (212) 555-0199")
TAGS = ("VIP", "vip", "lead", "Oslo")
CLEARED = {"company_name": None, "phone_number": None, "email": None, "tags": [], "notes": None}
LISTED = ("id", "email", "phone_number", "tags")

words = st.sampled_from(WORDS)
names = st.lists(words, min_size=1, max_size=3).map(lambda some: " ".join(each.title() for each in some))
optional = {
    "company_name": st.none() | st.builds("{} as".format, words),
    "phone_number": st.none() | st.sampled_from(NUMBERS),
    "email": st.none() | st.builds("{}@mail.example".format, words),
    "tags": st.none() | st.lists(st.sampled_from(TAGS), max_size=3),
    "notes": st.none() | st.sampled_from(["n", "Some notes"]),
}
types = st.sampled_from(["person", "company"])
bodies = st.fixed_dictionaries({"name": names}, optional={"type": types, **optional})
changes = st.fixed_dictionaries({}, optional={"name": names, "type": types, **optional})
searches = st.one_of(
    st.lists(words, max_size=1).map(" ".join),
    st.builds("{} {}".format, words, words.map(lambda word: word[:3])),
    words.map(lambda word: word[:2].upper()),
    st.sampled_from(["90012", "400 55", "+1 212", "2125550199", "anna@mail.example", "mail.exa", "as"]),
)
filters = st.fixed_dictionaries(
    {}, optional={"type": types, "search": searches, "tags": st.lists(st.sampled_from(TAGS), max_size=2)}
)
any_number = st.integers(0, 12)


def pick_id(number: int, existing: list[str], deleted: list[str]) -> str:
    """Return the id of a record that exists, that was deleted, or that never existed."""
    among = existing if number < 9 else deleted if number < 11 else []
    return among[number % len(among)] if among else UNKNOWN_ID


def stored(body: dict[str, Any]) -> dict[str, Any]:
    """Return the stored values of a request: tags that differ only by case are one."""
    if "tags" not in body:
        return body
    tags: dict[str, str] = {}
    for tag in body["tags"] or []:
        tags.setdefault(tag.lower(), tag)
    return {**body, "tags": list(tags.values())}


def words_of(contact: dict[str, Any]) -> set[str]:
    found = set(f"{contact['name']} {contact['company_name'] or ''}".lower().split())
    if address := contact["email"]:
        local, _, domain = address.partition("@")
        found |= {address, local, domain, *domain.split(".")}
    return found


def matches(contact: dict[str, Any], type: str = "", search: str = "", tags: Any = ()) -> bool:  # noqa: A002
    """Whether a contact matches a filter."""
    if type and contact["type"] != type:
        return False
    if not {tag.lower() for tag in tags} <= {tag.lower() for tag in contact["tags"]}:
        return False
    digits = "".join(each for each in search if each.isdigit())
    if digits:
        return digits in "".join(each for each in contact["phone_number"] or "" if each.isdigit())
    *whole, last = search.lower().split() or [""]
    has = words_of(contact)
    return set(whole) <= has and any(word.startswith(last) for word in has)


def row_of(contact: dict[str, Any]) -> dict[str, Any]:
    """Return a contact as a row of a list."""
    first, _, last = contact["name"].rpartition(" ")
    split = (first, last) if first and contact["type"] == "person" else (contact["name"], None)
    return {
        **{key: contact[key] for key in LISTED},
        "first_name": split[0],
        "last_name": split[1],
        "contact_type": contact["type"],
    }


class Model(RuleBasedStateMachine):
    """A directory, and its expected contents."""

    location: Location

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.directory = Directory(self.location)
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(self.directory.app), base_url="http://d")
        self.contacts: dict[str, dict[str, Any]] = {}  # in the order of their creation, as all collections here
        self.groups: dict[str, dict[str, Any]] = {}
        self.has_written = False
        self.known: list[str] = []
        self.known_groups: list[str] = []

    @initialize()
    def begin(self) -> None:
        """Give each example a tenant of its own in one database."""

        def another(connection: Any) -> int:
            tenant = connection.execute(select(func.max(tenants.c.seq) + 1)).scalar_one()
            connection.execute(insert(tenants).values(seq=tenant, name=f"t{tenant}", created_at="x"))
            return int(tenant)

        tenant = self.runner.run(self.directory._database.write(another))
        self.directory.app.state.tenant = Tenant(self.directory._database, tenant)
        self.batch([{"name": "Anna"}, {"name": "Egon As", "tags": ["VIP"]}], [])
        self.create_group("Some", None)

    def request(self, status: int, method: str, url: str, body: Any = None, **params: Any) -> Any:
        answer = self.runner.run(self.http.request(method, url, json=body, params=params))
        assert answer.status_code == status, answer.text
        self.has_written |= method != "GET"
        return answer.json() if answer.content else None

    def contact_id_of(self, number: int) -> str:
        """Return the id of a contact, mostly of a live one."""
        return pick_id(number, list(self.contacts), [each for each in self.known if each not in self.contacts])

    def group_id_of(self, number: int) -> str:
        return pick_id(number, list(self.groups), [each for each in self.known_groups if each not in self.groups])

    def record_creation(self, contact_id: str, body: dict[str, Any]) -> None:
        """Record a created contact."""
        shown = self.request(200, "GET", f"/v1/contacts/{contact_id}")
        self.known.append(contact_id)
        times = {"created_at": shown["created_at"], "updated_at": shown["created_at"]}
        self.contacts[contact_id] = {**CLEARED, "type": "person", **stored(body), "id": contact_id, **times}
        assert shown == self.contacts[contact_id]

    def record_update(self, contact_id: str, body: dict[str, Any]) -> None:
        """Record an update; if nothing differs, `updated_at` stays."""
        before, shown = self.contacts[contact_id], self.request(200, "GET", f"/v1/contacts/{contact_id}")
        after = {**before, **stored(body)}
        assert (shown["updated_at"] > before["updated_at"]) == (after != before)
        self.contacts[contact_id] = {**after, "updated_at": shown["updated_at"]}
        assert shown == self.contacts[contact_id]

    def record_removal(self, contact_id: str) -> None:
        del self.contacts[contact_id]
        for group in self.groups.values():
            group["members"] = [each for each in group["members"] if each != contact_id]

    @rule(body=bodies)
    def create(self, body: dict[str, Any]) -> None:
        self.record_creation(self.request(201, "POST", "/v1/contacts", body)["id"], body)

    @rule(number=any_number, body=changes)
    def update(self, number: int, body: dict[str, Any]) -> None:
        contact = self.contact_id_of(number)
        if contact not in self.contacts:
            self.request(404, "PATCH", f"/v1/contacts/{contact}", body)
            return
        self.request(200, "PATCH", f"/v1/contacts/{contact}", body)
        self.record_update(contact, body)

    @rule(number=any_number, field=st.sampled_from(["name", "type"]))
    def clear_required_field(self, number: int, field: str) -> None:
        self.request(422, "PATCH", f"/v1/contacts/{self.contact_id_of(number)}", {field: None})

    @rule(creates=st.lists(bodies, max_size=4), updates=st.lists(st.tuples(any_number, changes), max_size=4))
    def batch(self, creates: list[dict[str, Any]], updates: list[tuple[int, dict[str, Any]]]) -> None:
        """Add an invalid item, which does not affect the others."""
        changing = [{**body, "id": self.contact_id_of(number)} for number, body in updates]
        sent = {"creates": [*creates, {"name": " "}], "updates": changing}
        results = self.request(200, "POST", "/v1/directory/contacts", sent)["results"]
        existing = [200 if each["id"] in self.contacts else 404 for each in changing]
        assert [each["status"] for each in results] == [201] * len(creates) + [422] + existing
        for outcome, body in zip(results, creates, strict=False):
            self.record_creation(outcome["id"], body)
        merged: dict[str, dict[str, Any]] = {}
        for each in changing:
            if each["id"] in self.contacts:
                merged[each["id"]] = {**merged.get(each["id"], {}), **each}
        for contact, body in merged.items():
            self.record_update(contact, body)

    @rule(number=any_number)
    def get(self, number: int) -> None:
        contact = self.contact_id_of(number)
        shown = self.request(200 if contact in self.contacts else 404, "GET", f"/v1/contacts/{contact}")
        assert shown == self.contacts.get(contact, {"detail": "Contact not found"})

    @rule(number=any_number)
    def delete(self, number: int) -> None:
        contact = self.contact_id_of(number)
        self.request(204 if contact in self.contacts else 404, "DELETE", f"/v1/contacts/{contact}")
        if contact in self.contacts:
            self.record_removal(contact)

    @rule(number=any_number)
    def erase(self, number: int) -> None:
        """Also deleted contacts, and erased ones again."""
        contact = self.contact_id_of(number)
        status = 404 if contact == UNKNOWN_ID else 200
        self.request(status, "POST", f"/v1/contacts/{contact}/gdpr-delete", {"reason": "asked"})
        if contact in self.contacts:
            self.record_removal(contact)

    @rule(wanted=filters, page=st.integers(1, 3), per_page=st.integers(1, 5))
    def search(self, wanted: dict[str, Any], page: int, per_page: int) -> None:
        found = [row_of(each) for each in self.contacts.values() if matches(each, **wanted)][::-1]
        shown = self.request(200, "GET", "/v1/contacts", page=page, per_page=per_page, **wanted)
        part = found[(page - 1) * per_page : page * per_page]
        assert shown == {"contacts": part, "total": len(found), "page": page, "per_page": per_page}

    @rule(wanted=filters, limit=st.integers(1, 5), number=any_number, grouped=st.booleans())
    def scan(self, wanted: dict[str, Any], limit: int, number: int, grouped: bool) -> None:
        group = self.group_id_of(number)
        if grouped and group not in self.groups:
            self.request(404, "GET", "/v1/directory/contacts", fields=["id"], group_id=group)
            return
        among = self.groups[group]["members"] if grouped else self.contacts
        fields, rows, after = ["id", "name", "tags", "notes"], [], "0"
        query = {**wanted, "fields": fields, "limit": limit} | ({"group_id": group} if grouped else {})
        while after is not None:
            page = self.request(200, "GET", "/v1/directory/contacts", after=after, **query)
            rows, after = [*rows, *page["rows"]], page["next"]
        found = [each for key, each in self.contacts.items() if key in among and matches(each, **wanted)]
        assert rows == [[each[field] for field in fields] for each in found]

    @rule(name=names, description=st.none() | st.just("d"))
    def create_group(self, name: str, description: str | None) -> None:
        made = self.request(201, "POST", "/v1/contacts/groups", {"name": name, "description": description})
        self.groups[made["id"]] = {"shown": made, "members": []}
        self.known_groups.append(made["id"])
        assert (made["name"], made["description"], made["member_count"]) == (name, description, 0)

    @rule(number=any_number, body=st.fixed_dictionaries({}, optional={"name": names, "description": st.none() | words}))
    def update_group(self, number: int, body: dict[str, Any]) -> None:
        group = self.group_id_of(number)
        answer = self.request(200 if group in self.groups else 404, "PATCH", f"/v1/contacts/groups/{group}", body)
        if group in self.groups:
            self.groups[group]["shown"] |= body
            assert answer == self.show(group)

    @rule(number=any_number)
    def get_group(self, number: int) -> None:
        group = self.group_id_of(number)
        answer = self.request(200 if group in self.groups else 404, "GET", f"/v1/contacts/groups/{group}")
        assert group not in self.groups or answer == self.show(group)

    def show(self, group: str) -> dict[str, Any]:
        return {**self.groups[group]["shown"], "member_count": len(self.groups[group]["members"])}

    @rule(number=any_number)
    def delete_group(self, number: int) -> None:
        group = self.group_id_of(number)
        self.request(204 if group in self.groups else 404, "DELETE", f"/v1/contacts/groups/{group}")
        self.groups.pop(group, None)

    @rule(number=any_number, numbers=st.lists(any_number, min_size=1, max_size=5))
    def add_members(self, number: int, numbers: list[int]) -> None:
        group, ids = self.group_id_of(number), [self.contact_id_of(each) for each in numbers]
        url = f"/v1/contacts/groups/{group}/members"
        answer = self.request(200 if group in self.groups else 404, "POST", url, {"contact_ids": ids})
        if group in self.groups:
            members = self.groups[group]["members"]
            new = [each for each in dict.fromkeys(ids) if each in self.contacts and each not in members]
            members += new
            assert answer == {"added": len(new)}

    @rule(number=any_number, contact_number=any_number)
    def remove_member(self, number: int, contact_number: int) -> None:
        group, contact = self.group_id_of(number), self.contact_id_of(contact_number)
        members = self.groups[group]["members"] if group in self.groups else []
        url = f"/v1/contacts/groups/{group}/members/{contact}"
        self.request(204 if contact in members else 404, "DELETE", url)
        if contact in members:
            members.remove(contact)

    @rule(number=any_number)
    def list_members(self, number: int) -> None:
        group = self.group_id_of(number)
        answer = self.request(200 if group in self.groups else 404, "GET", f"/v1/contacts/groups/{group}/members")
        if group in self.groups:
            rows = [row_of(self.contacts[each]) for each in self.groups[group]["members"]]
            shown = ("id", "first_name", "last_name", "phone_number")
            assert answer == {"members": [{key: row[key] for key in shown} for row in rows]}

    @invariant()
    def contents_equal_the_model(self) -> None:
        """Compare everything after each write."""
        if not self.has_written:
            return
        self.has_written = False
        shown = self.request(200, "GET", "/v1/contacts", per_page=100)
        assert shown["contacts"] == [row_of(each) for each in self.contacts.values()][::-1][:100]
        assert shown["total"] == len(self.contacts)
        rows = [{key: value for key, value in self.show(each).items() if key != "description"} for each in self.groups]
        assert self.request(200, "GET", "/v1/contacts/groups") == {"groups": rows[::-1]}

    def teardown(self) -> None:
        try:
            assert self.runner.run(self.directory._database.read(check)) == []
        finally:
            self.runner.run(self.http.aclose())
            self.runner.run(self.directory.aclose())
            self.runner.close()


@pytest.mark.parametrize(
    ("examples", "steps"), [(5, 40), pytest.param(60, 50, marks=pytest.mark.load)], ids=["some", "many"]
)
def test_directory_behaves_like_the_model(location, examples, steps):
    run_state_machine_as_test(
        type("Model", (Model,), {"location": location}),
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            derandomize=examples < 20,
            phases=[Phase.generate] if examples < 20 else list(Phase),  # shrinking takes minutes
            suppress_health_check=list(HealthCheck),
        ),
    )
