"""A server that FastMCP generates from the OpenAPI document at CONTACTS_API_URL, with the key in CONTACTS_API_KEY.

It offers the documented endpoints. The embedded directory's document also has endpoints of its own and patterns that
describe its validation exactly; both are left out, because the platform's document would not have them.
"""

import os
from typing import Any

import httpx2
from fastmcp import FastMCP

_OWN_ENDPOINTS = "/v1/directory"


def build_server(url: str, key: str) -> FastMCP[Any]:
    """Generate the server from the document that the API serves."""
    return generate_server(httpx2.get(f"{url}/openapi.json").raise_for_status().json(), url, key)


def generate_server(document: dict[str, Any], url: str, key: str) -> FastMCP[Any]:
    """Generate the server from an OpenAPI document."""
    document["paths"] = {path: item for path, item in document["paths"].items() if not path.startswith(_OWN_ENDPOINTS)}
    client = httpx2.AsyncClient(base_url=url, headers={"X-API-Key": key})
    return FastMCP.from_openapi(_without_patterns(document), client=client, name="contacts")


def _without_patterns(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: _without_patterns(item)
            for name, item in value.items()
            if not (name == "pattern" and isinstance(item, str))
        }
    return [_without_patterns(item) for item in value] if isinstance(value, list) else value


if __name__ == "__main__":
    build_server(os.environ["CONTACTS_API_URL"], os.environ["CONTACTS_API_KEY"]).run(show_banner=False)
