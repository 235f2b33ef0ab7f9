"""import_contacts: planned first, matched by number or e-mail address, and safe to repeat."""

from typing import Any

import pytest

from support.hosts import Host, host, text_of
from support.texts import read_results

HEADER = "name,phone,email,company,tags,notes"
ROWS = (
    "Ola Nordmann,999 99 999,ola@example.com,ACME,vip,Met at the fair",
    "Kari Nordmann,+47 900 00 001,,,,",
    "Bjørn Håkonsen,,bjorn@example.com,,,",
    "Nameless in Oslo,,,,,",
)


async def everybody(directory: Host) -> dict[str, dict[str, Any]]:
    """Read all contacts in full, by name."""
    listed = (await directory.call("list_contacts", per_page=100))["contacts"]
    full = [await directory.call("get_contact", contact_id=row["id"]) for row in listed]
    assert len({each["name"] for each in full}) == len(full), "a contact is there twice"
    return {each["name"]: each for each in full}


async def test_import_plan_changes_nothing_and_its_counts_add_up(either, save):
    """It shows a sample of how rows were understood, and a fingerprint to apply the plan."""
    path = save(HEADER, *ROWS, "Ola N,99999999,,,,", ",,x@example.com,,,", "Bad Mail,,nonsense,,,", ",,,,,x")

    plan = await either.call("import_contacts", path=path)

    assert (plan["rows"], plan["new_contacts"], plan["duplicates"], plan["invalid"]) == (8, 6, 1, 1)
    outcomes = ("new_contacts", "updates", "unchanged", "duplicates", "ambiguous", "invalid")
    assert sum(plan[name] for name in outcomes) == 8
    assert plan["sample"][0] == {
        "row": 2,
        "name": "Ola Nordmann",
        "company_name": "ACME",
        "phone_number": "+4799999999",
        "email": "ola@example.com",
    }
    assert plan["problems"] == ["row 9 has no name, number or e-mail address"]
    assert plan["notices"] == [
        "has no name and is named by its e-mail address: 1 (row 7)",
        "has an invalid e-mail address, which is not imported: 1 (row 8)",
    ]
    assert plan["understood_as"] == "csv, by column name, UTF-8, commas"
    assert (await either.call("list_contacts"))["total"] == 0


async def test_applied_import_writes_the_contacts_and_a_result_for_each_row(either, save, files):
    """Numbers are E.164, and the result file has the id of each row's contact."""
    path = save(HEADER, *ROWS, "Ola N,99999999,,,,")

    done = await either.apply("import_contacts", path=path, tags=["fair"])

    people = await everybody(either)
    assert (done["new_contacts"], done["duplicates"]) == (4, 1)
    assert people["Ola Nordmann"]["phone_number"] == "+4799999999"
    assert people["Ola Nordmann"]["tags"] == ["vip", "fair"]
    assert people["Ola Nordmann"]["notes"] == "Met at the fair"
    results = (files / "people.csv.result.csv").read_text().splitlines()
    assert results[0] == "row,outcome,id,detail"
    assert results[1] == f"2,created,{people['Ola Nordmann']['id']},"
    assert results[5] == f"6,duplicate,{people['Ola Nordmann']['id']},repeats row 2"
    assert "Nordmann" not in "".join(results)


async def test_applied_import_says_how_many_rows_sms_cannot_reach_and_the_result_file_which(either, save, files):
    """A person who plans a campaign reads the result, and not the plan."""
    path = save("name,phone", "Ola,99999999", "Kari,", "Per,12", "Eva,22 33 44 55", "Liv,", ",", "Ola,99999999")

    plan = await either.call("import_contacts", path=path)
    done = await either.call("import_contacts", path=path, apply=True, plan=plan["plan"])

    assert plan["not_reachable_by_sms"][0] == "no number: 2 (rows 3, 6)"
    assert done["not_reachable_by_sms"] == ["no number: 2", "not valid in NO: 1", "a landline: 1"]
    assert done["unreachable"] == 4
    details = {each["row"]: each["detail"] for each in read_results(files, "people.csv")}
    said = {row: detail for row, detail in details.items() if "not reachable by SMS" in detail}
    assert said == {
        "3": "not reachable by SMS: no number",
        "4": "not reachable by SMS: not valid in NO",
        "5": "not reachable by SMS: a landline",
        "6": "not reachable by SMS: no number",
    }


async def test_row_that_stays_as_it_is_has_both_reasons_in_the_result_file(either, save, files):
    await either.call("create_contact", name="Kari", email="kari@example.com")
    path = save("name,email", "Kari,kari@example.com", "Per,per@example.com")

    await either.apply("import_contacts", path=path)

    kari, per = read_results(files, path)
    assert kari["detail"] == "is there already; not reachable by SMS: no number"
    assert per["detail"] == "not reachable by SMS: no number"


async def test_repeated_import_changes_nothing(either, save):
    """Contacts without number and address are not created twice either, whatever `on_match` says."""
    path = save(HEADER, *ROWS)
    await either.apply("import_contacts", path=path)
    before = await everybody(either)

    for on_match in ("skip", "update", "create"):
        again = await either.call("import_contacts", path=path, on_match=on_match)
        assert (again["new_contacts"], again["updates"], again["unchanged"]) == (0, 0, 4)
        assert "plan" not in again

    assert await everybody(either) == before


async def test_import_update_blanks_no_field_and_combines_tags(either, save, person):
    """Filled fields of the row are set, blank ones stay, and a person is asked."""
    await either.apply("import_contacts", path=save(HEADER, *ROWS))
    person.content = {"decision": "change"}

    path = save(HEADER, "Ola Nordmann,99999999,,Fjord,new,", name="update.csv")
    done = await either.apply("import_contacts", path=path, on_match="update")

    ola = (await everybody(either))["Ola Nordmann"]
    assert (done["updates"], done["overwrites"]) == (1, 1)
    assert (ola["company_name"], ola["email"], ola["notes"]) == ("Fjord", "ola@example.com", "Met at the fair")
    assert ola["tags"] == ["vip", "new"]
    assert "overwritten: company_name of 1 contact" in person.question


async def test_import_that_overwrites_needs_consent(either, save, person):
    """A declined question leaves everything as it was."""
    await either.apply("import_contacts", path=save(HEADER, *ROWS))
    arguments = {"path": save(HEADER, "Ola Nordmann,99999999,,Fjord,,", name="update.csv"), "on_match": "update"}
    plan = await either.call("import_contacts", **arguments)

    await either.declined("import_contacts", **arguments, apply=True, plan=plan["plan"])

    assert len(person.asked) == 1
    assert (await everybody(either))["Ola Nordmann"]["company_name"] == "ACME"


async def test_import_that_fills_few_empty_fields_needs_no_consent(either, save, person):
    """No value is lost."""
    await either.apply("import_contacts", path=save(HEADER, *ROWS))

    done = await either.apply(
        "import_contacts",
        path=save(HEADER, "Kari Nordmann,90000001,kari@example.com,,,", name="more.csv"),
        on_match="update",
    )

    assert (done["updates"], done["overwrites"]) == (1, 0)
    assert (await everybody(either))["Kari Nordmann"]["email"] == "kari@example.com"
    assert not person.asked


@pytest.mark.parametrize("change", ["file", "directory", "none"])
async def test_import_plan_is_refused_after_a_relevant_change(either, save, change):
    """A change of the file or directory that does not affect the plan is accepted."""
    path = save(HEADER, *ROWS)
    plan = await either.call("import_contacts", path=path)
    if change == "file":
        save(HEADER, *ROWS[:-1], "Nameless in Bergen,,,,,")
    name = "Ola Nordmann" if change == "directory" else "X"  # the same address with another name changes nothing
    await either.call("create_contact", name=name, email="ola@example.com")

    result = await either.raw("import_contacts", path=path, apply=True, plan=plan["plan"])

    assert result.is_error is (change != "none")
    if result.is_error:
        assert text_of(result).startswith("conflict: the plan no longer fits")
        assert (await either.call("list_contacts"))["total"] == 1


def occupy(files, path, kind):
    """Put something in the place of the result file; return a function that describes it."""
    place, elsewhere = files / f"{path}.result.csv", files / "mine.txt"
    elsewhere.write_text("mine")
    if kind == "folder":
        place.mkdir()
    elif kind.startswith("link"):
        place.symlink_to(elsewhere if kind == "link" else files / "missing.txt")
    else:
        place.write_text(
            {"text": "not a result", "same header": "row,outcome,id,detail\n1,mine,,\n", "empty": ""}[kind]
        )
    return lambda: (
        place.is_symlink(),
        place.is_dir() or (place.exists() and place.read_bytes()),
        elsewhere.read_text(),
    )


@pytest.mark.parametrize("kind", ["text", "same header", "empty", "folder", "link", "link to nothing"])
async def test_import_leaves_what_has_the_name_of_its_result_file(either, save, files, kind):
    path = save(HEADER, *ROWS)
    describe = occupy(files, path, kind)
    before = describe()

    done = await either.apply("import_contacts", path=path)

    assert done["file"] == f"{path}.result-2.csv"
    assert describe() == before
    assert not (files / "missing.txt").exists()


async def test_result_file_that_a_person_has_edited_is_not_replaced(either, save, files):
    path = save(HEADER, *ROWS)
    first = files / (await either.apply("import_contacts", path=path))["file"]
    first.write_text(first.read_text() + "5,called her,,\n")
    edited = first.read_bytes()

    again = await either.apply("import_contacts", path=path, on_match="create", tags=["again"])

    assert again["file"] == f"{path}.result-2.csv"
    assert first.read_bytes() == edited


async def test_apply_without_a_plan_is_refused(either, save):
    """No person has seen what it would do."""
    line = await either.error("import_contacts", path=save(HEADER, *ROWS), apply=True)

    assert line.startswith("invalid: plan: is required with apply")
    assert (await either.call("list_contacts"))["total"] == 0


async def test_people_who_share_a_number_stay_separate(either, save):
    """Another name with the same number is a colleague, which the plan says; a row that matches both is ambiguous."""
    rows = ("Ola Nordmann,22222222,ola@example.com,,,", "Kari Hansen,22222222,kari@example.com,,,")
    await either.apply("import_contacts", path=save(HEADER, *rows))

    people = await everybody(either)
    other = await either.call("import_contacts", path=save(HEADER, "Per Berg,22222222,,,,"), on_match="update")
    nameless = await either.call("import_contacts", path=save(HEADER, ",22222222,,,,"), on_match="update")

    assert set(people) == {"Ola Nordmann", "Kari Hansen"}
    assert other["new_contacts"] == 1
    assert other["sharing"] in [
        [f"1 row shares a number or address: row 2 with contact {person['id']}"] for person in people.values()
    ]
    assert nameless["problems"] == ["row 2 matches 2 contacts"]


@pytest.mark.parametrize("known", [[], ["K. Berg"], [None]])
async def test_rows_that_fit_one_initial_are_not_one_person(directory, save, known):
    """Neither in the file nor in the directory; and a row without a name shares with another one."""
    for name in known:
        await directory.call("create_contact", name=name or "91235103", phone_number="+4791235103")
    rows = ["Kjell Berg,91235103,", "Kari Berg,91235103,", ",91235103,a@example.org"]

    plan = await directory.call("import_contacts", path=save("name,phone,email", *rows), on_match="update")

    assert (plan["new_contacts"], plan["updates"]) == ((2, 0), (1, 1))[bool(known)]
    assert plan["sharing"][0].startswith("1 row shares a number or address: row 3 with ")


@pytest.mark.parametrize(
    ("rows", "contacts", "repeated"),
    [
        (["Kari,22335103 x12,", "Per,22335103 x14,"], {("Kari", "ext. 12"), ("Per", "ext. 14")}, 0),
        (["Sentral,22335103 x12,", "Sentral,22335103 x14,"], {("Sentral", "ext. 12"), ("Sentral", "ext. 14")}, 0),
        (["Kari,22335103 ext. 12,Hei", "Kari,22335103,"], {("Kari", "Hei\next. 12")}, 1),
    ],
)
async def test_extension_of_a_number_is_kept_and_tells_people_apart(directory, save, rows, contacts, repeated):
    """It goes to the notes, since a number for SMS has none; the import can still be repeated."""
    path = save("name,phone,notes", *rows)

    plan = await directory.call("import_contacts", path=path)
    done = await directory.call("import_contacts", path=path, apply=True, plan=plan["plan"])
    again = await directory.call("import_contacts", path=path, on_match="update")

    found = (await directory.call("list_contacts"))["contacts"]
    full = [await directory.call("get_contact", contact_id=row["id"]) for row in found]
    assert {(each["name"], each["notes"]) for each in full} == contacts
    assert {each["phone_number"] for each in full} == {"+4722335103"}
    assert done["duplicates"] == repeated
    assert plan["notices"][0].startswith("has a number with an extension, which is kept in the notes")
    assert again["new_contacts"] == again["updates"] == 0


async def test_plan_with_another_region_says_which_numbers_differ(directory, save):
    path = save("name,phone", "Anna,030 901820", "Ola,+4799999999", "Per,22 33 51 03")

    plans = [await directory.call("import_contacts", path=path, default_region=region) for region in ("NO", "DE", "DE")]
    other = await directory.call("import_contacts", path=save("name,phone", "Ola,1", name="b.csv"), default_region="SE")
    same = await directory.call("import_contacts", path="b.csv", default_region="FI")

    assert [plan.get("region_change") for plan in (*plans, other)] == [
        None,
        [
            "numbers that differ from the plan with NO: 2",
            'row 2 "Anna": "030 901820" → "+4930901820"',
            'row 4 "Per": "+4722335103" → "+4922335103"',
        ],
        None,
        None,
    ]
    assert same["region_change"] == ["numbers that differ from the plan with SE: 0"]


async def test_extension_never_replaces_notes(directory, save):
    await directory.call("create_contact", name="Kari", phone_number="+4722335103", notes="Met at the fair")

    plan = await directory.call("import_contacts", path=save("name,phone", "Kari,22335103 x12"), on_match="update")

    assert (plan["unchanged"], plan["updates"]) == (1, 0)


async def test_import_adds_new_and_existing_contacts_to_the_group(either, save):
    """The repetition adds no contact again."""
    await either.call("create_contact", name="Kari Nordmann", phone_number="+4790000001")
    group = (await either.call("create_contact_group", name="Fair"))["id"]
    path = save(HEADER, *ROWS)

    done = await either.apply("import_contacts", path=path, group_id=group)
    again = await either.call("import_contacts", path=path, group_id=group)

    assert (done["new_contacts"], done["unchanged"], done["new_members"]) == (3, 1, 4)
    assert (await either.call("list_group_members", group_id=group))["total"] == 4
    assert "plan" not in again


async def test_text_is_imported_without_a_folder(tmp_path):
    """The text is an argument, and the result file is a download."""
    async with host(tmp_path / "contacts.db") as directory:
        done = await directory.apply("import_contacts", content=f"{HEADER}\n{ROWS[0]}\n", default_region="no")
        contents = (await directory.client.read_resource(done["uri"])).contents

    assert done["new_contacts"] == 1
    assert contents[0].text.startswith("row,outcome,id,detail\r\n2,created,")


@pytest.mark.parametrize(
    ("settings", "arguments", "line"),
    [
        ({}, {"path": "x.csv"}, "invalid: path: cannot be used here: the operator has configured no folder for files"),
        ({}, {}, "invalid: path: is required, or else content"),
        ({}, {"content": "name\nOla", "path": "x.csv"}, "invalid: path: is required, or else content"),
        ({}, {"content": "name\nOla", "mapping": ["x"]}, "invalid: mapping: should have entries such as"),
        ({}, {"content": "a,b\n1,2"}, "invalid: no column holds a name; the columns are a, b"),
        ({}, {"content": "name\nOla", "format": "json"}, "invalid: format: the file is not json"),
        (
            {},
            {"content": "name\nOla", "default_region": "XX"},
            "invalid: default_region: should be a two-letter region",
        ),
    ],
)
async def test_import_error_names_the_argument_in_one_line(tmp_path, settings, arguments, line):
    """It says which argument is wrong, why, and what to do."""
    async with host(tmp_path / "contacts.db", **settings) as directory:
        said = await directory.error("import_contacts", **arguments)

    assert said.startswith(line)
    assert "\n" not in said


async def test_columns_can_be_mapped_by_hand(either, save):
    """For columns with unknown names."""
    path = save("Kunde;Ring;Post", "Ola Nordmann;99999999;ola@example.com")

    plan = await either.call("import_contacts", path=path, mapping=["Kunde=name", "Ring=phone_number", "Post=ignore"])

    assert plan["mapping"] == ["Kunde → name", "Ring → phone_number"]
    assert plan["sample"] == [{"row": 2, "name": "Ola Nordmann", "phone_number": "+4799999999"}]


async def test_import_over_the_write_budget_writes_nothing(tmp_path, save):
    """The error says how many changes are left and who can raise the limit."""
    path = save(HEADER, *ROWS)
    async with host(
        tmp_path / "contacts.db", files=tmp_path / "files", write_budget=3, default_region="NO"
    ) as directory:
        plan = await directory.call("import_contacts", path=path)
        line = await directory.error("import_contacts", path=path, apply=True, plan=plan["plan"])
        total = (await directory.call("list_contacts"))["total"]

    assert line.startswith("write_budget: this call makes 4 changes, but only 3 of 3 per hour are left")
    assert "ask the operator to raise the limit" in line
    assert total == 0


async def test_import_succeeds_if_the_result_file_cannot_be_written(either, save, files):
    """The results are a download instead."""
    path = save(HEADER, *ROWS)
    for number in ("", *(f"-{number}" for number in range(2, 101))):
        (files / f"people.csv.result{number}.csv").mkdir()

    done = await either.apply("import_contacts", path=path)

    assert (done["new_contacts"], done["file"]) == (4, "import.result.csv")
    assert done["uri"].startswith("contacts://exports/")


async def test_plan_of_cards_names_what_is_not_imported(either, save):
    """As the plan of a table names unused columns; text outside of cards and cut off cards are reported."""
    path = save(
        "<html>",
        *("BEGIN:VCARD", "VERSION:2.1", "FN:Kari", "TEL;FAX:22335104", "TEL;CELL:91235103", "BDAY:1980", "END:VCARD"),
        "Hilsen Ola",
        *("BEGIN:VCARD", "VERSION:2.1", "FN:Per", "BDAY:1990", "TITLE:Sjef", "EMAIL;INTERNET:n/a"),
        name="people.vcf",
    )

    plan = await either.call("import_contacts", path=path)
    await either.apply("import_contacts", path=path)

    assert plan["unused_columns"] == ["BDAY", "TITLE"]
    assert plan["notices"] == [
        "the file has text outside of cards, which is not read",
        "has a fax or pager number, which is not imported: 1 (row 1)",
        "has no END:VCARD; its last line may be incomplete: 1 (row 2)",
        "has an invalid e-mail address, which is not imported: 1 (row 2)",
    ]
    assert {name: person.get("phone_number") for name, person in (await everybody(either)).items()} == {
        "Kari": "+4791235103",
        "Per": None,
    }


async def test_result_file_has_no_formulas(platform, unsteady, save, files, monkeypatch):
    """Its details quote the service, whose text may hold parts of a row."""
    path = save("name,phone\nOla Nordmann,90000001\n")
    answer = unsteady.service.answer

    def refuse(method, url_path, *more):
        if method == "POST":
            return 422, {"error": {"code": "INVALID", "message": "refused; =cmd|' /C calc'!A0\t@SUM(1)"}}
        return answer(method, url_path, *more)

    monkeypatch.setattr(unsteady.service, "answer", refuse)
    plan = await platform.call("import_contacts", path=path)
    await platform.raw("import_contacts", path=path, apply=True, plan=plan["plan"])

    (row,) = read_results(files, path)
    assert row["outcome"] == "failed"
    assert "; '=cmd" in row["detail"]
