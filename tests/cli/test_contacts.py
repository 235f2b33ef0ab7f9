"""`contacts-mcp directory list`, `show` and `erase`, over the tenants of a directory, on a file and on a server."""

import asyncio
import io
import json
import re

import httpx
import pytest

from contacts_mcp.directory import Directory, parse_location

pytestmark = pytest.mark.system

OLA = {"name": "Ola Nordmann", "phone_number": "+4790000001", "email": "ola@example.com"}
MISSING = "a1b2c3d4-5678-4abc-8ef0-123456789abc"
REASON = ("--reason", "Article 17 request")
TIME = r"\d{4}-\d\d-\d\d \d\d:\d\d UTC"


@pytest.fixture
def directory(command, location, tmp_path, monkeypatch):
    """Run `contacts-mcp directory` on a directory with the tenants owner and other."""
    monkeypatch.chdir(tmp_path)

    def directory(*arguments):
        return command("directory", *arguments, CONTACTS_MCP_DIRECTORY=location)

    directory("migrate")
    directory("keys", "create", "app", "--tenant", "other", "--yes")
    return directory


@pytest.fixture
def api(location):
    """Send requests as a tenant, and return their answers."""

    def api(*requests, tenant="owner"):
        async def run():
            async with Directory(parse_location(location)) as opened:
                transport = httpx.ASGITransport(await opened.app_of(tenant))
                async with httpx.AsyncClient(transport=transport, base_url="http://directory") as http:
                    answers = [await http.request(*words, json=body) for *words, body in requests]
            assert all(answer.is_success for answer in answers), [answer.text for answer in answers]
            return [answer.json() if answer.content else None for answer in answers]

        return asyncio.run(run())

    return api


@pytest.fixture
def create(api):
    """Create contacts of a tenant and return their ids."""

    def create(*contacts, tenant="owner"):
        made = api(*(("POST", "/v1/contacts", each) for each in contacts), tenant=tenant)
        return [each["id"] for each in made]

    return create


def delete(contact_id):
    return ("DELETE", f"/v1/contacts/{contact_id}", None)


def merge(keep_id, *merge_ids):
    return ("POST", f"/v1/directory/persons/{keep_id}/merge", {"merge_ids": merge_ids})


def ids_of(done):
    return [each["id"] for each in json.loads(done.out)]


def test_list_shows_live_contacts_of_all_tenants_the_newest_first(directory, create):
    first, second = create(OLA, {"name": "Kari"})
    (third,) = create({"name": "Per", "company_name": "Fjord AS"}, tenant="other")

    listed, shown = json.loads(directory("list", "--json").out), directory("list")

    assert [(each["id"], each["tenant"], each["name"]) for each in listed] == [
        (third, "other", "Per"),
        (second, "owner", "Kari"),
        (first, "owner", "Ola Nordmann"),
    ]
    assert {each["status"] for each in listed} == {"live"}
    assert listed[2]["created_at"].endswith("Z")
    header, row, *_ = shown.out.splitlines()
    assert header.split() == ["ID", "STATUS", "SINCE", "TENANT", "NAME", "COMPANY", "PHONE", "E-MAIL"]
    assert re.fullmatch(rf"{third}  live    {TIME}  other   Per +Fjord AS", row)
    assert ids_of(directory("list", "--tenant", "other", "--json")) == [third]


def test_list_limits_contacts_and_says_how_many_more_there_are(directory, create):
    _, newest = create({"name": "Kari"}, {"name": "Per"})

    done = directory("list", "--limit", "1", "--json")

    assert ids_of(done) == [newest]
    assert done.err == "1 more of 2 contacts; --limit lists more.\n"


def test_list_selects_contacts_by_their_status(directory, create, api):
    live, deleted, later, erased = create(OLA, OLA, OLA, OLA)
    api(delete(deleted), delete(later))
    directory("erase", erased, *REASON, "--yes")

    listed = {flags: ids_of(directory("list", *flags, "--json")) for flags in ((), ("--deleted",), ("--erased",))}
    both = json.loads(directory("list", "--live", "--erased", "--json").out)

    assert listed == {(): [live], ("--deleted",): [later, deleted], ("--erased",): [erased]}
    assert [(each["id"], each["status"], each["name"]) for each in both] == [
        (live, "live", "Ola Nordmann"),
        (erased, "erased", None),
    ]
    assert directory("deleted").out == directory("list", "--deleted").out
    assert directory("list", "--tenant", "other").out == "There are no live contacts.\n"


def test_list_searches_live_and_deleted_contacts_of_all_tenants(directory, create, api):
    ola, gone, _ = create(OLA, {"name": "Ola Berg"}, {"name": "Kari"})
    (misspelt,) = create({"name": "Nordmnan"}, tenant="other")
    (other,) = create({"name": "Nordmann AS"}, tenant="other")
    api(delete(gone))

    assert ids_of(directory("list", "--search", "nordmann", "--json")) == [other, ola, misspelt]
    assert ids_of(directory("list", "--search", "ola", "--live", "--deleted", "--json")) == [ola, gone]
    assert directory("list", "--search", "zyxw").out == "There are no live contacts that match.\n"
    refused = directory("list", "--search", "ola", "--erased")
    assert (refused.code, refused.out, len(refused.err.splitlines())) == (2, "", 1)
    assert "--search: an erased contact has no words to search" in refused.err


def test_show_has_the_fields_groups_and_merges_of_a_contact(directory, create, api):
    keep, merged = create({**OLA, "tags": ["vip", "2026"], "notes": "one\ntwo"}, {"name": "O. Nordmann"})
    (group,) = api(("POST", "/v1/contacts/groups", {"name": "Board"}))
    api(merge(keep, merged), ("POST", f"/v1/contacts/groups/{group['id']}/members", {"contact_ids": [keep]}))

    shown, as_json = directory("show", keep.upper()), json.loads(directory("show", keep, "--json").out)

    first, *lines = shown.out.splitlines()
    fields = [tuple(re.split(r"  +", line.strip())) for line in lines]
    assert first == "Ola Nordmann (live)"
    assert fields[:7] == [
        ("id", keep),
        ("tenant", "owner"),
        ("type", "person"),
        ("phone", "+4790000001"),
        ("e-mail", "ola@example.com"),
        ("notes", r"one\ntwo"),
        ("tags", "vip, 2026"),
    ]
    assert fields[7] == ("group", f"Board ({group['id']})")
    assert fields[-1] == ("merged into it", f"{merged}: O. Nordmann (deleted)")
    assert (as_json["notes"], as_json["tags"]) == ("one\ntwo", ["vip", "2026"])
    assert as_json["groups"] == [{"id": group["id"], "name": "Board"}]
    assert [(each["id"], each["status"]) for each in as_json["merged"]] == [(merged, "deleted")]
    assert f"merged into     {keep}: Ola Nordmann (live)" in directory("show", merged).out
    assert json.loads(directory("show", merged, "--json").out)["merged_into"] == keep


def test_show_of_an_erased_contact_has_its_receipt(directory, create):
    (erased,) = create(OLA, tenant="other")
    directory("erase", erased, *REASON, "--yes")

    shown, as_json = directory("show", erased).out, json.loads(directory("show", erased, "--json").out)

    assert shown.startswith("Contact (erased)\n")
    assert "receipt         1, by operator: Article 17 request" in shown
    assert "erased fields   name, phone_number, email" in shown
    assert (as_json["status"], as_json["name"], as_json["tenant"]) == ("erased", None, "other")
    assert as_json["receipt"]["number"] == 1
    assert as_json["receipt"]["erased_at"] == as_json["erased_at"]


@pytest.mark.parametrize("words", [("show",), ("erase", *REASON, "--yes")], ids=" ".join)
def test_unknown_id_is_an_error_in_one_line_and_nothing_is_erased(directory, create, location, words):
    (known,) = create(OLA)

    done = directory(*words, *([known] if words[0] == "erase" else []), MISSING)

    assert (done.code, done.out, len(done.err.splitlines())) == (2, "", 1)
    assert f"there is no contact with the id {MISSING}; `contacts-mcp directory list --search NAME" in done.err
    assert ids_of(directory("list", "--json")) == [known]


def test_erase_names_every_record_and_related_ones_before_it_asks(directory, create, api, monkeypatch):
    kari = {"name": "Kari", "phone_number": "+47 900 00 001"}
    others = ({"name": "Zoe"}, {"name": "Ola Nordmann"}, kari, {"name": "Per"})
    keep, merged, deleted, same_number, _ = create(OLA, *others)
    api(merge(keep, merged), delete(deleted))
    create(OLA, tenant="other")
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))

    asked = directory("erase", keep, *REASON)

    first, second, related, *named, question = asked.err.splitlines()
    assert (asked.code, asked.out) == (1, "")
    assert first == f"owner: {keep}  Ola Nordmann, ola@example.com, +4790000001 (live)"
    assert second == f"  merged into it: {merged}  Zoe (deleted)"
    assert related.startswith("These records may be the same person and are not erased")
    assert sorted(named) == sorted(
        [
            f"owner: {deleted}  Ola Nordmann (deleted): same name",
            f"owner: {same_number}  Kari, +47 900 00 001 (live): same phone",
        ]
    )
    assert question.startswith("Erase 2 records? This cannot be undone. [y/N]:")
    assert json.loads(directory("receipts", "--json").out) == []


def test_erase_reaches_contacts_of_several_tenants_and_what_was_merged_into_them(directory, create, api):
    keep, merged, related = create(OLA, {"name": "Zoe"}, {"name": "Ola Nordmann"})
    (other,) = create({"name": "Kari"}, tenant="other")
    api(merge(keep, merged))

    done = directory("erase", keep, other, keep, *REASON, "--yes", "--json")

    result = json.loads(done.out)
    assert [(each["id"], each["tenant"]) for each in result["erased"]] == [
        (keep, "owner"),
        (merged, "owner"),
        (other, "other"),
    ]
    assert sorted(each["receipt"] for each in result["erased"]) == [1, 2, 3]
    assert result["erased"][0]["fields"] == ["name", "phone_number", "email"]
    assert [(each["id"], each["shared"]) for each in result["related"]] == [(related, ["same name"])]
    assert set(ids_of(directory("list", "--live", "--deleted", "--json"))) == {related}
    receipts = json.loads(directory("receipts", "--json").out)
    assert {(each["actor"], each["reason"]) for each in receipts} == {("operator", "Article 17 request")}
    assert directory("check").code == directory("receipts", "--verify").code == 0


def test_related_record_that_is_erased_as_well_is_not_offered(directory, create):
    ids = create(OLA, OLA)

    done = directory("erase", *ids, *REASON, "--yes", "--json")

    result = json.loads(done.out)
    assert ([each["id"] for each in result["erased"]], result["related"]) == (ids, [])


def test_erasing_again_says_when_and_under_which_receipt(directory, create):
    (erased,) = create(OLA)
    directory("erase", erased, *REASON, "--yes")

    again = directory("erase", erased, *REASON)
    as_json = json.loads(directory("erase", erased, *REASON, "--json").out)

    assert (again.code, again.err) == (0, "")
    assert re.fullmatch(rf"{erased} of owner was already erased, {TIME}, receipt 1\.\n", again.out)
    assert [(each["receipt"], each["was_erased_before"]) for each in as_json["erased"]] == [(1, True)]
    assert len(json.loads(directory("receipts", "--json").out)) == 1


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("asked by ola@example.org", "--reason must not contain an e-mail address"),
        ("Request of Nordmann", "--reason must not contain the contact's name"),
        (" ", "--reason must not be empty"),
        ("x" * 1_001, "--reason must have at most 1,000 characters"),
    ],
    ids=["address", "name", "blank", "long"],
)
def test_reason_that_cannot_be_kept_is_refused_before_a_person_is_asked(directory, create, reason, said):
    (known,) = create(OLA)

    done = directory("erase", known, "--reason", reason)

    assert (done.code, done.out, len(done.err.splitlines())) == (2, "", 1)
    assert said in done.err
    assert ids_of(directory("list", "--json")) == [known]


def test_erase_without_a_reason_is_refused(directory):
    done = directory("erase", MISSING, "--yes")

    assert (done.code, "--reason" in done.err) == (2, True)
