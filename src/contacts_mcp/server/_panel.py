"""The panel that hosts with MCP Apps show beside a call: its views, the tools for it alone, and its questions.

A question for the panel travels in a result's `_meta`, which hosts keep from the model. The answer has to bring the
question's secret back: it is valid once, for this very call and target, and for its caller.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import mcp_types as types
from mcp_types.version import is_version_at_least
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from contacts_mcp.contract import MAX_ERASED, Risk, invalid_field, invalid_fields
from contacts_mcp.contract.errors import FieldFault
from contacts_mcp.guard import ConsentAnswer, Guard, GuardMode, Question
from contacts_mcp.panel import EXTENSION, MIME_TYPE, VIEWS, read_view
from contacts_mcp.server._context import RequestContext
from contacts_mcp.text import sanitize
from contacts_mcp.tools import Tool

QUESTION_META = "services.wayscloud/question"
"""Where a result has the question that only the panel can answer."""
CALL_META = "services.wayscloud/call"
"""Where a result has the call that it answers, for hosts that do not tell their panel about it."""
ASK, DECIDE = "ask_in_panel", "decide_in_panel"

_URI_PREFIX, _URI_SUFFIX = "ui://contacts/", ".html"
_RESOURCE_META = {"ui": {"csp": {}, "prefersBorder": True}}
_CONSENT_VIEW = "consent"
_MAX_NAME_LENGTH = 64
_MAX_FIELDS = 20
_MAX_SECRET_LENGTH, _MAX_TYPED_LENGTH = 4_096, 2_000
_MAX_SHOWN_FAULTS = 5
_MAX_CALL_LENGTH = 50_000  # characters; hosts cut results from 150,000 characters on


class _PanelArguments(BaseModel):
    """The call that the panel is about, as the model made it or as the person would."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True, strict=True)

    tool: str
    arguments: dict[str, Any] = Field(default_factory=dict)


class _AskArguments(_PanelArguments):
    """Prepare a call and return the question that a person has to answer before it may run. Nothing is changed."""


class _DecideArguments(_PanelArguments):
    """Make a call, or keep everything as it is, as the person decided in the panel."""

    secret: str = Field(max_length=_MAX_SECRET_LENGTH)
    agree: bool
    typed: str = Field(default="", max_length=_MAX_TYPED_LENGTH)
    also: list[str] = Field(default_factory=list, max_length=MAX_ERASED, fail_fast=True)


@dataclass(frozen=True, slots=True)
class PanelCall:
    """A call that the panel makes for a person; without an `answer` it only asks for the call's question."""

    tool: str
    arguments: Mapping[str, Any]
    answer: ConsentAnswer | None


class PanelState(BaseModel):
    """The answer of `ask_in_panel`.

    Attributes:
        needs_consent: whether a person has to agree. Without a question beside it, the person is asked elsewhere.
    """

    needs_consent: bool


def shows_panel(ctx: RequestContext) -> bool:
    """Whether the host shows the panel, as it declares. Tools have a `_meta` since 2025-06-18."""
    if not is_version_at_least(ctx.protocol_version, "2025-06-18"):
        return False
    capabilities = ctx.session.client_capabilities
    declared = ((capabilities.extensions if capabilities else None) or {}).get(EXTENSION)
    mime_types = declared.get("mimeTypes") if isinstance(declared, dict) else None
    return isinstance(mime_types, list) and MIME_TYPE in mime_types


def read_panel_call(params: types.CallToolRequestParams) -> PanelCall | None:
    """Return what the panel wants; None for all other calls. Raises ValidationFailed."""
    if params.name not in (ASK, DECIDE):
        return None
    given = {name: value for name, value in (params.arguments or {}).items() if not name.startswith("_")}
    if len(given) > _MAX_FIELDS:
        raise invalid_field("arguments", f"should have at most {_MAX_FIELDS} members")
    try:
        if params.name == ASK:
            asked = _AskArguments.model_validate(given)
            return PanelCall(asked.tool, asked.arguments, None)
        decided = _DecideArguments.model_validate(given)
    except ValidationError as exc:
        raise invalid_fields(
            [_to_fault(error["loc"], error["msg"]) for error in exc.errors()[:_MAX_SHOWN_FAULTS]]
        ) from None
    content = {"typed": decided.typed, "also": decided.also}
    reply: Any = "accept" if decided.agree else "decline"
    return PanelCall(decided.tool, decided.arguments, ConsentAnswer(decided.secret, reply, content, "panel"))


def _to_fault(location: tuple[int | str, ...], message: str) -> FieldFault:
    return FieldFault(sanitize(".".join(map(str, location)), _MAX_NAME_LENGTH), message)


def tools_for_panel() -> list[types.Tool]:
    """Return the tools that the panel calls for a person. A model that calls them lacks the secret."""
    return [
        types.Tool(
            name=name,
            title=title,
            description=model.__doc__,
            input_schema=_schema_of(model),
            annotations=types.ToolAnnotations(title=title, read_only_hint=reads, destructive_hint=not reads),
            _meta=panel_meta(for_panel=True),
        )
        for name, title, model, reads in (
            (ASK, "Ask in the panel", _AskArguments, True),
            (DECIDE, "Decide in the panel", _DecideArguments, False),
        )
    ]


def _schema_of(model: type[BaseModel]) -> dict[str, Any]:
    schema = model.model_json_schema()
    properties = {
        name: {k: v for k, v in child.items() if k != "title"} for name, child in schema["properties"].items()
    }
    return {"type": "object", "properties": properties, "required": schema["required"]}


def view_of(tool: Tool, guard: Guard) -> str | None:
    """Return the view that shows a tool's calls; None if it has none."""
    may_ask = guard.mode is not GuardMode.BLOCK and tool.risk is not Risk.READ
    asks = may_ask and guard.requires_consent(tool.name, tool.risk)
    return tool.view or (_CONSENT_VIEW if asks else None)


def panel_meta(view: str | None = None, *, for_panel: bool = False) -> dict[str, Any] | None:
    """Return a tool's `_meta`: its view, and whether only the panel calls it."""
    ui: dict[str, Any] = {}
    if view:
        ui["resourceUri"] = f"{_URI_PREFIX}{view}{_URI_SUFFIX}"
    if for_panel:
        ui["visibility"] = ["app"]
    return {"ui": ui} if ui else None


def question_meta(question: Question) -> dict[str, Any]:
    """Return the `_meta` of a result with a question that only the panel can answer."""
    prompt = question.prompt
    shown = {
        "verb": prompt.verb,
        "label": prompt.label,
        "effect": list(prompt.effect),
        "choices": {
            "reason": prompt.choices.reason,
            "items": [asdict(each) for each in prompt.choices.items],
            "more": prompt.choices.more,
        },
        "values": {**prompt.values, **prompt.changes},
        "phrase": prompt.phrase,
        "yes": prompt.yes,
        "warning": prompt.warning,
    }
    return {
        QUESTION_META: {
            "tool": question.tool,
            "arguments": dict(question.arguments),
            "secret": question.state,
            "expires_in_seconds": int(question.lifetime_seconds),
            "prompt": shown,
        }
    }


def call_meta(tool: str, arguments: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the `_meta` of a result that a view shows, with its call; None if the call is too long to repeat."""
    call = {"tool": tool, "arguments": dict(arguments)}
    return {CALL_META: call} if len(json.dumps(call, default=str)) <= _MAX_CALL_LENGTH else None


def read_panel_resource(uri: str) -> types.TextResourceContents | None:
    """Return the page of a view; None for all other URIs."""
    view = uri.removeprefix(_URI_PREFIX).removesuffix(_URI_SUFFIX)
    if uri != f"{_URI_PREFIX}{view}{_URI_SUFFIX}" or view not in VIEWS:
        return None
    return types.TextResourceContents(uri=uri, mime_type=MIME_TYPE, text=read_view(view), _meta=_RESOURCE_META)
