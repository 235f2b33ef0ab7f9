"""The public face of the directory's packages."""

import subprocess
import sys

from contacts_mcp import directory
from contacts_mcp.directory import api, maintenance, service


def test_directory_has_these_public_names():
    assert directory.__all__ == [
        "DEFAULT_RATE_LIMIT",
        "KEY_CACHE_SECONDS",
        "BackupRefused",
        "ContactErased",
        "Directory",
        "DirectoryError",
        "DirectoryNotFound",
        "DirectoryUnavailable",
        "Location",
        "PostgresServer",
        "default_path",
        "parse_location",
    ]
    assert all(hasattr(directory, name) for name in directory.__all__)


def test_subpackages_have_these_public_names():
    assert api.__all__ == ["ROUTERS", "TENANT_SCOPE_KEY", "ContactType", "Tenant", "build_app"]
    assert service.__all__ == ["build_service"]
    assert maintenance.__all__ == [
        "Maintenance",
        "RestoreResult",
        "back_up",
        "check",
        "migrate",
        "purge",
        "restore_backup",
        "restore_contact",
        "sample_contacts",
    ]


def test_importing_the_directory_loads_neither_fastapi_nor_sqlalchemy():
    program = "import sys, contacts_mcp.directory; print({'fastapi', 'sqlalchemy'} & sys.modules.keys())"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)

    assert done.stdout.strip() == "set()"
