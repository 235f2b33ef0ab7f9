"""The official conformance suite, in both revisions, against the product and against its fixture server."""

import asyncio
import re
from pathlib import Path

import pytest

from conformance.needs_fixture import NEEDS_FIXTURE, NEVER_CHANGE, faults
from conformance.servers import fixture, product
from conformance.suite import BASELINE, REVISIONS, required, run_suite
from harness import host
from node import only_when_asked

each_revision = pytest.mark.parametrize("revision", REVISIONS)


def test_no_scenario_may_fail_on_the_fixture_server() -> None:
    """The baseline of expected failures is empty."""
    entries = [line for line in BASELINE.read_text().splitlines() if not line.startswith("#")]

    assert entries == ["server: []"]


@only_when_asked
@each_revision
def test_the_fixture_server_passes_every_required_scenario(tmp_path: Path, revision: str) -> None:
    """Nothing fails, is warned of or left out, and the suite says so too."""
    with fixture(tmp_path) as served:
        outcome = run_suite(f"{served.url}/mcp", revision, tmp_path)

    assert not outcome.complaints, "\n".join(f"{check}: {fault}" for check, fault in outcome.complaints.items())
    assert not outcome.skipped
    assert outcome.code == 0


@only_when_asked
@each_revision
async def test_the_product_passes_every_scenario_that_needs_no_fixture(tmp_path: Path, revision: str) -> None:
    """It is excused where a scenario asks for a thing of the suite's own, and for nothing else."""
    async with host(tmp_path / "contacts.db") as directory:
        await directory.call("create_contact_group", name="Board")  # a resource to read
    with product(tmp_path) as served:
        outcome = await asyncio.to_thread(run_suite, f"{served.url}/mcp", revision, tmp_path)

    wrong = list(faults(outcome, required(revision)))
    assert not wrong, "\n".join(wrong)
    assert outcome.skipped <= NEVER_CHANGE


def test_an_excuse_names_a_thing_of_the_suites_own() -> None:
    """A tool or prompt called `test_…`, or an address `test://…`, which no product has."""
    assert all(re.match(r"test_|test://", thing) for thing in NEEDS_FIXTURE.values())
