"""Every example number of every region, valid and invalid, in imports and normalization."""

import phonenumbers
import pytest

from support.hosts import host

E164, NATIONAL = phonenumbers.PhoneNumberFormat.E164, phonenumbers.PhoneNumberFormat.NATIONAL
REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)


def rows_of(region: str) -> list[tuple[str, str, str]]:
    """Rows of a name, the number in national writing if it is valid, and the number as stored (E.164)."""
    kinds = (phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE)
    valid = [number for kind in kinds if (number := phonenumbers.example_number_for_type(region, kind))]
    rows = [
        (f"{region} valid {index}", *(phonenumbers.format_number(number, form) for form in (NATIONAL, E164)))
        for index, number in enumerate(valid)
    ]
    if number := phonenumbers.invalid_example_number(region):
        rows.append((f"{region} invalid", *[phonenumbers.format_number(number, E164)] * 2))
    return rows


@pytest.mark.slow
@pytest.mark.parametrize("part", [0, *(pytest.param(part, marks=pytest.mark.load) for part in range(1, 8))])
async def test_every_example_number_is_imported_as_e164(directory, files, part):
    """Valid national numbers become E.164; invalid ones are kept and counted."""
    for region in REGIONS[part::8]:
        rows = rows_of(region)
        lines = ["name;phone", *(f"{name};{written}" for name, written, _ in rows)]
        (files / f"{region}.csv").write_text("\n".join(lines))
        given = {"path": f"{region}.csv", "default_region": region, "on_match": "create"}  # some share their numbers

        plan = await directory.call("import_contacts", **given)
        if "plan" in plan:
            await directory.call("import_contacts", **given, apply=True, plan=plan["plan"])

        listed = await directory.call("list_contacts", search=f"{region} ", per_page=100)
        stored = {row["name"]: row["phone_number"] for row in listed["contacts"]}
        firsts = {stored_as: name for name, _, stored_as in reversed(rows)}
        assert {name: stored.get(name) for name in firsts.values()} == {name: number for number, name in firsts.items()}
        invalid = [line for line in plan.get("not_reachable_by_sms", ()) if line.startswith("not valid in ")]
        assert len(invalid) == sum(name.endswith(" invalid") for name, _, _ in rows)


@pytest.mark.load
async def test_every_example_number_is_normalized_in_place(tmp_path, person):
    """One call for each region normalizes numbers that were stored as written."""
    person.content = {"decision": "change"}
    async with host(tmp_path / "as-written.db", person=person) as directory:
        for region in REGIONS:
            for name, written, _ in rows_of(region):
                await directory.call("create_contact", name=name, phone_number=f" {written}", tags=[region])
        for region in REGIONS:
            given = {"tags": [region], "normalize_phones": True, "default_region": region}
            plan = await directory.call("update_matching_contacts", **given)
            await directory.call("update_matching_contacts", **given, apply=True, plan=plan["plan"])

            listed = await directory.call("list_contacts", tags=[region])
            stored = {row["name"]: row["phone_number"] for row in listed["contacts"]}
            assert stored == {name: number for name, _, number in rows_of(region)}
