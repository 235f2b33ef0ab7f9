"""The official conformance suite, in both revisions, against the product and against its fixture server."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.suite import BASELINE, REVISIONS, Outcome, fixture, required_scenarios, run_suite, served_product
from support.hosts import host
from support.node import only_when_asked

_ONE_CHECK = {
    "tools-call-image": "test_image_content",
    "tools-call-audio": "test_audio_content",
    "tools-call-embedded-resource": "test_embedded_resource",
    "tools-call-mixed-content": "test_multiple_content_types",
    "tools-call-with-logging": "test_tool_with_logging",
    "tools-call-with-progress": "test_tool_with_progress",
    "tools-call-sampling": "test_sampling",
    "tools-call-elicitation": "test_elicitation",
    "resources-read-text": "test://static-text",
    "resources-read-binary": "test://static-binary",
    "resources-templates-read": "test://template/123/data",
    "prompts-get-simple": "test_simple_prompt",
    "prompts-get-with-args": "test_prompt_with_arguments",
    "prompts-get-embedded-resource": "test_prompt_with_embedded_resource",
    "prompts-get-with-image": "test_prompt_with_image",
}
"""Scenarios with one check, which has the scenario's name, and the thing that each asks for."""
_INPUT_REQUIRED = "test_input_required_result"
NEEDS_FIXTURE = {
    **{f"{scenario}:{scenario}": thing for scenario, thing in _ONE_CHECK.items()},
    "elicitation-sep1034-defaults:elicitation-sep1034-general": "test_elicitation_sep1034_defaults",
    "elicitation-sep1330-enums:elicitation-sep1330-general": "test_elicitation_sep1330_enums",
    "server-stateless:sep-2575-server-rejects-undeclared-capability": "test_missing_capability",
    "server-stateless:sep-2575-missing-capability-http-400": "test_missing_capability",
    **{
        f"input-required-result-{check}": f"{_INPUT_REQUIRED}_{thing}"
        for check, thing in {
            "basic-elicitation:sep-2322-elicitation-incomplete": "elicitation",
            "basic-sampling:sep-2322-sampling-incomplete": "sampling",
            "basic-list-roots:sep-2322-list-roots-incomplete": "list_roots",
            "request-state:sep-2322-request-state-incomplete": "request_state",
            "multiple-input-requests:sep-2322-multiple-inputs-incomplete": "multiple_inputs",
            "multi-round:sep-2322-multi-round-r1": "multi_round",
            "missing-input-response:sep-2322-missing-response-rerequests": "elicitation",
            "non-tool-request:sep-2322-non-tool-incomplete": "prompt",
            "result-type:sep-2322-result-type-included": "elicitation",
            "tampered-state:sep-2322-reject-tampered-state": "tampered_state",
            "capability-check:sep-2322-respect-client-capabilities": "capabilities",
            "validate-input:sep-2322-error-on-protocol-error": "elicitation",
        }.items()
    },
}
"""Checks that need the suite's own tools, prompts and resources, and the thing that each asks for.

A run has to confirm each line: the product fails the check, the scenario asked for that very thing, and the fixture
server, which is the product with these things added, passes.
"""
NOT_APPLICABLE = {
    "server-stateless:sep-2575-server-sends-prompts-list-changed-on-subscription",
    "server-stateless:sep-2575-server-sends-tools-list-changed-on-subscription",
}
"""The product's lists of tools and prompts never change, and it does not announce that they would."""

each_revision = pytest.mark.parametrize("revision", REVISIONS)


def test_baseline_of_expected_failures_is_empty() -> None:
    entries = [line for line in BASELINE.read_text().splitlines() if not line.startswith("#")]

    assert entries == ["server: []"]


@only_when_asked
@each_revision
def test_fixture_server_passes_every_required_scenario(tmp_path: Path, revision: str) -> None:
    """No check fails, warns or is skipped, and the suite's exit code confirms it."""
    with fixture(tmp_path) as server:
        outcome = run_suite(f"{server.url}/mcp", revision, tmp_path)

    assert not outcome.complaints, "\n".join(f"{check}: {fault}" for check, fault in outcome.complaints.items())
    assert not outcome.skipped
    assert outcome.code == 0


@only_when_asked
@each_revision
async def test_product_passes_every_scenario_that_needs_no_fixture(tmp_path: Path, revision: str) -> None:
    """A check may fail only if its scenario asks for a thing of the suite's own."""
    async with host(tmp_path / "contacts.db") as directory:
        await directory.call("create_contact_group", name="Board")  # a resource to read
    with served_product(tmp_path) as server:
        outcome = await asyncio.to_thread(run_suite, f"{server.url}/mcp", revision, tmp_path)

    wrong = list(_unexpected(outcome, required_scenarios(revision)))
    assert not wrong, "\n".join(wrong)
    assert outcome.skipped <= NOT_APPLICABLE


def _unexpected(outcome: Outcome, scenarios: list[str]) -> Iterator[str]:
    """A line for each complaint that is not excused, and for each excuse that is not needed."""
    for check, complaint in outcome.complaints.items():
        if check not in NEEDS_FIXTURE:
            yield f"{check}: {complaint}"
    for check, thing in NEEDS_FIXTURE.items():
        scenario = check.partition(":")[0]
        if scenario not in scenarios:
            continue
        if check not in outcome.complaints:
            yield f"{check}: passes without {thing}, and needs no excuse"
        if (scenario, thing) not in outcome.requested:
            yield f"{check}: never asks for {thing}"


def test_exceptions_name_only_items_of_the_suite() -> None:
    """A tool or prompt called `test_…`, or an address `test://…`, which no product has."""
    assert all(re.match(r"test_|test://", thing) for thing in NEEDS_FIXTURE.values())
