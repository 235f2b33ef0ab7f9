"""What the suite complains of in a server that has none of its tools, prompts and resources, and which it then lacks.

Each line is held against a run: the scenario has to complain, and has to have asked for that very thing; the fixture
server, which is the product with these things laid over it, has to satisfy it.
"""

from collections.abc import Iterator

from conformance.suite import Outcome

_ASKS_FOR_ITSELF = {
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
"""Scenarios of one check, which bears their name."""

_NAME = "test_input_required_result_elicitation"

NEEDS_FIXTURE = {
    **{f"{scenario}:{scenario}": thing for scenario, thing in _ASKS_FOR_ITSELF.items()},
    "elicitation-sep1034-defaults:elicitation-sep1034-general": "test_elicitation_sep1034_defaults",
    "elicitation-sep1330-enums:elicitation-sep1330-general": "test_elicitation_sep1330_enums",
    "server-stateless:sep-2575-server-rejects-undeclared-capability": "test_missing_capability",
    "server-stateless:sep-2575-missing-capability-http-400": "test_missing_capability",
    "input-required-result-basic-elicitation:sep-2322-elicitation-incomplete": _NAME,
    "input-required-result-basic-sampling:sep-2322-sampling-incomplete": "test_input_required_result_sampling",
    "input-required-result-basic-list-roots:sep-2322-list-roots-incomplete": "test_input_required_result_list_roots",
    "input-required-result-request-state:sep-2322-request-state-incomplete": "test_input_required_result_request_state",
    "input-required-result-multiple-input-requests:sep-2322-multiple-inputs-incomplete": (
        "test_input_required_result_multiple_inputs"
    ),
    "input-required-result-multi-round:sep-2322-multi-round-r1": "test_input_required_result_multi_round",
    "input-required-result-missing-input-response:sep-2322-missing-response-rerequests": _NAME,
    "input-required-result-non-tool-request:sep-2322-non-tool-incomplete": "test_input_required_result_prompt",
    "input-required-result-result-type:sep-2322-result-type-included": _NAME,
    "input-required-result-tampered-state:sep-2322-reject-tampered-state": "test_input_required_result_tampered_state",
    "input-required-result-capability-check:sep-2322-respect-client-capabilities": (
        "test_input_required_result_capabilities"
    ),
    "input-required-result-validate-input:sep-2322-error-on-protocol-error": _NAME,
}

NEVER_CHANGE = {
    "server-stateless:sep-2575-server-sends-prompts-list-changed-on-subscription",
    "server-stateless:sep-2575-server-sends-tools-list-changed-on-subscription",
}
"""Checks that do not apply: the product's lists of tools and prompts stay as they are, and it promises nothing else."""


def faults(outcome: Outcome, scenarios: list[str]) -> Iterator[str]:
    """A line for each complaint that is not excused, and for each excuse that is none."""
    for check, complaint in outcome.complaints.items():
        if check not in NEEDS_FIXTURE:
            yield f"{check}: {complaint}"
    for check, thing in NEEDS_FIXTURE.items():
        scenario = check.partition(":")[0]
        if scenario not in scenarios:
            continue
        if check not in outcome.complaints:
            yield f"{check}: passes without {thing}, and needs no excuse"
        if (scenario, thing) not in outcome.asked_for:
            yield f"{check}: never asks for {thing}"
