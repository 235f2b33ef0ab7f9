"""The clients of the matrix: each is an example, run in its own environment. The examples' heads pin the versions."""

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path

from support.node import install

EXAMPLES = Path(__file__).parents[2] / "examples" / "frameworks"
_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
_UV = [os.environ["UV"]] if "UV" in os.environ else [f"{sys.base_prefix}/bin/python3", "-m", "uv"]
_TELEMETRY_OFF = {"DO_NOT_TRACK": "1", "OTEL_SDK_DISABLED": "true", "MASTRA_TELEMETRY_DISABLED": "1"}


@dataclass(frozen=True)
class Client:
    """A framework or SDK whose example is one of `examples/frameworks`."""

    name: str
    example: str
    packages: tuple[str, ...]
    """What the documentation lists, as in the head of the example or in package.json."""
    _: KW_ONLY
    asks: bool = True
    """It can show the server's questions to a person."""
    is_strict: bool = False
    """Its conversion, or this example's, makes every argument of a tool required."""
    starts_per_call: bool = False
    """It starts a server over stdio for each call."""
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        return EXAMPLES / self.example

    def command(self) -> list[str]:
        """The command that runs the example; it installs what the example needs."""
        if self.path.suffix == ".mjs":
            return [str(install(EXAMPLES)), str(self.path)]
        return [*_UV, "run", "--quiet", "--python", _PYTHON, "--script", str(self.path)]

    def environment(self) -> dict[str, str]:
        return {**os.environ, **_TELEMETRY_OFF, **self.variables}

    def version(self, package: str) -> str:
        """The pinned version of a package."""
        source = EXAMPLES / "package.json" if self.path.suffix == ".mjs" else self.path
        found = re.search(rf'"{re.escape(package)}(?:\[[\w,]+\])?(?:==|": ")([\w.]+)"', source.read_text())
        assert found, f"{source.name} does not pin {package}"
        return found[1]


CLIENTS = (
    Client("MCP SDK 2", "with_mcp.py", ("mcp",)),
    Client("MCP SDK 2, 2025-11-25", "with_mcp.py", ("mcp",), variables={"MCP_ERA": "legacy"}),
    Client("MCP SDK 1", "with_mcp1.py", ("mcp",)),
    Client("FastMCP", "with_fastmcp.py", ("fastmcp",)),
    Client("OpenAI Agents SDK", "with_openai_agents.py", ("openai-agents",), asks=False, is_strict=True),
    Client("Pydantic AI", "with_pydantic_ai.py", ("pydantic-ai-slim",)),
    Client(
        "LangChain", "with_langchain.py", ("langchain", "langchain-mcp-adapters"), is_strict=True, starts_per_call=True
    ),
    Client("Google ADK", "with_google_adk.py", ("google-adk",)),
    Client("Google Gen AI SDK", "with_google_genai.py", ("google-genai",)),
    Client("LlamaIndex", "with_llama_index.py", ("llama-index-tools-mcp",), asks=False, starts_per_call=True),
    Client("smolagents", "with_smolagents.py", ("smolagents",), asks=False, is_strict=True),
    Client("Strands Agents", "with_strands.py", ("strands-agents",)),
    Client("TypeScript SDK 1", "with_typescript_sdk1.mjs", ("@modelcontextprotocol/sdk",)),
    Client("TypeScript SDK 2", "with_typescript_sdk2.mjs", ("@modelcontextprotocol/client",)),
    Client("Vercel AI SDK", "with_vercel_ai.mjs", ("ai", "@ai-sdk/mcp")),
    Client("Mastra", "with_mastra.mjs", ("@mastra/core", "@mastra/mcp")),
    Client(
        "MCP Inspector, command line",
        "with_inspector.mjs",
        ("@modelcontextprotocol/inspector",),
        asks=False,
        starts_per_call=True,
    ),
)
