"""Bring a group up to date with a tag, and check whom an SMS to it would reach. It sends nothing.

Run it with `python3 -m uv run python examples/unattended/prepare_audience.py [FOLDER]`. It needs no account: without a
folder it works on made-up data in a temporary one.
"""

from pathlib import Path

from job import Job, run

from contacts_mcp.client import ContactsClient
from contacts_mcp.contract import CreateContact

TAG, GROUP = "newsletter", "Autumn newsletter"
MIN_REACHABLE = 0.75


async def prepare_audience(job: Job) -> None:
    """Add who is missing, correct the members' numbers, and leave a group that few would be reached in."""
    if await job.apply("add_matching_to_group", tags=[TAG], group=GROUP, create_group=True) is None:
        return
    await job.apply("update_matching_contacts", group=GROUP, normalize_phones=True)
    audience = await job.call("check_group_audience", group=GROUP)
    members, reachable = audience["members"], audience["reachable"]
    print(f"{reachable} of {members} members are reached; SMS requests needed: {audience['sms_requests']}")
    print(f"{audience['no_number']} without a number, {audience['invalid']} invalid, {audience['duplicates']} shared")
    if reachable < MIN_REACHABLE * members:
        job.left.append(f"the audience: fewer than {MIN_REACHABLE:.0%} of its members are reached")


async def make_sample(_folder: Path, client: ContactsClient) -> None:
    """Five people with the tag, one of them without a number, and one without the tag."""
    numbers = ("900 00 001", "+4790000002", "900 00 003", None, "+4790000005")
    for index, number in enumerate(numbers, 1):
        await client.send(CreateContact(name=f"Member {index}", phone_number=number, tags=[TAG]))
    await client.send(CreateContact(name="Kari Nordmann", phone_number="+4790000009"))


if __name__ == "__main__":
    raise SystemExit(run(prepare_audience, make_sample))
