"""The baseline: a server that FastMCP generates from the API's OpenAPI document, and the recorded solutions with it."""
