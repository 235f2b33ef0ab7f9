"""The API in OpenAPI 3.1, written by hand from the API's page: a slip in a route is a failing test, not made twice."""

from contacts_mcp.directory.service.openapi.document import document

__all__ = ["document"]
