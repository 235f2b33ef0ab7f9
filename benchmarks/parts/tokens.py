"""How much of a model's context the tools take."""

import json

import bpe_openai
from host import Host
from launch import EMBEDDED, started
from table import Row, below

_LIMIT = 4_200
_SEEN = ("name", "description", "inputSchema")
"""What hosts hand to the model; titles, annotations and output schemas stay with the host."""


def measure_tokens() -> list[Row]:
    """Count the tokens (o200k) of the tool list as a model sees it."""
    with started(EMBEDDED) as child:
        host = Host(child, "modern")
        host.connect()
        tools = host.list_tools()
    seen = [{key: tool[key] for key in _SEEN} for tool in tools]
    text = json.dumps(seen, ensure_ascii=False, separators=(",", ":"))
    count = len(bpe_openai.get_encoding("o200k_base").encode(text))
    return [below(f"tokens of the {len(tools)} tools (o200k)", count, _LIMIT)]
