"""Import the file of the day into a group: new contacts, and values for those that lack them.

Run it with `python3 -m uv run python examples/unattended/nightly_import.py [FOLDER]`. It needs no account: without a
folder it works on made-up data in a temporary one.
"""

from pathlib import Path

from job import Job, run

from contacts_mcp.client import ContactsClient
from contacts_mcp.contract import CreateContact

FILE = "sign-ups.csv"
SAMPLE = """\
First Name,Last Name,Mobile Phone,E-mail Address
Ola,Nordmann,900 00 001,ola@example.com
Ingrid,Moe,900 00 002,ingrid@example.com
Kari,Nordmann,900 00 099,kari@example.com
Per,Aas,900 00 003,per@example.com
"""


async def import_file(job: Job) -> None:
    """Create the new contacts; after that complete the others, which is refused if it overwrites a value."""
    wanted = {"path": FILE, "group": "Newsletter", "create_group": True, "tags": ["web"]}
    for on_match in ("skip", "update"):
        done = await job.apply("import_contacts", **wanted, on_match=on_match)
        if done is None:
            break
        changed = f"{done.get('new_contacts', 0)} created, {done.get('updates', 0)} completed"
        print(f"on_match {on_match}: {done['rows']} rows, {changed}, {done['invalid']} invalid")


async def make_sample(folder: Path, client: ContactsClient) -> None:
    """Two of the people in the file are known, one of them with another number."""
    if not (folder / FILE).exists():
        (folder / FILE).write_text(SAMPLE)
    await client.send(CreateContact(name="Kari Nordmann", phone_number="+4790000009", email="kari@example.com"))
    await client.send(CreateContact(name="Per Aas", phone_number="+4790000003"))


if __name__ == "__main__":
    raise SystemExit(run(import_file, make_sample))
