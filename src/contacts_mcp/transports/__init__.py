"""The transports over which hosts reach the MCP server: `stdio`, and `http` for a network."""
