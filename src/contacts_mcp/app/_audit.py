"""Where the audit trail goes: to what the settings name, else to where it can be kept."""

import os
from functools import partial
from pathlib import Path

from contacts_mcp.audit import AuditDestinations, LogOutput, OtlpOutput, Trail, TrailFile
from contacts_mcp.directory import default_path
from contacts_mcp.settings import InvalidSettings, Settings, variable


def trail_file(settings: Settings) -> Path:
    """The file that the settings name, else this user's. Nothing is created."""
    named = settings.audit.file if settings.audit else None
    return named or default_path().with_name("audit.jsonl")


def build_trail(settings: Settings, *, own_file: bool) -> Trail:
    """The trail, of which nothing is opened before the first record.

    Where the settings name no place it goes to standard error, and with `own_file` to this user's file as well: a
    container's file system may be read-only, and its standard error is what is kept.

    Raises:
        InvalidSettings: it should go to a collector that cannot be sent to.
    """
    named = settings.audit or AuditDestinations(stderr=True)
    in_file = named.file is not None or (own_file and settings.audit is None)
    file = TrailFile(partial(trail_file, settings)) if in_file else None
    return Trail(file, [*([LogOutput()] if named.stderr else []), *([_collector()] if named.otlp else [])])


def _collector() -> OtlpOutput:
    from contacts_mcp.app import _telemetry

    asked = f"{variable('audit')} with otlp"
    if not _telemetry.is_sent("LOGS", os.environ):
        raise InvalidSettings(
            f"{asked} needs a collector: set OTEL_EXPORTER_OTLP_ENDPOINT, and leave OTEL_SDK_DISABLED out"
        )
    _telemetry.require_installed(asked)
    return OtlpOutput(_telemetry.this_process)
