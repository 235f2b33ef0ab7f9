"""The public names of the server's packages: other packages import nothing else from them."""

import contacts_mcp.prompts
import contacts_mcp.resources
import contacts_mcp.server


def test_server_exports_what_other_packages_use() -> None:
    assert contacts_mcp.server.__all__ == [
        "ACTIVE_CALLS_SCOPE_KEY",
        "APPROVALS_URL_SCOPE_KEY",
        "CALLER_SCOPE_KEY",
        "CONSOLE_SCOPE_KEY",
        "FILES_URL_SCOPE_KEY",
        "LOCAL_CALLER",
        "ActiveCalls",
        "ApprovalDesk",
        "BackendFactory",
        "CallRecorder",
        "Caller",
        "ExtraArguments",
        "ExtraTool",
        "ExtraTools",
        "KeyRights",
        "Lifespan",
        "OpenQuestion",
        "OutdatedApproval",
        "RequestContext",
        "Subscriptions",
        "Ways",
        "approvals_url_of",
        "build_server",
        "is_of_console",
    ]


def test_resources_exports_what_the_server_and_the_app_use() -> None:
    assert contacts_mcp.resources.__all__ == [
        "CONTACT_URI",
        "GROUP_URI",
        "MEMBERS_URI",
        "TOOL_EFFECTS",
        "Completer",
        "CompletionValues",
        "Completions",
        "ResourceCatalog",
        "affected_resources",
    ]


def test_prompts_exports_what_the_server_and_the_app_use() -> None:
    assert contacts_mcp.prompts.__all__ == ["PROMPTS", "Prompt", "choose_prompts", "named_tools"]
