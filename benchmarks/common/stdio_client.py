"""The host's end of a stdio connection. It writes JSON-RPC lines itself, so that no client's work is measured."""

import json
from itertools import count
from typing import Any, Literal

from common.processes import Child
from mcp_types import CLIENT_CAPABILITIES_META_KEY, CLIENT_INFO_META_KEY, PROTOCOL_VERSION_META_KEY
from mcp_types.version import LATEST_HANDSHAKE_VERSION, LATEST_MODERN_VERSION

Era = Literal["modern", "legacy"]
"""`modern` is revision 2026-07-28 (an envelope in every request), `legacy` is 2025-11-25 (a handshake)."""

CLIENT_INFO = {"name": "benchmark", "version": "1"}
ENVELOPE = {
    PROTOCOL_VERSION_META_KEY: LATEST_MODERN_VERSION,
    CLIENT_INFO_META_KEY: CLIENT_INFO,
    CLIENT_CAPABILITIES_META_KEY: {},
}
INITIALIZE = {"protocolVersion": LATEST_HANDSHAKE_VERSION, "capabilities": {}, "clientInfo": CLIENT_INFO}
INITIALIZED = {"jsonrpc": "2.0", "method": "notifications/initialized"}


class CallFailed(RuntimeError):
    """The server answered with an error."""


class StdioClient:
    """Speaks one era of the protocol with a server process."""

    def __init__(self, child: Child, era: Era) -> None:
        self._child = child
        self._era = era
        self._ids = count(1)

    def connect(self) -> None:
        """Discover the server (modern), or initialize it (legacy)."""
        if self._era == "modern":
            self.request("server/discover", {})
            return
        self.request("initialize", INITIALIZE)
        self._write(INITIALIZED)

    def list_tools(self) -> list[dict[str, Any]]:
        """Return the tools of tools/list."""
        tools: list[dict[str, Any]] = self.request("tools/list", {})["tools"]
        return tools

    def call(self, tool: str, arguments: dict[str, Any]) -> None:
        """Call a tool, and wait for its answer."""
        self.send_call(tool, arguments)
        self.receive_answer()

    def send_call(self, tool: str, arguments: dict[str, Any]) -> None:
        """Send a call without waiting for its answer."""
        self._send("tools/call", {"name": tool, "arguments": arguments})

    def receive_answer(self) -> None:
        """Wait for the answer to any of the calls in flight."""
        result = self._receive()
        if result.get("isError"):
            raise CallFailed(str(result["content"]))

    def receive_any(self) -> None:
        """Wait for the answer to any of the calls in flight, also if it is an error."""
        self._receive()

    def request(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
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
            raise CallFailed(str(message))
        result: dict[str, Any] = message["result"]
        return result
