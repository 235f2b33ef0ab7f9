"""What an import leaves beside its file."""

import csv
import io
from pathlib import Path


def read_results(files: Path, name: str) -> list[dict[str, str]]:
    """The rows of a result file."""
    return list(csv.DictReader(io.StringIO((files / f"{name}.result.csv").read_text())))
