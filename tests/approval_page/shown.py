"""Every page that a person can see, as functions that lead a browser to it."""

from collections.abc import Awaitable, Callable
from typing import Any

from approval_page.logins import (
    show_cancelled_login,
    show_foreign_login,
    show_key_login,
    show_logged_in,
    show_unavailable_login,
    show_wrong_key,
)
from approval_page.windows import Desktop, press
from contacts_mcp.contract import UpdateContact

SIZES = {320: 640, 1280: 800}
"""The windows, as width and height in pixels."""
Show = Callable[[Desktop], Awaitable[Any]]


async def show_deletion(here: Desktop) -> Any:
    values = {"company_name": "Fjord AS", "email": "ola@fjord.example", "phone_number": "+4790000001"}
    return await here.open(await here.scene.ask_to_delete(**values))


async def show_erasure(here: Desktop) -> Any:
    """With related records, and the form after a wrong text was typed."""
    model, number = here.scene.model, "+4790000001"
    for name in ("O. Nordmann", "שלום עולם"):
        await model.call("create_contact", name=name, phone_number=number, allow_duplicate=True)
    ola = await model.call("create_contact", name="Ola Nordmann", phone_number=number, allow_duplicate=True)
    asked = await here.scene.ask("gdpr_delete_contact", contact_id=ola["id"], reason="request of 28 November")
    window = await here.open(asked)
    await window.get_by_label("To erase, type").fill("Ola")
    await press(window, "Erase permanently")
    return window


async def show_changes(here: Desktop) -> Any:
    """A bulk update, with old and new values."""
    model = here.scene.model
    for name, company in (("Ola Nordmann", "Fjord A/S"), ("Kari Moe", "Fjord"), ("Per Hansen", "")):
        await model.call("create_contact", name=name, company_name=company or None, tags=["fjord"])
    change = {"tags": ["fjord"], "set_company_name": "Fjord AS", "add_tags": ["customer"]}
    plan = await model.call("update_matching_contacts", **change)
    asked = await here.scene.ask("update_matching_contacts", **change, apply=True, plan=plan["plan"])
    return await here.open(asked)


async def show_values(here: Desktop) -> Any:
    ola = await here.scene.model.create()
    values = {"company_name": "Fjord AS", "tags": ["customer", "oslo"], "notes": "A note."}
    return await here.open(await here.scene.ask("update_contact", **ola, **values))


async def show_list(here: Desktop) -> Any:
    window = await here.open(await here.scene.ask_to_delete())
    await here.scene.ask_to_delete("Kari Moe")
    await window.goto(window.url.rpartition("/")[0] + "/")
    return window


async def show_approved(here: Desktop) -> Any:
    window = await show_deletion(here)
    await press(window, "Delete")
    return window


async def show_kept(here: Desktop) -> Any:
    window = await show_deletion(here)
    await press(window, "Keep")
    return window


async def show_outdated(here: Desktop) -> Any:
    approval = await here.scene.ask_to_delete()
    await here.scene.api.send(UpdateContact(contact_id=approval.arguments["contact_id"], name="Ola N."))
    return await here.open(approval)


SHOWN: dict[str, Show] = {
    "deletion": show_deletion,
    "erasure": show_erasure,
    "changes": show_changes,
    "values": show_values,
    "list": show_list,
    "approved": show_approved,
    "kept": show_kept,
    "outdated": show_outdated,
    "login": show_cancelled_login,
    "unavailable login": show_unavailable_login,
    "foreign login": show_foreign_login,
    "logged in": show_logged_in,
    "key": show_key_login,
    "wrong key": show_wrong_key,
}
PICTURED = ("deletion", "erasure", "changes", "login")
