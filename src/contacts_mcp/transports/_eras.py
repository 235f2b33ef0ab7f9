"""Serve a connection in the protocol era that its client uses.

The SDK's own loop takes the era from the first request. A client that asks `server/discover`, does not wait for the
answer and sends `initialize` on the same connection would be refused there.
"""

from collections.abc import Mapping
from typing import Any

from mcp.server.connection import Connection
from mcp.server.lowlevel import Server
from mcp.server.runner import ServerRunner, aclose_shielded, modern_on_request
from mcp.shared.dispatcher import DispatchContext
from mcp.shared.exceptions import MCPError
from mcp.shared.inbound import InboundLadderRejection, classify_inbound_request
from mcp.shared.jsonrpc_dispatcher import JSONRPCDispatcher
from mcp.shared.transport_context import TransportContext
from mcp_types import INVALID_REQUEST, PROTOCOL_VERSION_META_KEY, UNSUPPORTED_PROTOCOL_VERSION
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from contacts_mcp.transports._streams import Read, Write

_DISCOVER, _INITIALIZE = "server/discover", "initialize"
_IS_MODERN = "this connection uses the 2026-07-28 protocol, which has no initialize; send the request without it"
_IS_LEGACY = "this connection was opened with initialize; send requests without a protocol version in _meta"

Context = DispatchContext[TransportContext]
Params = Mapping[str, Any] | None


async def serve_connection(server: Server[Any], read: Read, write: Write, lifespan_state: Any) -> None:
    """Serve a connection until `read` ends. The server's lifespan must be running, and has yielded `lifespan_state`."""
    # With `initialize` inline, a client may send its next request without waiting for the answer.
    dispatcher = JSONRPCDispatcher(read, write, inline_methods=frozenset({_INITIALIZE}))
    session = Connection.for_loop(dispatcher)
    eras = _Eras(server, ServerRunner(server, session, lifespan_state), lifespan_state)
    try:
        await dispatcher.run(eras.on_request, eras.on_notify)
    finally:
        await aclose_shielded(session)


class _Eras:
    """Passes requests to the era of the connection: that of the first request that is served and not a discovery."""

    def __init__(self, server: Server[Any], legacy: ServerRunner[Any], lifespan_state: Any) -> None:
        self._legacy = legacy
        self._modern = modern_on_request(server, lifespan_state)
        self._is_modern: bool | None = None

    async def on_request(self, context: Context, method: str, params: Params) -> dict[str, Any]:
        is_modern = self._is_modern
        if is_modern is None or method == _DISCOVER:
            is_modern = method != _INITIALIZE and _has_envelope(params)
        if is_modern:
            _check_modern(method, params)
        elif method != _INITIALIZE and _has_envelope(params):
            raise MCPError(INVALID_REQUEST, _IS_LEGACY)
        if method != _DISCOVER:
            self._is_modern = is_modern
        return await (self._modern if is_modern else self._legacy.on_request)(context, method, params)

    async def on_notify(self, context: Context, method: str, params: Params) -> None:
        if not self._is_modern:  # the modern era has only notifications that the dispatcher handles
            await self._legacy.on_notify(context, method, params)


def _has_envelope(params: Params) -> bool:
    """Whether a request names its protocol version, as each request of the modern era does."""
    meta = (params or {}).get("_meta")
    return isinstance(meta, Mapping) and PROTOCOL_VERSION_META_KEY in meta


def _check_modern(method: str, params: Params) -> None:
    """Raise MCPError for a request that the modern era does not serve."""
    if method == _INITIALIZE:
        requested = (params or {}).get("protocolVersion")
        shown = {"requested": requested} if isinstance(requested, str) else {}
        raise MCPError(UNSUPPORTED_PROTOCOL_VERSION, _IS_MODERN, {"supported": list(MODERN_PROTOCOL_VERSIONS), **shown})
    found = classify_inbound_request({"method": method, "params": params})
    if isinstance(found, InboundLadderRejection):
        raise MCPError(found.code, found.message, found.data)
