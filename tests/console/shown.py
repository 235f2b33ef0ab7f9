"""A directory with invented people, and every view of the console as a function that leads a window to it."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio.to_thread

from approval_page.test_processes import StdioModel
from console.windows import OpenConsole, window_at
from contacts_mcp.client import ContactsClient
from contacts_mcp.contract import AddGroupMembers, CreateContact, CreateContactGroup, DeleteContact, GdprDeleteContact
from support.fake_browser import FakeBrowser
from support.processes import StdioServer
from support.raw_hosts import modern

if TYPE_CHECKING:
    from playwright.async_api import FrameLocator, Page

Show = Callable[["Page"], Awaitable[Any]]

GROUP = "Newsletter Nordic"
_PLAN_TIMEOUT_MS = 300_000
"""A plan of many rows takes long on a busy machine."""
_PEOPLE = """\
Ingrid Solheim | Fjord Analyse AS   | +4741230101    | ingrid.solheim@fjord.example   | customer, oslo    | group
Ingrid Solheim |                    | +4741230101    |                                | fair              | group
Lars Mikkelsen | Mikkelsen Tre A/S  | +4520301102    | lars@mikkelsen.example         | customer          | group
Lars Mikkelsen | Mikkelsen Træ      | +4520301103    | lars@mikkelsen.example         |                   |
Åsa Lindqvist  | Norrsken AB        | +46701740601   | asa.lindqvist@norrsken.example | customer, partner | group
Jonas Weber    | Weber & Söhne GmbH | +4915112300104 | j.weber@weber.example          | supplier          | group
Siobhan Byrne  | Liffey Design      | +353851230105  | siobhan@liffey.example         | partner           | group
Chloé Marchand | Atelier Marchand   | +33639980106   | chloe@marchand.example         | customer, press   | group
Mikko Virtanen | Saimaa Oy          | +358401230107  | mikko.virtanen@saimaa.example  | supplier          | group
Hanne Dahl     | Dahl Regnskap      |                | hanne@dahl.example             | customer          | group
Priya Nair     | Harbour Logistics  | +447700900108  | priya.nair@harbour.example     | supplier, press   | group
Bjørn Aasen    | Fjord Analyse AS   | +4722230109    | bjorn.aasen@fjord.example      | oslo              | group
Marta Kowalska | Wisła Studio       | +48512300110   | marta@wisla.example            | partner           | group
Emil Strand    | Strand Elektro     | +4741230111    | emil@strand.example            | customer, bergen  | group
"""
IMPORT = """\
Name,Company,Phone,Email,Tags
Ingrid Solheim-Lie,Fjord Analyse AS,+4741230101,ingrid.solheim@fjord.example,customer
Jonas Weber,Weber & Söhne GmbH,+49 151 12300104,jonas@weber.example,supplier
Åsa Lindqvist,Norrsken Group AB,+46 70 174 06 01,asa.lindqvist@norrsken.example,"customer,partner"
Noor de Vries,Gracht & Co,+31 6 12 30 02 01,noor@gracht.example,fair
Tomás Ribeiro,Douro Vinhos,+351 912 300 202,tomas@douro.example,fair
Sofie Holm,Holm Arkitekter,123,sofie@holm.example,fair
,,,,fair
Rasmus Bach,Bach Cykler,+45 20 30 12 03,rasmus at bach.example,fair
Emil Strand,Strand Elektro,+47 412 30 111,emil@strand.example,"customer,bergen"
Noor de Vries,Gracht & Co,+31 6 12 30 02 01,noor@gracht.example,fair
Giulia Conti,Officina Conti,+39 320 123 0204,giulia@conti.example,fair
"""


async def _fill(file: Path, name: str) -> None:
    """Write the people, and one with this name, into a directory; one was deleted, and one erased."""
    async with ContactsClient.for_directory(file) as api:
        group = await api.send(CreateContactGroup(name=GROUP, description="Monthly, by SMS"))
        members = []
        for line in reversed(_PEOPLE.splitlines()):
            person, company, phone, email, tags, grouped = (each.strip() for each in line.split("|"))
            made = await api.send(
                CreateContact(
                    name=person,
                    company_name=company or None,
                    phone_number=phone or None,
                    email=email or None,
                    tags=[tag for tag in tags.split(", ") if tag],
                    notes="Prefers calls before noon." if person == "Emil Strand" else None,
                )
            )
            members += [made.id] if grouped else []
        await api.send(AddGroupMembers(group_id=group.id, contact_ids=members))
        if name:
            await api.send(CreateContact(name=name, email="other@example.com"))
        gone = await api.send(CreateContact(name="Peder Vik", email="peder@vik.example"))
        await api.send(DeleteContact(contact_id=gone.id))
        erased = await api.send(CreateContact(name="Tuva Moe", phone_number="+4741230112", email="tuva@moe.example"))
        await api.send(GdprDeleteContact(contact_id=erased.id, reason="request of 28 November"))


class _Assistant(StdioModel):
    """An assistant in a host that has a name."""

    def send(self, tool: str, **arguments: Any) -> int:
        self._number += 1
        message = modern(self._number, "tools/call", name=tool, arguments=arguments)
        message["params"]["_meta"]["io.modelcontextprotocol/clientInfo"] = {"name": "Desk Assistant", "version": "2.1"}
        self.server.write_line(json.dumps(message).encode())
        return self._number


def _assist(model: StdioModel) -> None:
    """What an assistant did: its calls are in the trail, and two of them wait for a person."""
    ola = model.call("create_contact", name="Ola Fossum", phone_number="+4741230113", tags=["fair"])["id"]
    model.call("update_contact", contact_id=ola, company_name="Fossum Bakeri", email="ola@fossum.example")
    found = model.call("list_contacts", search="Hanne Dahl")["contacts"][0]["id"]
    model.call("update_contact", contact_id=found, tags=["customer", "accounting"])
    model.send("delete_contact", contact_id=found)
    model.send("gdpr_delete_contact", contact_id=ola, reason="request of 30 November")


@asynccontextmanager
async def console_with_people(home: Path, name: str = "") -> AsyncIterator[str]:
    """Run the console on the directory, beside an assistant whose calls wait; the address for the browser."""
    home.mkdir()
    file = home / "contacts.db"
    await _fill(file, name)
    async with AsyncExitStack() as stack:
        variables = {"CONTACTS_MCP_DIRECTORY": str(file), "BROWSER": FakeBrowser(home).command}
        server = stack.enter_context(StdioServer(home, **variables))
        server.start_reading()
        await anyio.to_thread.run_sync(_assist, _Assistant(server))
        opened = stack.enter_context(OpenConsole(home, **variables))
        yield opened.address


@asynccontextmanager
async def window_with_people(home: Path, messages: list[str], name: str = "", **options: Any) -> "AsyncIterator[Page]":
    """A window of the console; `name` is that of one more contact, and `options` are those of the browser."""
    async with console_with_people(home, name) as address, window_at(address, messages, **options) as window:
        yield window


async def open_page(window: "Page", page: str) -> None:
    """Load the console again, on this page: nothing of the page before is left."""
    base = window.url.partition("#")[0]
    await window.goto("about:blank")
    await window.goto(f"{base}#{page}")


def view(window: "Page") -> "FrameLocator":
    return window.frame_locator("iframe")


async def show_contacts(window: "Page") -> None:
    await open_page(window, "contacts")
    await view(window).get_by_text("Emil Strand").wait_for()


async def show_card(window: "Page") -> None:
    await show_contacts(window)
    await view(window).get_by_text("Emil Strand").click()
    await view(window).get_by_text("Prefers calls before noon.").wait_for()


async def show_plan(window: "Page", text: str = IMPORT) -> None:
    await open_page(window, "import")
    file = {"name": "contacts from the fair.csv", "mimeType": "text/csv", "buffer": text.encode()}
    await window.get_by_label("File of contacts").set_input_files(file)  # type: ignore[arg-type]
    await window.get_by_label("Contacts that exist already").select_option("update")
    await window.get_by_role("button", name="Show the plan").click()
    await view(window).get_by_role("gridcell").first.wait_for(timeout=_PLAN_TIMEOUT_MS)
    await view(window).get_by_role("button", name="Keep").wait_for(timeout=_PLAN_TIMEOUT_MS)


async def show_duplicates(window: "Page") -> None:
    await open_page(window, "duplicates")
    await view(window).get_by_text("Lars Mikkelsen").first.wait_for()


async def show_audience(window: "Page") -> None:
    await open_page(window, "audience")
    await window.get_by_role("button", name=GROUP).click()
    await view(window).get_by_text("Hanne Dahl").wait_for()


async def show_countries(window: "Page") -> None:
    await show_audience(window)
    await view(window).get_by_role("button", name="countries").click()
    await view(window).get_by_text("Sweden").wait_for()


async def show_question(window: "Page") -> None:
    """What a person reads before a deletion."""
    await show_card(window)
    await view(window).get_by_role("button", name="Delete this contact").click()
    await view(window).get_by_role("dialog").get_by_role("button", name="Delete", exact=True).wait_for()


async def show_receipt(window: "Page") -> None:
    await open_page(window, "receipts")
    await window.get_by_role("button", name="Receipt 1,").click()
    await window.get_by_text("Chain is intact").wait_for()


async def show_approvals(window: "Page") -> None:
    await open_page(window, "approvals")
    await window.get_by_role("button", name="Delete", exact=True).wait_for()


async def show_audit(window: "Page") -> None:
    await open_page(window, "audit")
    await window.get_by_role("row").nth(1).wait_for()


async def show_deleted(window: "Page") -> None:
    await open_page(window, "deleted")
    await window.get_by_text("Peder Vik").wait_for()


async def show_groups(window: "Page") -> None:
    await open_page(window, "audience")
    await window.get_by_role("button", name=GROUP).wait_for()


async def show_import(window: "Page") -> None:
    await open_page(window, "import")
    await window.get_by_role("button", name="Show the plan").wait_for()


async def show_receipts(window: "Page") -> None:
    await open_page(window, "receipts")
    await window.get_by_role("button", name="Receipt 1,").wait_for()


PICTURED: dict[str, Show] = {
    "audit": show_audit,
    "contacts": show_contacts,
    "card": show_card,
    "plan": show_plan,
    "duplicates": show_duplicates,
    "audience": show_audience,
    "question": show_question,
    "receipt": show_receipt,
    "approvals": show_approvals,
}
SHOWN: dict[str, Show] = {
    **PICTURED,
    "countries": show_countries,
    "deleted": show_deleted,
    "groups": show_groups,
    "import": show_import,
    "receipts": show_receipts,
}
