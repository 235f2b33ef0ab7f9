"""What the packages of the transports export."""

import contacts_mcp.transports
import contacts_mcp.transports.http
import contacts_mcp.transports.http.access


def test_transports_export_only_what_others_use() -> None:
    assert contacts_mcp.transports.__all__ == ["serve_stdio"]
    assert contacts_mcp.transports.http.__all__ == ["CONSOLE_PATH", "Limits", "ReadinessCheck", "http_app"]
    assert contacts_mcp.transports.http.access.__all__ == [
        "Access",
        "ApiKeyAccess",
        "AuthenticationMiddleware",
        "AuthorizationMiddleware",
        "ConsoleOnlyAccess",
        "Issuer",
        "LoopbackAccess",
        "OAuthAccess",
        "OidcClient",
        "set_caller",
    ]
