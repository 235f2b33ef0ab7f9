"""The document, put together from the endpoints and the schemas."""

from typing import Any

from contacts_mcp import __version__
from contacts_mcp.directory.service.openapi.operations import ADDITIONS, OPERATIONS, Operation
from contacts_mcp.directory.service.openapi.schemas import ANSWERS, REQUESTS

_ABOUT = (
    "Shared contact directory for SMS, Email and other services. Manage contacts and groups for batch operations.\n\n"
    "This service speaks the WAYSCloud Contacts API, and keeps contacts in a directory of its own. A key opens the"
    " contacts of one tenant; it may read (GET), write (all else), or both. A request may carry an `X-Request-ID` of"
    " its own."
)
_TAGS = (
    {"name": "Contacts"},
    {"name": "Groups"},
    {"name": ADDITIONS, "description": "Beyond the page of the Contacts API, for jobs on many contacts."},
)
_SCHEMES = {
    "ApiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "Bearer": {"type": "http", "scheme": "bearer"},
}
_REQUEST_ID = {
    "description": "Names the request in the service's log; the caller's own where it sent one.",
    "required": True,
    "schema": {"type": "string", "pattern": "^[!-~]{1,128}$"},
}
_REPLAYED = {
    "description": "There where the `Idempotency-Key` was used before, and this is what was created then.",
    "schema": {"type": "string", "enum": ["true"]},
}
_FAULTS = {
    401: "No key, or none that is valid.",
    403: "The key does not have the scope.",
    404: "There is no such contact, group or member, or none any more.",
    409: "The `Idempotency-Key` was used with another body.",
    413: "The body is too large.",
    422: "Something in the request is wrong; what was sent is not repeated.",
    429: "The key is used too often.",
    500: "The service failed.",
    503: "The directory cannot be used now; nothing was changed.",
    507: "The disk is full; nothing was changed.",
}
_HEADERS_OF_FAULTS = {
    401: {"WWW-Authenticate": {"required": True, "schema": {"type": "string"}}},
    429: {
        "Retry-After": {
            "description": "Seconds to wait.",
            "required": True,
            "schema": {"type": "integer", "minimum": 1},
        }
    },
}


def document() -> dict[str, Any]:
    """The OpenAPI document of the service."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Contacts API", "version": __version__, "description": _ABOUT},
        "servers": [{"url": "/"}],
        "tags": list(_TAGS),
        "security": [{name: []} for name in _SCHEMES],
        "paths": paths,
        "components": {
            "schemas": {**REQUESTS, **ANSWERS},
            "responses": {f"E{status}": _fault(status) for status in _FAULTS},
            "headers": {"X-Request-ID": _REQUEST_ID, "Idempotency-Replayed": _REPLAYED},
            "securitySchemes": _SCHEMES,
        },
    }


def _operation(operation: Operation) -> dict[str, Any]:
    said: dict[str, Any] = {
        "operationId": operation.name,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": "\n\n".join(filter(None, (operation.description, operation.note))),
    }
    if operation.parameters:
        said["parameters"] = list(operation.parameters)
    if operation.body:
        said["requestBody"] = {"required": True, "content": _json(operation.body)}
    faults = {str(status): {"$ref": f"#/components/responses/E{status}"} for status in _faults_of(operation)}
    return {**said, "responses": {str(operation.status): _success(operation), **faults}}


def _success(operation: Operation) -> dict[str, Any]:
    headers = {"X-Request-ID": _header("X-Request-ID")}
    if operation.replays:
        headers["Idempotency-Replayed"] = _header("Idempotency-Replayed")
    if not operation.answer:
        return {"description": "Done.", "headers": headers}
    said = "Created." if operation.status == 201 else "Done."  # noqa: PLR2004
    return {"description": said, "headers": headers, "content": _json(operation.answer)}


def _faults_of(operation: Operation) -> list[int]:
    """What can go wrong."""
    writes = operation.method != "GET"
    possible = {
        404: operation.may_be_missing or operation.replays,
        409: operation.replays,
        413: bool(operation.body),
        422: bool(operation.body or operation.parameters),
        507: writes,
    }
    return [status for status in _FAULTS if possible.get(status, True)]


def _fault(status: int) -> dict[str, Any]:
    headers = {"X-Request-ID": _header("X-Request-ID"), **_HEADERS_OF_FAULTS.get(status, {})}
    shape = "Faults" if status == 422 else "Error"  # noqa: PLR2004
    return {"description": _FAULTS[status], "headers": headers, "content": _json(shape)}


def _header(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/headers/{name}"}


def _json(schema: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
