"""Write numbers in international format, and find who is in the directory more than once.

Run it with `python3 -m uv run python examples/unattended/clean_up.py [FOLDER]`. It needs no account: without a folder
it works on made-up data in a temporary one.
"""

from pathlib import Path

from job import Job, run

from contacts_mcp.client import ContactsClient
from contacts_mcp.contract import CreateContact


async def clean_up(job: Job) -> None:
    """Correct the numbers; propose the merges, which a person has to agree to."""
    numbers = await job.apply("update_matching_contacts", normalize_phones=True)
    if numbers:
        changed, invalid = numbers.get("updates", 0), numbers.get("not_normalized", 0)
        print(f"numbers: {numbers['matched']} contacts, {changed} changed, {invalid} not valid")
    found = await job.call("find_duplicate_contacts", limit=50)
    print(f"duplicates: {found['certain']} certain, {found['likely']} likely, {found['possible']} possible")
    for cluster in found["clusters"]:
        if cluster["confidence"] == "certain":
            keep, *others = [contact["id"] for contact in cluster["contacts"]]
            what = f"{len(others)} into {keep}: {', '.join(cluster['evidence'])}"
            await job.attempt(what, "merge_contacts", keep_id=keep, merge_ids=others)


async def make_sample(_folder: Path, client: ContactsClient) -> None:
    """Numbers in three notations, and one person twice."""
    people = (
        ("Ola Nordmann", "900 00 001", "ola@example.com"),
        ("Nordmann, Ola", "+47 90 00 00 01", None),
        ("Kari Nordmann", "+4790000002", "kari@example.com"),
        ("Per Aas", "123", None),
    )
    for name, number, email in people:
        await client.send(CreateContact(name=name, phone_number=number, email=email))


if __name__ == "__main__":
    raise SystemExit(run(clean_up, make_sample))
