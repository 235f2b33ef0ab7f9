"""Where the trail goes, as an operator writes it."""

from dataclasses import dataclass
from pathlib import Path

_STDERR, _OTLP = "stderr", "otlp"


@dataclass(frozen=True, slots=True)
class Destinations:
    """Standard error, an OTLP collector, a file, or several of them."""

    stderr: bool = False
    otlp: bool = False
    file: Path | None = None


def parse_destinations(text: str) -> Destinations:
    """`stderr`, `otlp` or a file's path, several separated by commas.

    Raises:
        ValueError: it names nowhere, two files, or something that is a slip rather than a file.
    """
    names = {name.strip() for name in text.split(",")} - {""}
    files = names - {_STDERR, _OTLP}
    if not names or len(files) > 1 or any("/" not in name and "." not in name for name in files):
        raise ValueError(
            "should be stderr, otlp or one file such as /var/lib/contacts-mcp/audit.jsonl, or several of them"
        )
    return Destinations(_STDERR in names, _OTLP in names, Path(files.pop()).expanduser() if files else None)
