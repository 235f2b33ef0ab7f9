"""Every answer of a workflow tool fits in 4,000 tokens for any directory."""

import json
from typing import Any

import pytest

from contacts_mcp.tools._answers import MAX_SHORT_ANSWER_TOKENS, estimate_tokens
from support.hosts import Person, host
from support.texts import count_tokens

NASTY = [
    "Ola Nordmann " * 19,
    "محمد علي الحسيني " * 15,
    "𓀀𓁐𓂀" * 60,
    "👩‍👩‍👧‍👦" * 25,
    '"}],{"' * 40,
    "ﷺ" * 200,
    "\u202eevil\u200b" * 20,
]


def size(answer: dict[str, Any]) -> int:
    return count_tokens(json.dumps(answer, ensure_ascii=False, separators=(",", ":")))


@pytest.mark.slow
@pytest.mark.parametrize(
    "text", ["abc " * 500, *NASTY, "a1b2c3d4-5678-9abc-def0-123456789abc " * 50, "{}[]\"'\\" * 200]
)
def test_token_estimate_is_never_too_low(text):
    """Answers are shortened by this estimate, which may only be too high."""
    dumped = json.dumps(text, ensure_ascii=False)

    assert count_tokens(dumped) <= 1.1 * estimate_tokens(dumped)


@pytest.mark.slow
async def test_every_workflow_answer_fits_in_4000_tokens(tmp_path):
    """The directory has the longest and strangest values, and each tool is asked for as much as it can show."""
    header = "name,phone,email,company,tags,notes"
    lines = [
        f'"{NASTY[number % 7].replace(chr(34), chr(34) * 2)[:240]}{number}",+4790{number // 2:06d},'
        f'{"x" * 50}{number}@{"sub." * 10}example.com,"{NASTY[number % 5].replace(chr(34), chr(34) * 2)[:200]}",'
        f"{';'.join(f'tag{each}' for each in range(20))},{'n' * 500}"
        for number in range(400)
    ]
    unreadable = [",".join(["x" * 300] * 6)] * 50
    (tmp_path / "all.csv").write_text("\n".join([header, *lines, *unreadable]))
    (tmp_path / "wide.csv").write_text(",".join(f"Column {'y' * 60} {number}" for number in range(300)) + ",name\n")
    person = Person(content={"decision": "change"})
    async with host(tmp_path / "contacts.db", person=person, files=tmp_path) as directory:
        group = (await directory.call("create_contact_group", name="x" * 250))["id"]
        answers = []
        plan = await directory.call("import_contacts", path="all.csv", group_id=group)
        answers += [
            plan,
            await directory.call("import_contacts", path="all.csv", group_id=group, apply=True, plan=plan["plan"]),
        ]
        answers.append(await directory.call("import_contacts", path="wide.csv"))
        answers += [await directory.call("find_contacts", query=query, limit=20) for query in ("ola", "+479000", "x1@")]
        answers.append(await directory.call("find_duplicate_contacts", limit=50))
        change = {"add_tags": ["y" * 60] * 3, "set_notes": "z" * 9_000}
        plan = await directory.call("update_matching_contacts", **change)
        answers += [plan, await directory.call("update_matching_contacts", **change, apply=True, plan=plan["plan"])]
        answers += [await directory.call("add_matching_to_group", group_id=group)]
        answers += [await directory.call("check_group_audience", group_id=group)]
        answers += [await directory.call("export_contacts")]
        person.content = {"decision": "merge"}
        ids = [row["id"] for row in (await directory.call("list_contacts", per_page=20))["contacts"]]
        line = await directory.error("merge_contacts", keep_id=ids[0], merge_ids=ids[1:])
        change = {"set_notes": "short"}
        plan = await directory.call("update_matching_contacts", **change)
        person.content = {"decision": "change"}
        await directory.call("update_matching_contacts", **change, apply=True, plan=plan["plan"])
        person.content = {"decision": "merge"}
        answers.append(await directory.call("merge_contacts", keep_id=ids[0], merge_ids=ids[1:]))

    assert [(size(answer), list(answer)) for answer in answers if size(answer) > MAX_SHORT_ANSWER_TOKENS] == []
    assert line.startswith("invalid: merge_ids: their notes together have more than 10,000 characters")
