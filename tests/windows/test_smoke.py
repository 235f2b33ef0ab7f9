"""`contacts-mcp` on Windows: every tool over stdio, files, the page, two processes on one file, and a kill."""

import asyncio
import json
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import mcp_types as types
import openpyxl
import pytest

from approval_page.test_processes import decide
from contacts_mcp.tools import TOOLS
from support.hosts import Host, deleted
from support.processes import block_until, wait_until
from support.raw_hosts import modern
from support.wine import TIMEOUT_SECONDS, Log, command, connect, environment, needs_wine, open_log, run, windows_path
from transports.http.clients import headers_of

pytestmark = [pytest.mark.windows, needs_wine]


class CountingHost(Host):
    """A host that notes which tools it has called."""

    def __init__(self, client: Any) -> None:
        super().__init__(client)
        self.called: set[str] = set()

    async def raw(self, tool: str, **arguments: Any) -> types.CallToolResult:
        self.called.add(tool)
        return await super().raw(tool, **arguments)


async def agree(_context: object, params: Any) -> types.ElicitResult:
    """The person at the host, who types the name, or chooses what is not `keep`."""
    fields = params.requested_schema["properties"].items()
    answer = {name: next(each for each in field["enum"] if each != "keep") for name, field in fields if "enum" in field}
    if "typed" in dict(fields):
        answer["typed"] = "Ola Nordmann"
    return types.ElicitResult(action="accept", content=answer)


@pytest.fixture(autouse=True)
def patient_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("support.processes.MAX_WAIT_SECONDS", TIMEOUT_SECONDS)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """The folder for files, with two files, and a secret beside it."""
    folder = tmp_path / "files"
    (folder / "in").mkdir(parents=True)
    (folder / "in" / "people.csv").write_text("Name,Phone\nOla Nordmann,90000001\nKari Nordmann,90000002\n")
    book = openpyxl.Workbook()
    for row in (("Name", "Phone"), ("Ola Nordmann", "+4790000001"), ("Søren Kjær", "+4790000003")):
        book.active.append(row)
    book.save(folder / "more.xlsx")
    (tmp_path / "secret.csv").write_text("Name\nSecret\n")
    return folder


async def test_every_tool_works_over_stdio(tmp_path: Path, files: Path) -> None:
    """With paths as people write them on Windows."""
    async with connect(tmp_path, "--files", windows_path(files), person=agree) as (client, log):
        host = CountingHost(client)
        await use_files(host, files)
        await use_contacts(host)
        await use_groups(host)
        await use_deletions(host)

    assert host.called == {tool.name for tool in TOOLS}
    assert "the embedded directory in Z:" in str(log)
    assert "Nordmann" not in str(log)


async def use_files(host: Host, files: Path) -> None:
    applied = await host.apply("import_contacts", path="in\\people.csv", default_region="NO")
    assert applied["new_contacts"] == 2
    applied = await host.apply("import_contacts", path=windows_path(files / "more.xlsx").upper())
    assert applied["new_contacts"] == 1
    await host.call("export_contacts", path="IN/out.csv")
    assert "Søren Kjær" in (files / "in" / "out.csv").read_text("utf-8-sig")
    assert (files / "in" / "out.csv").stat().st_mode & 0o007 == 0  # the group stands for administrators
    await host.call("export_contacts", path="out.xlsx", format="xlsx")
    assert openpyxl.load_workbook(files / "out.xlsx").active.max_row == 4
    assert "already exists" in await host.error("export_contacts", path="OUT.xlsx", format="xlsx")
    assert not list(files.glob(".*"))


async def use_contacts(host: Host) -> None:
    (ola,) = (await host.call("list_contacts", search="ola"))["contacts"]
    assert (await host.call("get_contact", contact_id=ola["id"]))["name"] == "Ola Nordmann"
    assert (await host.call("update_contact", contact_id=ola["id"], notes="blåbær"))["changed"]
    assert (await host.call("find_contacts", query="soren kjaer"))["candidates"]
    assert (await host.apply("update_matching_contacts", search="kari", add_tags=["vip"]))["updates"] == 1
    twin = await host.call("create_contact", name="Ola Nordmann", phone_number="+4790000001", allow_duplicate=True)
    assert (await host.call("find_duplicate_contacts"))["clusters"]
    assert (await host.call("merge_contacts", keep_id=ola["id"], merge_ids=[twin["id"]]))["deleted"] == [twin["id"]]


async def use_groups(host: Host) -> None:
    group = {"group_id": (await host.call("create_contact_group", name="G"))["id"]}
    kari = (await host.call("list_contacts", search="kari"))["contacts"][0]["id"]
    assert (await host.call("update_contact_group", **group, description="D"))["description"] == "D"
    assert (await host.call("add_group_members", **group, contact_ids=[kari]))["added"] == 1
    assert (await host.apply("add_matching_to_group", **group, search="nordmann"))["new_members"] == 1
    assert (await host.call("check_group_audience", **group))["members"] == 2
    assert (await host.call("list_group_members", **group))["total"] == 2
    assert await host.call("remove_group_member", **group, contact_id=kari)
    assert (await host.call("get_contact_group", **group))["member_count"] == 1
    assert (await host.call("list_contact_groups"))["total"] == 1
    assert (await host.call("delete_contact_group", **group))["done"]


async def use_deletions(host: Host) -> None:
    ola, kari = [(await host.call("list_contacts", search=each))["contacts"][0]["id"] for each in ("ola", "kari")]
    assert await host.call("delete_contact", contact_id=kari) == deleted(kari, "Kari Nordmann")
    assert [each["id"] for each in (await host.call("list_deleted_contacts"))["contacts"]][:1] == [kari]
    assert (await host.call("restore_contact", contact_id=kari))["id"] == kari
    assert (await host.call("gdpr_delete_contact", contact_id=ola, reason="Article 17"))["erased"]


OUTSIDE = ["..\\secret.csv", "in\\..\\..\\secret.csv", "C:\\windows\\win.ini", "C:secret.csv", "\\windows\\win.ini"]
OUTSIDE += ["\\\\localhost\\c$\\a.csv", "\\\\?\\C:\\windows\\win.ini", "\\\\.\\NUL", "/etc/passwd"]
INVALID = [
    "NUL",
    "aux.csv",
    "in\\CON",
    "COM1.csv",
    "a.csv:b",
    "in\\people.csv::$DATA",
    "more.xlsx.",
    "more.xlsx ",
    "a?.csv",
]
INVALID += ["linked.csv", "out\\secret.csv", ".hidden.csv", "in", "in\\"]


async def test_no_path_leads_out_of_the_folder(tmp_path: Path, files: Path) -> None:
    """Neither to read nor to write: by dots, drives, shares, devices, other streams, links or names that look equal."""
    (files / "linked.csv").symlink_to(tmp_path / "secret.csv")
    (files / "out").symlink_to(tmp_path, target_is_directory=True)
    (files / ".hidden.csv").write_text("Name\nSecret\n")
    before = sorted(tmp_path.iterdir()), sorted(files.rglob("*"))
    async with connect(tmp_path / "home", "--files", windows_path(files)) as (client, _):
        host = Host(client)
        for path in OUTSIDE:
            assert "leads out of the folder" in await host.error("import_contacts", path=path), path
            assert "leads out of the folder" in await host.error("export_contacts", path=path), path
        for path in INVALID:
            assert "path" in await host.error("import_contacts", path=path), path
            assert "path" in await host.error("export_contacts", path=path), path
        assert (await host.call("list_contacts"))["total"] == 0

    assert sorted(each for each in tmp_path.iterdir() if each.name != "home") == before[0]
    assert sorted(files.rglob("*")) == before[1]


async def test_person_decides_on_the_page(tmp_path: Path) -> None:
    """A host without forms; the browser is a program that notes the address."""
    recorder, opened = tmp_path / "browser.py", tmp_path / "opened"
    recorder.write_text("import sys; open(sys.argv[2], 'a').write(sys.argv[1])")
    _, python, *_ = command()
    browser = " ".join(windows_path(each).replace("\\", "/") for each in (Path(python), recorder))
    browser += f" %s {windows_path(opened).replace(chr(92), '/')}"
    async with connect(tmp_path / "home", BROWSER=browser) as (client, log):
        host = Host(client)
        contact = await host.create("Ola Nordmann")
        deletion = asyncio.create_task(host.call("delete_contact", **contact))
        await wait_until(lambda: opened.exists() and opened.read_text(), "no page was opened")
        assert await asyncio.to_thread(decide, opened.read_text(), "approve") == "Approved"
        assert (await deletion)["consent"] == "person"

    assert "Nordmann" not in str(log)
    assert opened.read_text().rpartition("/")[2] not in str(log)


async def test_two_processes_use_one_directory_and_one_trail(tmp_path: Path) -> None:
    """Nothing is lost, and the chain of the trail is whole."""
    async with connect(tmp_path, person=agree) as (first, _), connect(tmp_path, person=agree) as (second, _):
        hosts = [Host(first), Host(second)]
        contacts = await asyncio.gather(*(hosts[number % 2].create(f"Person {number}") for number in range(12)))
        assert (await hosts[0].call("list_contacts"))["total"] == 12
        deletions = (hosts[number % 2].call("delete_contact", **each) for number, each in enumerate(contacts[:6]))
        assert all(each["done"] for each in await asyncio.gather(*deletions))
        assert (await hosts[1].call("list_contacts"))["total"] == 6

    verified = run(tmp_path, "audit", "verify")
    assert verified.returncode == 0, verified
    assert "the chain is unbroken" in verified.stdout, verified
    lines = (tmp_path / "wayscloud-contacts-mcp" / "audit.jsonl").read_text().splitlines()
    outcomes = Counter(json.loads(line)["outcome"] for line in lines)
    del outcomes["asked"]  # only in the modern era, and a process that starts slowly is spoken to in the legacy one
    assert outcomes == {"done": 18, "begun": 6}


async def test_killed_process_leaves_no_lock_and_no_damage(tmp_path: Path) -> None:
    """A call of it runs, and another process waits for the same file."""
    with open_log() as log, spawn(tmp_path, log) as killed:
        async with connect(tmp_path) as (client, _):
            host = Host(client)
            await host.create("Before")
            for number in range(20):
                contact = {"name": f"Person {number}"}
                request = modern(number, "tools/call", name="create_contact", arguments=contact)
                killed.stdin.write(json.dumps(request).encode() + b"\n")
            killed.stdin.flush()
            assert b'"id"' in await asyncio.to_thread(killed.stdout.readline)  # the first of them is done
            await host.create("Meanwhile")
            killed.kill()
            await host.create("After")

    checked = run(tmp_path, "directory", "check")
    assert checked.returncode == 0, checked


def test_doctor_and_demo_run_without_a_terminal(tmp_path: Path) -> None:
    """They print UTF-8, whatever the code page is."""
    doctor = run(tmp_path, "doctor")
    demo = run(tmp_path, "demo")

    assert doctor.returncode == 0, doctor
    assert "✓ connection" in doctor.stdout
    assert demo.returncode == 0, demo
    assert "Søren Kjær" in demo.stdout
    assert "That was the demo." in demo.stdout


def test_server_over_http_answers(tmp_path: Path) -> None:
    body = modern(1, "tools/call", name="create_contact", arguments={"name": "Ola Nordmann"})
    with open_log() as log, spawn(tmp_path, log, "--transport", "http", "--port", "0"):
        block_until(lambda: "listening on" in str(log), lambda: str(log))
        (address,) = re.findall(r"listening on (http://[\d.]+:\d+)", str(log))
        with httpx.Client(base_url=address, timeout=TIMEOUT_SECONDS) as client:
            assert client.get("/healthz").json() == {"status": "alive"}
            answer = client.post("/mcp", json=body, headers=headers_of("tools/call", "create_contact"))
            assert json.loads(answer.text.rpartition("data: ")[2])["result"]["structuredContent"]["id"]
            assert client.get("/readyz").status_code == 200


@contextmanager
def spawn(home: Path, log: Log, *flags: str) -> Iterator[subprocess.Popen[bytes]]:
    """A server that is killed in the end."""
    process = subprocess.Popen(
        command("serve", *flags), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log.file, env=environment(home)
    )
    with process:
        try:
            yield process
        finally:
            process.kill()
