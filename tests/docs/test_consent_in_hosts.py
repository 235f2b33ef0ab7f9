"""The table of hosts in docs/guard.md: a deletion is tried in each of them."""

from pathlib import Path

import pytest

from doc_parts import check_part, table
from support.host_profiles import PROFILES, Profile, Will, reason_of, scene_in

_WAYS = {"form": "a form in the host", "app": "the panel in the chat", "page": "a page that opens in the browser"}


@pytest.mark.slow
async def test_table_of_hosts_shows_what_came_of_a_deletion_in_each(tmp_path: Path) -> None:
    rows = [await _row(tmp_path, profile) for profile in PROFILES]

    check_part("guard.md", "hosts", table(_HEADER, rows))


_HEADER = "| Host | Its forms | A person is asked in | Calls until a yes is done | After a no | Without an answer |"


async def _row(path: Path, profile: Profile) -> str:
    outcomes = {}
    for will in Will:
        async with scene_in(path / f"{profile.name} {will}.db", profile, will) as scene:
            outcomes[will] = await scene.delete()
    yes, no, nothing = outcomes[Will.YES], outcomes[Will.NO], outcomes[Will.NOTHING]
    assert yes.is_deleted
    assert yes.consent
    kept = "deleted" if no.is_deleted else reason_of(no.answers[-1]).partition(";")[0]
    waits = "deleted" if nothing.is_deleted else "kept"
    return f"| {profile.name} | {profile.forms} | {_WAYS[yes.consent]} | {yes.calls} | kept: {kept} | {waits} |"
