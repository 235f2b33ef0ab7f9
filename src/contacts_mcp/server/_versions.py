"""Results in the form of the negotiated protocol version: fields that the version does not have are left out.

Clients of an old version may refuse, or show a model twice, what they do not know. Fields of 2026-07-28 need no entry:
the SDK leaves them out of the results of all earlier versions.
"""

from collections.abc import Mapping
from typing import Any

from mcp.server.context import CallNext, HandlerResult
from mcp_types.version import is_version_at_least

from contacts_mcp.contract import ProgressCallback
from contacts_mcp.server._context import RequestContext

_Fields = Mapping[str, frozenset[str]]

_RESULT = ""  # instead of the name of a member: the result itself
_TITLED, _ILLUSTRATED = frozenset({"title", "_meta"}), frozenset({"icons"})
_ADDED_FIELDS: Mapping[str, Mapping[str, _Fields]] = {
    "2025-03-26": {
        "initialize": {"capabilities": frozenset({"completions"})},
        "tools/list": {"tools": frozenset({"annotations"})},
    },
    "2025-06-18": {
        "initialize": {"serverInfo": frozenset({"title"})},
        "tools/list": {"tools": _TITLED | {"outputSchema"}},
        "tools/call": {_RESULT: frozenset({"structuredContent"}), "content": frozenset({"_meta"})},
        "resources/list": {"resources": _TITLED},
        "resources/templates/list": {"resourceTemplates": _TITLED},
        "resources/read": {"contents": frozenset({"_meta"})},
        "prompts/list": {"prompts": _TITLED},
    },
    "2025-11-25": {
        "initialize": {"serverInfo": _ILLUSTRATED | {"description", "websiteUrl"}},
        "tools/list": {"tools": _ILLUSTRATED | {"execution"}},
        "resources/list": {"resources": _ILLUSTRATED},
        "resources/templates/list": {"resourceTemplates": _ILLUSTRATED},
        "prompts/list": {"prompts": _ILLUSTRATED},
    },
}
"""By version and method: the fields that the version added to members of the result."""


async def fit_to_version(ctx: RequestContext, call_next: CallNext) -> HandlerResult:
    """Middleware that leaves out of a result what the negotiated version does not have."""
    result = await call_next(ctx)
    if not isinstance(result, dict):
        return result
    version = result["protocolVersion"] if ctx.method == "initialize" else ctx.protocol_version
    for added_in, methods in _ADDED_FIELDS.items():
        if not is_version_at_least(version, added_in):
            result = _without(result, methods.get(ctx.method, {}))
    return result


def _without(result: dict[str, Any], fields: _Fields) -> dict[str, Any]:
    for member, names in fields.items():
        if member == _RESULT:
            result = _drop(result, names)
        elif member in result:
            result = {**result, member: _drop(result[member], names)}
    return result


def _drop(value: Any, names: frozenset[str]) -> Any:
    """Leave these fields out of an object, or of each object of a list."""
    if isinstance(value, list):
        return [_drop(item, names) for item in value]
    return {name: item for name, item in value.items() if name not in names}


def progress_reporter(ctx: RequestContext) -> ProgressCallback:
    """Return the function that reports a call's progress; in the first version without a message."""
    if is_version_at_least(ctx.protocol_version, "2025-03-26"):
        return ctx.session.report_progress

    async def report(progress: float, total: float | None, _message: str | None) -> None:
        await ctx.session.report_progress(progress, total)

    return report
