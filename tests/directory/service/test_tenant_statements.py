"""Every statement says which tenant's rows it means, and no key crosses tenants: see docs/citus.md."""

import ast
import re
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path

import pytest
from sqlalchemy.dialects import postgresql, sqlite

from contacts_mcp import directory
from contacts_mcp.directory import PostgresServer
from contacts_mcp.directory.database import create_statements, metadata
from endpoint_cases import CASES, EXTENSIONS, UNDO_EXTENSIONS
from support.statements import record_statements, tables_without_tenant

TENANT_TABLES = {
    *("contacts", "contact_groups", "memberships", "idempotency_keys", "undo_receipts", "undo_entries"),
    *("contact_terms", "spellings", "counters"),
}
SHARED_TABLES = {"tenants", "api_keys", "nonces", "approvals", "receipts", "receipt_chain"}
"""Tables of the whole directory; the docstring of `database._schema` has the reasons."""

ACROSS_TENANTS = {
    "store._index.rebuild_index": "empties the derived tables, and reads all contacts to fill them again",
    "store._erasure.replay_receipts": "repeats an erasure by the contact's id, in a file, whatever tenant its row has",
    "store._undo.find_undo_expiry": "finds when the first replaced values of all tenants expire",
    "store._undo.delete_expired_undo": "finds what has expired of all tenants, and deletes it for each tenant",
    "maintenance._contacts._find_tenants": "an operator names contacts by id; what follows has their tenant",
    "maintenance._contacts._select": "lists the contacts of all tenants for an operator",
    "maintenance._maintenance._count_records": "counts the records of all tenants",
    "maintenance._summary.summarize": "counts the records of all tenants",
    "maintenance._check": "checks the whole directory, also for rows of no tenant",
    "maintenance._backup": "copies the whole directory",
    "database._postgres._analyze": "removes erased values from the statistics of whole tables",
    "VACUUM": "removes the dead rows of whole tables, after an erasure",
}
"""Functions and modules with statements on the rows of all tenants, each with the reason."""

ONLY_POSTGRES = {"database._postgres._analyze", "VACUUM"}

NOT_EXECUTED = {
    "maintenance._migrate._run": "it migrates the whole directory; test_migrate.py executes it",
    "maintenance._backup._copy_file": "it copies a whole file, by a connection of the driver",
    "maintenance._summary.summarize_backup": "it counts the records of a backup, by a connection of the driver",
    "maintenance._check._indexed_phones": "it reads an index of SQLite, which has no tenant",
}
"""Functions that the test does not execute, or executes only on one engine, each with the reason."""

RECEIPT = "0b8a4c1e-7d52-4f7b-9a53-2f4f0f6f3c11"

CITUS_PAGE = (Path(__file__).parents[3] / "docs" / "citus.md").read_text(encoding="utf-8")

SEARCHES = (
    *("", "ola", "ola hans", "hansen ola", "ha", "ola ha", "o ha", "ola.hansen@example.com", "hansen ola exam", "-"),
    *("ollo", "ola hensen", "hensen olu", "ola hensan"),
    *("47", "9999", "99 99 99 98", "4799999998", "00 47 999", "ola 999", "ola 99999998", "999 47"),
)


@pytest.mark.slow
async def test_every_statement_has_a_tenant(location, open_service, tmp_path):
    with record_statements(directory.__name__) as recorded:
        service = await open_service(location)
        for tenant in ("ola", "kari"):
            await use_api(await service.caller(tenant))
        await use_maintenance(service, tmp_path)

    statements = {each._replace(callers=(executing(each),)) for each in recorded}
    wrong = {each: tables_without_tenant(each.sql, each.dialect, TENANT_TABLES) for each in statements}
    executed = {caller for each in recorded for caller in (*each.callers, executing(each))}
    assert {each: tables for each, tables in wrong.items() if tables and not is_across_tenants(*each.callers)} == {}
    assert functions_with_statements() - executed <= NOT_EXECUTED.keys()
    used = {name for name in ACROSS_TENANTS if any(is_in(name, caller) for caller in executed)}
    assert used == ACROSS_TENANTS.keys() - (set() if isinstance(location, PostgresServer) else ONLY_POSTGRES)


def executing(statement) -> str:
    """The function that executed a statement, directly or by a helper; its first word if no function is known."""
    return next((each for each in statement.callers if not each.startswith("store._rows.")), statement.sql.split()[0])


def is_across_tenants(function: str) -> bool:
    return any(is_in(name, function) for name in ACROSS_TENANTS)


def is_in(name: str, function: str) -> bool:
    return f"{function}.".startswith(f"{name}.")


def functions_with_statements() -> set[str]:
    """The functions of `store` and `maintenance` that execute statements."""
    package = Path(directory.__file__).parent
    return {
        f"{file.parent.name}.{file.stem}.{function.name}"
        for folder in ("store", "maintenance")
        for file in sorted((package / folder).glob("*.py"))
        for function in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        and any(
            isinstance(node, ast.Attribute) and node.attr in {"execute", "exec_driver_sql", "scalar"}
            for node in ast.walk(function)
        )
    }


async def use_api(http) -> None:
    """Send a request of every endpoint and extension, searches of every form, and requests with each outcome."""
    for case in (*CASES, *EXTENSIONS):
        method, target, body = case.sent(await create_records(http))
        answer = await http.request(method, target, json=body)
        assert answer.is_success, (case, answer.text)
    ids = await create_records(http)
    filters = product(SEARCHES, [[], ["vip"], ["vip", "Oslo"]], [{}, {"type": "person"}])
    for search, tags, of_type in filters:
        wanted = {"search": search, "tags": tags, **of_type}
        await ok(http.get("/v1/contacts", params=wanted))
        await ok(http.get("/v1/contacts", params={**wanted, "page": 2, "per_page": 1}))
        await ok(http.get("/v1/directory/contacts", params={**wanted, "fields": ["id", "notes"]}))
    for search in SEARCHES:
        await ok(http.get("/v1/directory/deleted", params={"search": search}))
    changed = {"name": "Ola Olsen", "phone_number": None, "tags": ["Oslo"]}
    await ok(http.patch(f"/v1/contacts/{ids['ola']}", json=changed))
    await ok(
        http.post("/v1/directory/contacts", json={"updates": [{"id": ids["ola"], "tags": []}, {"id": ids["kari"]}]})
    )
    updates = [{"id": ids[name], "notes": "changed by a job"} for name in ("ola", "kari")]
    await ok(http.post("/v1/directory/contacts", json={"updates": updates, "undo": RECEIPT}))
    for case in UNDO_EXTENSIONS:
        method, target = case.request.format(receipt=RECEIPT).split()
        await ok(http.request(method, target))
    await ok(http.patch(f"/v1/contacts/groups/{ids['customers']}", json={"name": "Renamed"}))
    for _ in range(2):
        await ok(http.post("/v1/contacts", json={"name": "Once"}, headers={"Idempotency-Key": "once"}))
    await ok(http.post(f"/v1/directory/persons/{ids['kari']}/merge", json={"merge_ids": [ids["ola"]]}))
    await ok(http.get(f"/v1/directory/persons/{ids['kari']}"))
    await ok(http.post(f"/v1/contacts/{ids['kari']}/gdpr-delete", json={"reason": "Article 17 request"}))
    erased = await ok(http.get(f"/v1/directory/persons/{ids['kari']}"))
    await ok(http.get(f"/v1/directory/receipts/{erased['receipt']}"))


async def create_records(http) -> dict[str, str]:
    """Create the records that a case names, and a contact that is deleted."""
    ola = {"name": "Ola Hansen", "phone_number": "+4799999998", "email": "ola.hansen@example.com"}
    ids = {}
    for name, fields in {"ola": {**ola, "tags": ["vip", "Oslo"]}, "kari": {"name": "Kari"}, "eva": ola}.items():
        ids[name] = (await ok(http.post("/v1/contacts", json=fields)))["id"]
    for name in ("customers", "suppliers"):
        ids[name] = (await ok(http.post("/v1/contacts/groups", json={"name": name})))["id"]
    await ok(http.post(f"/v1/contacts/groups/{ids['customers']}/members", json={"contact_ids": [ids["ola"]]}))
    await ok(http.delete(f"/v1/contacts/{ids['eva']}"))
    return ids


async def ok(request):
    answer = await request
    assert answer.is_success, answer.text
    return answer.json() if answer.content else None


async def use_maintenance(service, folder: Path) -> None:
    """Run every command for operators."""
    opened, maintenance = service.directory, service.directory.maintenance
    http = await service.caller("ola")
    ids = await create_records(http)
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    backup = folder / "backup.db"
    await maintenance.back_up(backup, print)
    await maintenance.erase_contacts([ids["kari"]], "Article 17 request")
    assert (await maintenance.restore_backup(backup, [], print)).erased_again == 1
    assert await maintenance.check() == []
    await maintenance.list_contacts(("live", "deleted", "erased"))
    await maintenance.list_contacts(("live", "deleted"), "ola", "hansen")
    await maintenance.list_deleted(before=tomorrow)
    await maintenance.read_contacts(list(ids.values()))
    await maintenance.restore_contact(ids["eva"])
    await maintenance.add_samples(2, 1, print)
    await maintenance.count_records()
    await maintenance.summarize()
    await maintenance.summarize_backup(backup)
    await maintenance.list_receipts()
    await maintenance.verify_receipts()
    assert await maintenance.purge(tomorrow, "old")
    await opened.app_of("ola")
    await opened.spend("nonce", tomorrow.timestamp())
    await opened.create_approval("name", "content", tomorrow.timestamp())
    await opened.read_approval("name")
    await opened.approval_names("n")
    await opened.latest_receipts("ola", 2, 10)
    await opened.list_tenants()
    (key, *_) = await opened.find_keys((await opened.list_keys())[0].prefix)
    await opened.revoke_key(key.prefix)


@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        ("SELECT * FROM contacts WHERE contacts.tenant = $1::INTEGER AND contacts.seq = $2", []),
        ("SELECT * FROM contacts WHERE contacts.seq = $1", ["contacts"]),
        ("SELECT * FROM contacts WHERE contacts.tenant = $1 OR contacts.seq = $2", ["contacts"]),
        ("SELECT * FROM contacts WHERE contacts.tenant > $1", ["contacts"]),
        ("SELECT 1 FROM contacts AS c JOIN memberships AS m ON m.tenant = c.tenant", ["contacts", "memberships"]),
        ("SELECT * FROM contacts AS c JOIN memberships AS m ON m.tenant = c.tenant WHERE m.tenant = $1", []),
        ("SELECT * FROM contacts JOIN memberships ON contacts.seq = 1 WHERE contacts.tenant = $1", ["memberships"]),
        ("SELECT 1 FROM tenants WHERE EXISTS (SELECT 1 FROM contacts AS c WHERE c.tenant = tenants.seq)", ["contacts"]),
        ("UPDATE contacts SET name = $1 WHERE contacts.tenant = $2", []),
        ("UPDATE contacts SET tenant = $1 WHERE contacts.seq = $2", ["contacts"]),
        ("DELETE FROM contacts WHERE tenant = 0", []),
        ("DELETE FROM contacts WHERE tenant = $1 AND seq IN (SELECT contact_seq FROM memberships)", ["memberships"]),
        ("INSERT INTO contacts (tenant, seq) SELECT new.t, new.s FROM unnest($1, $2) AS new(t, s)", []),
        ("INSERT INTO contacts (seq) VALUES ($1)", ["contacts"]),
        ("WITH m AS (SELECT seq FROM contacts) SELECT seq FROM m", ["contacts"]),
        ("LOCK TABLE tenants, contacts IN SHARE MODE", ["contacts"]),
        ("SELECT seq FROM tenants", []),
    ],
)  # fmt: skip
def test_statement_without_a_tenant_is_noticed(sql, tables):
    assert sorted(tables_without_tenant(sql, "postgresql", TENANT_TABLES)) == tables


def test_each_table_is_of_tenants_or_shared_and_the_page_about_citus_distributes_those_of_tenants():
    distributed = re.findall(r"create_distributed_table\('(\w+)', 'tenant'", CITUS_PAGE)

    assert metadata.tables.keys() == TENANT_TABLES | SHARED_TABLES
    assert sorted(distributed) == sorted(TENANT_TABLES)


@pytest.mark.system
async def test_page_about_citus_removes_and_restores_the_foreign_keys_of_memberships(sql):
    references = (
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'memberships'::regclass ORDER BY 1"
    )
    before = sql(references)
    removing, _, adding = CITUS_PAGE.partition("```sql")[2].partition("```")[0].partition("SELECT create_reference")

    sql(removing)
    assert "REFERENCES" not in sql(references)
    sql(adding[adding.index("ALTER TABLE") :])

    assert sql(references) == before


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_every_key_and_index_of_a_tenant_table_has_the_tenant(engine):
    """On SQLite, the primary key may be the address of the row, `seq`."""
    keys = {}
    for statement in create_statements({"sqlite": sqlite, "postgresql": postgresql}[engine].dialect()):
        table = re.match(r"\s*CREATE (?:TABLE|(?:UNIQUE )?INDEX \w+ ON) (\w+)", statement)
        if table and table[1] in TENANT_TABLES and "gin_trgm_ops" not in statement:
            columns = re.findall(r"(?:KEY|UNIQUE|INDEX \w+ ON \w+|REFERENCES (?!tenants)\w+) ?\(([^)]*)\)", statement)
            keys.setdefault(table[1], []).extend(columns)

    assert keys.keys() == TENANT_TABLES
    assert [(table, each) for table in keys for each in keys[table] if "tenant" not in each.split(", ")] == []
