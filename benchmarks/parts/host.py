"""A host's end of one stdio connection: JSON-RPC lines written by hand, so that no client's work is measured."""

import json
from itertools import count
from typing import Any, Literal

from child import Child
from mcp_types import CLIENT_CAPABILITIES_META_KEY, CLIENT_INFO_META_KEY, PROTOCOL_VERSION_META_KEY
from mcp_types.version import LATEST_HANDSHAKE_VERSION, LATEST_MODERN_VERSION

Era = Literal["modern", "legacy"]
"""`modern` is revision 2026-07-28 (an envelope in every request), `legacy` 2025-11-25 (a handshake)."""

CLIENT = {"name": "benchmark", "version": "1"}
ENVELOPE = {
    PROTOCOL_VERSION_META_KEY: LATEST_MODERN_VERSION,
    CLIENT_INFO_META_KEY: CLIENT,
    CLIENT_CAPABILITIES_META_KEY: {},
}


class Refused(RuntimeError):
    """The server answered with an error where the benchmark needs a result."""


class Host:
    """Speaks one era of the protocol with a server process."""

    def __init__(self, child: Child, era: Era) -> None:
        self._child = child
        self._era = era
        self._ids = count(1)

    def connect(self) -> None:
        """Discover the server, or shake hands with it."""
        if self._era == "modern":
            self.ask("server/discover", {})
            return
        self.ask("initialize", {"protocolVersion": LATEST_HANDSHAKE_VERSION, "capabilities": {}, "clientInfo": CLIENT})
        self._write({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def list_tools(self) -> list[dict[str, Any]]:
        """The tools as tools/list shows them."""
        tools: list[dict[str, Any]] = self.ask("tools/list", {})["tools"]
        return tools

    def call(self, tool: str, arguments: dict[str, Any]) -> None:
        """Call a tool, and wait for its answer."""
        self.begin_call(tool, arguments)
        self.end_call()

    def begin_call(self, tool: str, arguments: dict[str, Any]) -> None:
        """Send a call without waiting for its answer."""
        self._send("tools/call", {"name": tool, "arguments": arguments})

    def end_call(self) -> None:
        """Wait for the answer to any call that is under way."""
        result = self._receive()
        if result.get("isError"):
            raise Refused(str(result["content"]))

    def ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Send a request and return its result."""
        self._send(method, params)
        return self._receive()

    def _send(self, method: str, params: dict[str, Any]) -> None:
        if self._era == "modern":
            params = {**params, "_meta": ENVELOPE}
        self._write({"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": params})

    def _write(self, message: dict[str, Any]) -> None:
        self._child.write_line(json.dumps(message).encode())

    def _receive(self) -> dict[str, Any]:
        message = json.loads(self._child.read_line())
        if "result" not in message:
            raise Refused(str(message))
        result: dict[str, Any] = message["result"]
        return result
