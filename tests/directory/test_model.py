"""The directory behaves like a model in plain Python, without tables, terms and counters, for random requests."""

import asyncio

import httpx
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import func, insert, select

from contacts_mcp.directory import Directory
from contacts_mcp.directory.api import Tenant
from contacts_mcp.directory.database import tenants
from contacts_mcp.directory.maintenance import check

UNKNOWN_ID = "00000000-0000-0000-0000-000000000000"
# ASCII, and none is a misspelling of another
WORDS = ("anna", "bertil", "carolina", "dorthea", "egon", "fjodor", "gunnhild", "hovland")
NUMBERS = ("+4790012345", "0047 400 55 566", "+1 (212) 555-0199")
TAGS = ("VIP", "vip", "lead", "Oslo")
CLEARED = {"company_name": None, "phone_number": None, "email": None, "tags": [], "notes": None}

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


def pick_id(number, live, known):
    """Return the id of a record that exists, that was deleted, or that never existed."""
    among = list(live) if number < 9 else [each for each in known if each not in live] if number < 11 else []
    return among[number % len(among)] if among else UNKNOWN_ID


def stored(body):
    """Return the stored values of a request: tags that differ only by case are one."""
    if "tags" not in body:
        return body
    tags = {}
    for tag in body["tags"] or []:
        tags.setdefault(tag.lower(), tag)
    return {**body, "tags": list(tags.values())}


def words_of(contact):
    found = set(f"{contact['name']} {contact['company_name'] or ''}".lower().split())
    if address := contact["email"]:
        local, _, domain = address.partition("@")
        found |= {address, local, domain, *domain.split(".")}
    return found


def matches(contact, type="", search="", tags=()):  # noqa: A002
    """Whether a contact matches a filter."""
    if type and contact["type"] != type:
        return False
    if not {tag.lower() for tag in tags} <= {tag.lower() for tag in contact["tags"]}:
        return False
    digits = "".join(filter(str.isdigit, search))
    if digits:
        return digits in "".join(filter(str.isdigit, contact["phone_number"] or ""))
    *whole, last = search.lower().split() or [""]
    has = words_of(contact)
    return set(whole) <= has and any(word.startswith(last) for word in has)


def row_of(contact):
    """Return a contact as a row of a list."""
    first, _, last = contact["name"].rpartition(" ")
    split = (first, last) if first and contact["type"] == "person" else (contact["name"], None)
    names = {"first_name": split[0], "last_name": split[1], "contact_type": contact["type"]}
    return {key: contact[key] for key in ("id", "email", "phone_number", "tags")} | names


class Model(RuleBasedStateMachine):
    """A directory at `location`, and its expected contents: all collections are in the order of creation."""

    def __init__(self):
        super().__init__()
        self.runner = asyncio.Runner()
        self.directory = Directory(self.location)
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(self.directory.app), base_url="http://d/v1")
        self.contacts, self.groups, self.members, self.previous_names = {}, {}, {}, {}
        self.known, self.known_groups = [], []
        self.has_written = False

    @initialize()
    def begin(self):
        """Give each example a tenant of its own in one database."""

        def another(connection):
            tenant = connection.execute(select(func.max(tenants.c.seq) + 1)).scalar_one()
            connection.execute(insert(tenants).values(seq=tenant, name=f"t{tenant}", created_at="x"))
            return int(tenant)

        tenant = self.runner.run(self.directory._database.write(another))
        self.directory.app.state.tenant = Tenant(self.directory._database, tenant)
        self.batch([{"name": "Anna"}, {"name": "Egon As", "tags": ["VIP"]}], [])
        self.create_group("Some", None)

    def request(self, status, method, path, body=None, **params):
        answer = self.runner.run(self.http.request(method, path, json=body, params=params))
        assert answer.status_code == status, answer.text
        self.has_written |= method != "GET"
        return answer.json() if answer.content else None

    def contact_id_of(self, number):
        """Return the id of a contact, mostly of a live one."""
        return pick_id(number, self.contacts, self.known)

    def on_contact(self, status, method, number, body=None):
        """Send a request about a contact, which is 404 unless it exists. Return its id, or None, and the answer."""
        contact = self.contact_id_of(number)
        exists = contact in self.contacts
        answer = self.request(status if exists else 404, method, f"/contacts/{contact}", body)
        return contact if exists else None, answer

    def on_group(self, status, method, number, action="", body=None):
        """Send a request about a group, like `on_contact`."""
        group = pick_id(number, self.groups, self.known_groups)
        exists = group in self.groups
        answer = self.request(status if exists else 404, method, f"/contacts/groups/{group}{action}", body)
        return group if exists else None, answer

    def record_creation(self, contact, body):
        shown = self.request(200, "GET", f"/contacts/{contact}")
        self.known.append(contact)
        times = {"created_at": shown["created_at"], "updated_at": shown["created_at"]}
        self.contacts[contact] = {**CLEARED, "type": "person", **stored(body), "id": contact, **times}
        assert shown == self.contacts[contact]

    def record_update(self, contact, body):
        """Record an update; if nothing differs, `updated_at` stays."""
        before, shown = self.contacts[contact], self.request(200, "GET", f"/contacts/{contact}")
        after = {**before, **stored(body)}
        assert (shown["updated_at"] > before["updated_at"]) == (after != before)
        self.contacts[contact] = {**after, "updated_at": shown["updated_at"]}
        assert shown == self.contacts[contact]

    def record_removal(self, contact):
        if self.contacts.pop(contact, None):
            for members in self.members.values():
                members[:] = [each for each in members if each != contact]

    @rule(body=bodies)
    def create(self, body):
        self.record_creation(self.request(201, "POST", "/contacts", body)["id"], body)

    @rule(number=any_number, body=changes)
    def update(self, number, body):
        contact, _ = self.on_contact(200, "PATCH", number, body)
        if contact:
            self.record_update(contact, body)

    @rule(number=any_number, field=st.sampled_from(["name", "type"]))
    def clear_required_field(self, number, field):
        self.request(422, "PATCH", f"/contacts/{self.contact_id_of(number)}", {field: None})

    @rule(creates=st.lists(bodies, max_size=4), updates=st.lists(st.tuples(any_number, changes), max_size=4))
    def batch(self, creates, updates):
        """Add an invalid item, which does not affect the others."""
        changing = [{**body, "id": self.contact_id_of(number)} for number, body in updates]
        sent = {"creates": [*creates, {"name": " "}], "updates": changing}
        results = self.request(200, "POST", "/directory/contacts", sent)["results"]
        existing = [200 if each["id"] in self.contacts else 404 for each in changing]
        assert [each["status"] for each in results] == [201] * len(creates) + [422] + existing
        for outcome, body in zip(results, creates, strict=False):
            self.record_creation(outcome["id"], body)
        merged = {}
        for each in changing:
            if each["id"] in self.contacts:
                merged[each["id"]] = {**merged.get(each["id"], {}), **each}
        for contact, body in merged.items():
            self.record_update(contact, body)

    @rule(number=any_number)
    def get(self, number):
        contact, shown = self.on_contact(200, "GET", number)
        assert shown == self.contacts.get(contact, {"detail": "Contact not found"})

    @rule(number=any_number)
    def delete(self, number):
        contact, _ = self.on_contact(204, "DELETE", number)
        self.record_removal(contact)

    @rule(number=any_number)
    def erase(self, number):
        """Also deleted contacts, and erased ones again."""
        contact = self.contact_id_of(number)
        status = 404 if contact == UNKNOWN_ID else 200
        self.request(status, "POST", f"/contacts/{contact}/gdpr-delete", {"reason": "asked"})
        self.record_removal(contact)

    @rule(wanted=filters, page=st.integers(1, 3), per_page=st.integers(1, 5))
    def search(self, wanted, page, per_page):
        found = [row_of(each) for each in self.contacts.values() if matches(each, **wanted)][::-1]
        shown = self.request(200, "GET", "/contacts", page=page, per_page=per_page, **wanted)
        part = found[(page - 1) * per_page : page * per_page]
        assert shown == {"contacts": part, "total": len(found), "page": page, "per_page": per_page}

    @rule(wanted=filters, limit=st.integers(1, 5), number=any_number, grouped=st.booleans())
    def scan(self, wanted, limit, number, grouped):
        group = pick_id(number, self.groups, self.known_groups)
        fields, rows, after = ["id", "name", "tags", "notes"], [], "0"
        query = {**wanted, "fields": fields, "limit": limit} | ({"group_id": group} if grouped else {})
        if grouped and group not in self.groups:
            self.request(404, "GET", "/directory/contacts", **query)
            return
        while after is not None:
            page = self.request(200, "GET", "/directory/contacts", after=after, **query)
            rows, after = [*rows, *page["rows"]], page["next"]
        among = self.members[group] if grouped else self.contacts
        found = [each for key, each in self.contacts.items() if key in among and matches(each, **wanted)]
        assert rows == [[each[field] for field in fields] for each in found]

    @rule(name=names, description=st.none() | st.just("d"))
    def create_group(self, name, description):
        made = self.request(201, "POST", "/contacts/groups", {"name": name, "description": description})
        self.groups[made["id"]], self.members[made["id"]] = made, []
        self.known_groups.append(made["id"])
        assert (made["name"], made["description"], made["member_count"]) == (name, description, 0)

    def shown_group(self, group):
        return {**self.groups[group], "member_count": len(self.members[group])}

    @rule(number=any_number, body=st.fixed_dictionaries({}, optional={"name": names, "description": st.none() | words}))
    def update_group(self, number, body):
        group, answer = self.on_group(200, "PATCH", number, body=body)
        if group:
            before = self.groups[group]["name"]
            if body.get("name", before) != before:
                self.previous_names[group] = before
            self.groups[group] |= body
            self.check_group(group, answer)

    @rule(number=any_number)
    def get_group(self, number):
        group, answer = self.on_group(200, "GET", number)
        if group:
            self.check_group(group, answer)

    def check_group(self, group, answer):
        assert ("renamed_at" in answer) is (group in self.previous_names)
        assert answer.pop("previous_name", None) == self.previous_names.get(group)
        answer.pop("renamed_at", None)
        assert answer == self.shown_group(group)

    @rule(number=any_number)
    def delete_group(self, number):
        group, _ = self.on_group(204, "DELETE", number)
        self.groups.pop(group, None)
        self.members.pop(group, None)

    @rule(number=any_number, numbers=st.lists(any_number, min_size=1, max_size=5))
    def add_members(self, number, numbers):
        ids = [self.contact_id_of(each) for each in numbers]
        group, answer = self.on_group(200, "POST", number, "/members", {"contact_ids": ids})
        if group:
            members = self.members[group]
            new = [each for each in dict.fromkeys(ids) if each in self.contacts and each not in members]
            members += new
            assert answer == {"added": len(new)}

    @rule(number=any_number, contact_number=any_number)
    def remove_member(self, number, contact_number):
        contact = self.contact_id_of(contact_number)
        members = self.members.get(pick_id(number, self.groups, self.known_groups), [])
        self.on_group(204 if contact in members else 404, "DELETE", number, f"/members/{contact}")
        if contact in members:
            members.remove(contact)

    @rule(number=any_number)
    def list_members(self, number):
        group, answer = self.on_group(200, "GET", number, "/members")
        if group:
            rows = [row_of(self.contacts[each]) for each in self.members[group]]
            shown = ("id", "first_name", "last_name", "phone_number")
            assert answer == {"members": [{key: row[key] for key in shown} for row in rows]}

    @invariant()
    def contents_equal_the_model(self):
        """Compare everything after each write."""
        if not self.has_written:
            return
        self.has_written = False
        shown = self.request(200, "GET", "/contacts", per_page=100)
        assert shown["contacts"] == [row_of(each) for each in self.contacts.values()][::-1][:100]
        assert shown["total"] == len(self.contacts)
        rows = [self.shown_group(each) for each in self.groups]
        for row in rows:
            del row["description"]
        assert self.request(200, "GET", "/contacts/groups") == {"groups": rows[::-1]}

    def teardown(self):
        try:
            assert self.runner.run(self.directory._database.read(check)) == []
        finally:
            self.runner.run(self.http.aclose())
            self.runner.run(self.directory.aclose())
            self.runner.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("examples", "steps"),
    [
        (5, 40),
        pytest.param(25, 50, marks=pytest.mark.load),
        pytest.param(60, 50, marks=[pytest.mark.load, pytest.mark.endurance]),
    ],
    ids=["some", "many", "most"],
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
